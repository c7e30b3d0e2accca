"""Helpers behind the book "Landscaping Linear Mode Connectivity".

Import the room you need: `from lmc_utils import siblings, paths, barriers, plotting`. Nothing is imported here, so that
`lmc_utils.toy` needs nothing but NumPy.
"""

import os

__version__ = "0.1.0"

# Two equal networks must stay equal wherever they sit in a stack. By default MKL picks its kernel by how a matrix
# happens to be aligned in memory; this asks it for one kernel, at no cost in speed. It reads the variable once.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# A thread that waits for another should soon sleep. By default it spins for so long that everything here takes several
# times as long where another process wants the same core; sleeping at once would cost a third on a quiet machine. It is
# read once, when torch is first imported; other builds of OpenMP than GNU's do not know it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
