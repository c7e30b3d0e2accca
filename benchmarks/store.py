"""The cost of caching and checking runs, as fractions of training and of executing a chapter."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from lmc_utils.forking import Experiment, store, train


def measure_seconds(experiment: Experiment, notebook: str, repeats: int) -> dict[str, float]:
    """Median seconds of training, of its saving, and of reading and checking all files of the run for the first time.

    Also the seconds of executing a notebook whose run is cached, measured once.
    """
    with tempfile.TemporaryDirectory() as folder:
        trained, saved = zip(*(_training(experiment, Path(folder) / str(n)) for n in range(repeats)), strict=True)
        run = train(experiment, Path(folder) / "0")
        checked = median(_seconds(_check, run.folder, experiment.kept_epochs()) for _ in range(repeats))
    train(experiment)
    return {
        "training": median(trained),
        "saving": median(saved),
        "checking": checked,
        "chapter": _seconds(_execute, notebook),
    }


def table(seconds: dict[str, float]) -> str:
    """A Markdown table of the fractions."""
    return "\n".join(
        [
            "| operation | median seconds | fraction |",
            "| --- | ---: | ---: |",
            f"| saving every epoch, digests included | {seconds['saving']:.2f} | "
            f"{100 * seconds['saving'] / seconds['training']:.1f} % of training ({seconds['training']:.1f} s) |",
            f"| reading and checking every file of the run | {seconds['checking']:.2f} | "
            f"{100 * seconds['checking'] / seconds['chapter']:.1f} % of the chapter ({seconds['chapter']:.0f} s) |",
        ]
    )


def _training(experiment: Experiment, folder: Path) -> tuple[float, float]:
    """Seconds of a training, and of its calls to `save`."""
    spent: list[float] = []
    save = store.RunFolder.save

    def timed(*arguments: Any) -> None:
        spent.append(_seconds(save, *arguments))

    with mock.patch.object(store.RunFolder, "save", timed):
        whole = _seconds(train, experiment, folder)
    return whole, sum(spent)


def _check(files: store.RunFolder, epochs: list[int]) -> None:
    store._known.clear()
    found = {epoch: files.fault(epoch) for epoch in epochs}
    if any(found.values()):
        raise ValueError(f"expected an intact run, found {found}")


def _execute(notebook: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lmc_utils.cli", "run", notebook, "-o", f"{folder}/out.ipynb"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _seconds(work: Callable[..., object], *arguments: Any) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start
