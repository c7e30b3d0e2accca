"""The package of the book "Landscaping Linear Mode Connectivity".

It is layered: a folder imports only from those above it, and folders on one line are independent:

    formatting, resources       one-line formatting of values and messages; memory and disk checks
    provenance                  digests, versions, commit and machine; atomic writing of files
    settings, result_dependencies   parameter records; dependencies of a result
    toy, networks, running      toy landscapes; data, networks, training; execution of notebooks
    measure                     loss, error, curvature, distance and angle of pairs of networks
    forking                     training of parents and siblings, and cached runs
    figures                     figures of labelled arrays
    connect, widgets            comparison of any PyTorch networks; interactive figures
    classroom                   exercises and their grading
    publishing                  pages and PDF
    cli                         the `lmc` command

Import from the folders: `from lmc_utils.forking import Experiment, train`, `from lmc_utils.measure import lines`.
Nothing is imported here, so that `lmc_utils.toy` loads only NumPy.
"""

import os

__version__ = "0.1.0"

# Equal networks must stay equal at any position in a stack. By default MKL chooses its kernel by the alignment of a
# matrix in memory; this fixes the kernel, at no cost in speed. MKL reads the variable once.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# Waiting threads should sleep soon. By default they spin for so long that everything here takes several times as long
# if another process needs the same core; sleeping at once would cost a third on an idle machine. The variable is read
# once, when torch is first imported; only GNU's OpenMP uses it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
