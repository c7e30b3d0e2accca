"""Helpers behind the book "Landscaping Linear Mode Connectivity".

Import the room you need: `from lmc_utils import siblings, paths, barriers, plotting`. Nothing is imported here, so that
`lmc_utils.toy` needs nothing but NumPy.
"""

import os

__version__ = "0.1.0"

# Two equal networks must stay equal wherever they sit in a stack. By default MKL picks its kernel by how a matrix
# happens to be aligned in memory; this asks it for one kernel, at no cost in speed. It reads the variable once.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# Threads that wait for each other should sleep, not spin: where another process uses the same cores, spinning makes
# everything here several times slower, and more on a busy machine. It is read once, when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
