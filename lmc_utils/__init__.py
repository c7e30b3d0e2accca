"""Helpers behind the book "Landscaping Linear Mode Connectivity", a folder for each part of the work.

From the ground up; a folder imports only from those before it, and those that share a line not from each other:

    formatting, resources       values and messages as one short line; whether memory and disk suffice
    provenance                  digests, versions, commit and machine; files that are whole or not there
    settings, result_dependencies   parameter records; what a result depends on
    toy, networks, running      toy landscapes; data, networks, training; the notebooks
    measure                     loss, error, curvature, distance and angle of pairs of networks
    forking                     parents, siblings, and the run that they make
    figures                     labelled arrays in, one figure out
    connect, widgets            two networks of any kind, and ways between them; figures that answer
    classroom                   exercises, and marking them
    publishing                  pages and PDF
    cli                         the `lmc` command

Import what you need: `from lmc_utils.forking import Experiment, train`, `from lmc_utils.measure import lines`. Nothing
is imported here, so that `lmc_utils.toy` loads nothing but NumPy.
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
