"""Cached training runs: list them, verify their integrity, and remove them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lmc_utils.forking.experiment import Experiment, last_epoch
from lmc_utils.forking.store import RunFolder
from lmc_utils.provenance import digest
from lmc_utils.settings import ParameterError, describe_unknown


@dataclass(frozen=True)
class CachedRun:
    """The folder of a run, intact or not.

    Attributes:
        path: the folder.
        key: the data that its name is a digest of; empty if it cannot be read or does not match the name.
    """

    path: Path
    key: dict[str, Any]

    @property
    def files(self) -> RunFolder | None:
        """The files of its epochs; None if the key does not identify the run."""
        return RunFolder(self.key, self.path.parent) if self.key else None

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())

    @property
    def age(self) -> float:
        """Days since it was last trained or used."""
        return (time.time() - self.path.stat().st_mtime) / 86400

    @property
    def epochs(self) -> str:
        """Trained epochs, such as `40 of 40`."""
        trained = [] if self.files is None else self.files.epochs()
        return f"{max(trained):.4g} of {last_epoch(self.key['experiment'])}" if trained else "-"

    def describe(self) -> str:
        """The parameters that differ from the defaults, as arguments of `lmc run`."""
        if not self.key:
            return "unknown: its key.json is corrupted, or of an earlier version"
        trained = self.key["experiment"]
        chosen = {
            name: trained[name] for name, usual in Experiment().to_json().items() if trained.get(name, usual) != usual
        }
        return (
            " ".join(f"{name}={json.dumps(value, separators=(',', ':'))}" for name, value in chosen.items())
            or "defaults"
        )

    def check(self) -> str:
        """Read every file and report in words whether the run is intact, corrupted or incomplete."""
        if self.files is None:
            return "cannot be checked"
        epochs, planned = self.files.epochs(), last_epoch(self.key["experiment"])
        faults = [f"epoch {epoch}: {why}" for epoch in epochs if (why := self.files.fault(epoch))]
        if faults:
            return f"corrupted: {'; '.join(faults)}"
        last = max(epochs, default=0)
        forks = self.key["experiment"]["fork_epochs"]
        gaps = sorted({*range(int(last)), *(fork for fork in forks if fork < last)} - {*epochs})
        lost = [f"{_epoch_ranges(gaps)} missing{self._explanation(epochs)}"] if gaps else []
        lost += [f"trained to epoch {last} of {planned}"] if last < planned else []
        return f"incomplete: {'; '.join(lost)}" if lost else "intact"

    def _explanation(self, epochs: Collection[float]) -> str:
        keep = self._keep(epochs)
        return "" if keep is None else f" (not stored with keep={keep}, or lost)"

    def _keep(self, epochs: Collection[float]) -> int | None:
        """The `keep` that leaves just these epochs on disk, if any; it is no part of the key."""
        last = int(max(epochs, default=0))
        always = {epoch for epoch in self.key["experiment"].get("fork_epochs", ()) if epoch < last} | {last}
        return next((keep for keep in range(1, last + 1) if {*range(0, last, keep)} | always == {*epochs}), None)

    def remove(self) -> None:
        """Remove it from disk.

        Raises:
            ParameterError: it is being trained.
        """
        if self.path.is_symlink():  # its epochs are elsewhere, and stay
            self.path.unlink()
            return
        try:
            with FileLock(self.path / "lock", timeout=0):
                shutil.rmtree(self.path)
        except Timeout as error:
            raise ParameterError(f"run {self.path.name} is in use by another process") from error


def _epoch_ranges(epochs: Sequence[float]) -> str:
    """Increasing epochs in words, neighbours joined.

    >>> _epoch_ranges([3]), _epoch_ranges([1, 5, 6, 7])
    ('epoch 3', 'epochs 1, 5 to 7')
    """
    starts = [epoch for epoch in epochs if epoch - 1 not in epochs]
    ends = [epoch for epoch in epochs if epoch + 1 not in epochs]
    ranges = [str(a) if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True)]
    return f"epoch{'s' if len(epochs) > 1 else ''} {', '.join(ranges)}"


def list_runs(folder: Path) -> list[CachedRun]:
    """The runs in a folder, most recently used first."""
    runs = [CachedRun(path, _key(path)) for path in folder.iterdir() if _is_run(path)] if folder.is_dir() else []
    return sorted(runs, key=lambda run: run.age)


def pick(runs: Iterable[CachedRun], names: Iterable[str]) -> Iterator[CachedRun]:
    """Select runs by name or by the beginning of a name.

    Raises:
        ParameterError: no run, or more than one, has such a name.
    """
    by_name = {run.path.name: run for run in runs}
    for name in names:
        fitting = [each for each in by_name if each.startswith(name)]
        if len(fitting) > 1:
            raise ParameterError(f"{name!r} is ambiguous; it begins the names of the runs {', '.join(fitting)}")
        if not fitting:
            raise ParameterError(describe_unknown("run", name, by_name))
        yield by_name[fitting[0]]


def _is_run(path: Path) -> bool:
    named = path.is_dir() and len(path.name) in (16, 32) and set(path.name) <= set("0123456789abcdef")
    return named and any(path.glob("epoch_*")) | (path / "key.json").exists()


def _key(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):
        key = json.loads((path / "key.json").read_text(encoding="utf-8"))
        if digest(key) == path.name and isinstance(key["experiment"]["epochs"], int):
            return dict(key)
    return {}
