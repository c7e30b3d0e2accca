"""How much memory a notebook takes when it is executed with its default parameters."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path


def peak_of_notebook(stem: str) -> float:
    """GB of the largest process while the notebook runs, from training to the last figure.

    The run store is empty, so training is included. `ru_maxrss` is the largest resident set among all processes that
    have ended below this one; it only grows, so the figure is an upper bound where something larger ran before.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lmc_utils.cli", "run", stem, "-o", str(Path(folder) / "out.ipynb")]
        subprocess.run(command, check=True, env=os.environ | {"LMC_RUNS": folder}, stdout=subprocess.DEVNULL)
    kibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return kibibytes * 1024 / 1e9
