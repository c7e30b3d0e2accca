"""Corruptions of the files of a finished run, each with the epochs that must be trained again.

The functions take the folder of a run of four epochs whose epochs 0 to 4 are all stored.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from lmc_utils.forking import Experiment, train
from lmc_utils.forking.store import RunFolder
from lmc_utils.networks import training

Corruption = Callable[[Path], None]
CORRUPTIONS: dict[str, tuple[Corruption, tuple[int, ...]]] = {}


def corruption(*again: int) -> Callable[[Corruption], Corruption]:
    """Decorator that registers a corruption with the epochs that must be trained again."""

    def register(do: Corruption) -> Corruption:
        CORRUPTIONS[do.__name__] = do, again
        return do

    return register


def epoch_file(run: Path, epoch: int) -> Path:
    return run / f"epoch_{epoch:04d}.safetensors"


def flip(path: Path, position: int, bit: int = 0) -> None:
    """Change one bit of a file; positions below zero count from its end."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def rewrite(path: Path, change: Callable[[dict[str, object], dict[str, np.ndarray]], None]) -> None:
    """Rewrite a file with other content, valid in its format."""
    with safe_open(path, "np") as file:
        about, arrays = (
            json.loads(file.metadata()["lmc"]),
            {name: file.get_tensor(name) for name in ("theta", "momentum")},
        )
    change(about, arrays)
    save_file(arrays, path, {"lmc": json.dumps(about)})


def place(path: Path, name: str) -> int:
    """The offset of an array in a file."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return 8 + length + json.loads(content[8 : 8 + length])[name]["data_offsets"][0]


@corruption(2)
def a_bit_of_the_parameters(run: Path) -> None:
    flip(epoch_file(run, 2), place(epoch_file(run, 2), "theta") + 5, bit=3)


@corruption(2)
def a_bit_of_the_momentum(run: Path) -> None:
    flip(epoch_file(run, 2), place(epoch_file(run, 2), "momentum") + 5, bit=3)


@corruption(4)
def a_bit_of_the_last_epoch(run: Path) -> None:
    flip(epoch_file(run, 4), -1, bit=7)


@corruption()
def a_bit_of_the_first_epoch(run: Path) -> None:
    flip(epoch_file(run, 0), -1)


@corruption(1)
def a_bit_of_the_header(run: Path) -> None:
    flip(epoch_file(run, 1), 20)


@corruption(1)
def a_bit_of_the_digest(run: Path) -> None:
    content = epoch_file(run, 1).read_bytes()
    flip(epoch_file(run, 1), content.index(b"digest") + 14)


@corruption(3)
def the_length_of_the_header(run: Path) -> None:
    flip(epoch_file(run, 3), 6, bit=5)


@corruption(1)
def zeros_in_the_middle(run: Path) -> None:
    path = epoch_file(run, 1)
    content = path.read_bytes()
    path.write_bytes(content[:2000] + bytes(512) + content[2512:])


@corruption(2)
def nothing_but_zeros(run: Path) -> None:
    epoch_file(run, 2).write_bytes(bytes(epoch_file(run, 2).stat().st_size))


@corruption(3)
def a_truncated_file(run: Path) -> None:
    path = epoch_file(run, 3)
    path.write_bytes(path.read_bytes()[:-4])


@corruption(3)
def half_a_header(run: Path) -> None:
    epoch_file(run, 3).write_bytes(epoch_file(run, 3).read_bytes()[:60])


@corruption(2)
def an_empty_file(run: Path) -> None:
    epoch_file(run, 2).write_bytes(b"")


@corruption(1, 2, 3, 4)
def all_files_empty(run: Path) -> None:
    for epoch in range(5):
        epoch_file(run, epoch).write_bytes(b"")


@corruption(4)
def bytes_behind_the_end(run: Path) -> None:
    epoch_file(run, 4).write_bytes(epoch_file(run, 4).read_bytes() + b"more")


@corruption(2)
def random_bytes(run: Path) -> None:
    path = epoch_file(run, 2)
    path.write_bytes(random.Random(0).randbytes(path.stat().st_size))


@corruption(2)
def text_instead(run: Path) -> None:
    epoch_file(run, 2).write_text("version https://git-lfs.github.com/spec/v1\n")


@corruption(1, 3)
def two_epochs_exchanged(run: Path) -> None:
    first, second = epoch_file(run, 1), epoch_file(run, 3)
    spare = run / "spare"
    first.rename(spare)
    second.rename(first)
    spare.rename(second)


@corruption(3)
def an_epoch_copied_over_the_next(run: Path) -> None:
    shutil.copy(epoch_file(run, 2), epoch_file(run, 3))


@corruption(2)
def parameters_and_momentum_exchanged(run: Path) -> None:
    def exchange(_: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
        arrays["theta"], arrays["momentum"] = arrays["momentum"], arrays["theta"]

    rewrite(epoch_file(run, 2), exchange)


@corruption(2)
def two_networks_exchanged(run: Path) -> None:
    def exchange(_: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
        arrays["theta"] = arrays["theta"][::-1].copy()

    rewrite(epoch_file(run, 2), exchange)


@corruption(2)
def a_network_less(run: Path) -> None:
    def leave_out(_: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
        arrays["theta"] = arrays["theta"][:-1].copy()

    rewrite(epoch_file(run, 2), leave_out)


@corruption(2)
def another_shape(run: Path) -> None:
    def transpose(_: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
        arrays["theta"] = arrays["theta"].reshape(arrays["theta"].shape[::-1])

    rewrite(epoch_file(run, 2), transpose)


@corruption(2)
def another_kind_of_number(run: Path) -> None:
    def halve(_: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
        arrays["theta"] = arrays["theta"].astype(np.float16)

    rewrite(epoch_file(run, 2), halve)


@corruption(2)
def no_momentum(run: Path) -> None:
    def leave_out(_: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
        del arrays["momentum"]

    rewrite(epoch_file(run, 2), leave_out)


@corruption(2)
def nothing_said_of_the_content(run: Path) -> None:
    rewrite(epoch_file(run, 2), lambda about, _: about.clear())


@corruption(2)
def an_older_epoch_under_a_newer_number(run: Path) -> None:
    shutil.copy(epoch_file(run, 1), epoch_file(run, 2))
    rewrite(epoch_file(run, 2), lambda about, _: about.update(epoch=2))


@corruption(2)
def a_file_of_another_run(run: Path) -> None:
    other = RunFolder({"another": "run"}, run.parent)
    shutil.copy(run / "key.json", other.path)  # other files in it do not matter
    for epoch in range(3):
        other.save(epoch, {"theta": np.ones((6, 8)), "momentum": np.ones((6, 8))})
    shutil.copy(epoch_file(other.path, 2), epoch_file(run, 2))
    shutil.rmtree(other.path)


@corruption(2)
def a_folder_in_a_files_place(run: Path) -> None:
    epoch_file(run, 2).unlink()
    epoch_file(run, 2).mkdir()
    (epoch_file(run, 2) / "something").write_text("")


@corruption(2)
def a_link_to_nowhere(run: Path) -> None:
    epoch_file(run, 2).unlink()
    epoch_file(run, 2).symlink_to(run / "nowhere")


@corruption(2)
def a_middle_epoch_deleted(run: Path) -> None:
    epoch_file(run, 2).unlink()


@corruption()
def the_first_epoch_deleted(run: Path) -> None:
    epoch_file(run, 0).unlink()


@corruption(3, 4)
def the_last_epochs_deleted(run: Path) -> None:
    epoch_file(run, 3).unlink()
    epoch_file(run, 4).unlink()


@corruption()
def a_changed_key(run: Path) -> None:
    key = json.loads((run / "key.json").read_text())
    key["experiment"]["seed"] = 7
    (run / "key.json").write_text(json.dumps(key))


@corruption()
def an_empty_key(run: Path) -> None:
    (run / "key.json").write_text("")


@corruption()
def a_folder_in_the_keys_place(run: Path) -> None:
    (run / "key.json").unlink()
    (run / "key.json").mkdir()


@corruption()
def a_folder_in_the_locks_place(run: Path) -> None:
    (run / "lock").unlink(missing_ok=True)
    (run / "lock").mkdir()


@corruption(3)
def a_folder_in_the_locks_place_and_a_lost_epoch(run: Path) -> None:
    a_folder_in_the_locks_place(run)
    epoch_file(run, 3).unlink()


@corruption(2)
def a_half_written_file_beside_a_lost_one(run: Path) -> None:
    epoch_file(run, 2).unlink()
    (run / ".epoch_0002.safetensors.4711.partial").write_bytes(b"half")


def random_corruption(run: Path, seed: int) -> None:
    """One to three files, each corrupted in one of three ways at a random place."""
    draw = random.Random(seed)
    for epoch in draw.sample(range(5), draw.randint(1, 3)):
        path = epoch_file(run, epoch)
        size = path.stat().st_size
        match draw.randrange(3):
            case 0:
                flip(path, draw.randrange(size), draw.randrange(8))
            case 1:
                path.write_bytes(path.read_bytes()[: draw.randrange(size)])
            case _:
                start, content = draw.randrange(size), path.read_bytes()
                length = min(draw.randint(1, 4096), size - start)
                path.write_bytes(content[:start] + draw.randbytes(length) + content[start + length :])


def equal(one: Path, other: Path, epochs: Iterable[int] = range(5)) -> bool:
    """Whether two folders hold the same epochs, to the byte."""
    return all(epoch_file(one, epoch).read_bytes() == epoch_file(other, epoch).read_bytes() for epoch in epochs)


def equal_networks(one: RunFolder, other: RunFolder, epochs: Iterable[int] = range(5)) -> bool:
    """Whether two folders hold bit-identical networks, regardless of what they were trained from."""
    states = (zip(one.state(epoch).values(), other.state(epoch).values(), strict=True) for epoch in epochs)
    return all(np.array_equal(mine, theirs) for state in states for mine, theirs in state)


# Not reported: an unfinished run is not corrupted, and a lock file is empty.
UNREPORTED = ("the_last_epochs_deleted", "a_folder_in_the_locks_place")


@dataclass
class Repair:
    """The epochs that training repeated for a corrupted run, and the lines that it logged."""

    trained: list[int]
    lines: list[str]


def repair(experiment: Experiment, folder: Path) -> Repair:
    """Train a corrupted run, and record the trained epochs and log."""
    done = Repair([], [])
    real, log = training.train_epoch, logging.getLogger("lmc_utils.forking")

    def counted(*arguments: Any, epoch: int, **more: Any) -> Any:
        done.trained.append(epoch + 1)
        return real(*arguments, epoch=epoch, **more)

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            done.lines.append(record.getMessage())

    handler, propagate = Noting(), log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        with mock.patch.object(training, "train_epoch", counted):
            train(experiment, folder)
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
    return done
