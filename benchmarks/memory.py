"""Peak memory of a notebook with its default parameters, and of curvature measurements compared with their limit."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from lmc_utils.forking import Experiment, train
from lmc_utils.measure.stacked_derivatives import directional_derivatives

_FEW = 100  # samples


def peak_of_notebook(stem: str) -> float:
    """GB of the largest process while the notebook runs, from training to the last figure.

    The run store is empty, so training is included. `ru_maxrss` is the largest resident set among all processes that
    have ended below this one; it only grows, so the number is an upper bound if a larger process ran before.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lmc_utils.cli", "run", stem, "-o", str(Path(folder) / "out.ipynb")]
        subprocess.run(command, check=True, env=os.environ | {"LMC_RUNS": folder}, stdout=subprocess.DEVNULL)
    kibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return kibibytes * 1024 / 1e9


def growth_of_curvature(experiment: Experiment, allowed: Iterable[float]) -> dict[float, float]:
    """Peak growth of a process in MiB while it measures the curvature of all pairs at both ends.

    Args:
        experiment: supplies the pairs; trained first unless cached.
        allowed: values of the parameter `memory` of `stacked_derivatives.directional_derivatives`, in MiB; each has a
            fresh process.
    """
    train(experiment)
    found = {}
    for memory in allowed:
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            found[memory] = fresh.submit(_growth, experiment, memory).result()
    return found


def _growth(experiment: Experiment, memory: float) -> float:
    """The peak of the resident set during the call less its size just before.

    A first call with one network and few samples loads libraries and starts their threads, which are thus not counted.
    """
    run = train(experiment)
    ends = torch.stack([pair.theta for _, pair in run.pairs()])
    deltas = (ends[:, 1] - ends[:, 0]).repeat_interleave(2, 0)
    thetas, (inputs, labels) = ends.flatten(0, 1), run.dataset.train
    directional_derivatives(run.network, thetas[:1], deltas[:1], inputs=inputs[:_FEW], labels=labels[:_FEW])
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    directional_derivatives(run.network, thetas, deltas, inputs=inputs, labels=labels, memory=memory)
    return _status("VmHWM") - before


def _status(field: str) -> float:
    """A size in MiB from /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def table(growth: dict[float, float]) -> str:
    """A Markdown table of limits and measured growth."""
    rows = ["| memory (MiB) | growth at the peak (MiB) |", "| ---: | ---: |"]
    return "\n".join(rows + [f"| {allowed:g} | {taken:.0f} |" for allowed, taken in growth.items()])
