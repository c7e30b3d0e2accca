"""Kill training at random times: files on disk are always intact, and the finished run is bit-identical."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import run_corruption

from lmc_utils.forking import Experiment, Run, train

SMALL = Experiment(dataset="digits", widths=(16,), epochs=4, fork_epochs=(0, 2), parents=2, device="cpu")
_CODE = """
import sys
from lmc_utils.forking import Experiment, train
from lmc_utils.networks import data
experiment = Experiment(**{values!r})
data.load(data.Source.pick(vars(experiment)))
print("ready", flush=True)
train(experiment)
"""


def kill_training(folder: Path, times: int, seed: int) -> list[bool]:
    """Whether each kill left only intact files, and, as the last, whether the final run equals one never killed."""
    draw = random.Random(seed)
    whole = train(SMALL, folder / "whole")
    started = time.monotonic()
    train(SMALL, folder / "timed")
    seconds = time.monotonic() - started
    killed, held = folder / "killed", []
    for _ in range(times):
        if draw.random() < 0.5:  # otherwise continue with the files of the last kill
            for path in killed.glob("*/epoch_*"):
                path.unlink()
        _start_and_kill(killed, draw.uniform(0, 1.5 * seconds))
        held.append(_is_sound(killed, whole))
    train(SMALL, killed)
    run = killed / whole.folder.path.name
    same_names = {path.name for path in run.iterdir()} == {path.name for path in whole.folder.path.iterdir()}
    return [*held, same_names and run_corruption.equal(run, whole.folder.path)]


def _start_and_kill(folder: Path, seconds: float) -> None:
    code = _CODE.format(values=SMALL.to_json())
    environment = os.environ | {"LMC_RUNS": str(folder), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    process.wait()
    process.stdout.close()


def _is_sound(folder: Path, whole: Run) -> bool:
    """Whether every file left by a kill is identical to that of a run that was never killed."""
    return all(
        path.read_bytes() == (whole.folder.path / path.name).read_bytes()
        for path in folder.glob("*/epoch_*.safetensors")
    )
