"""Runs on disk: content-addressed, crash-safe, resumable, no pickle.

A run is a folder named by a digest of everything that its numbers depend on. It holds

    key.json            what the digest was taken of, to read
    epoch_0007.npy      every network's parameter vector after 7 epochs, shape (networks alive, parameters), float32
    momentum_0007.npy   the optimiser's state at the newest epoch, the same shape
    lock                taken while somebody trains

Each file appears whole or not at all, the momentum before its epoch. So the newest epoch is always one to go on from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from platformdirs import user_cache_path

from lmc_utils.provenance import CHECKOUT, digest, whole
from lmc_utils.settings import ParameterError

Array = np.ndarray[Any, np.dtype[np.float32]]


def root() -> Path:
    """Where runs are kept: $LMC_RUNS, else `_runs` in the checkout, else the user's cache folder."""
    if chosen := os.environ.get("LMC_RUNS"):
        return Path(chosen).expanduser()
    if (CHECKOUT / "pyproject.toml").exists():
        return CHECKOUT / "_runs"
    return user_cache_path("lmc_utils") / "runs"


class RunFolder:
    """One run's files.

    Raises:
        ParameterError: the folder cannot be made or written to.
    """

    def __init__(self, key: Mapping[str, Any], folder: Path | None = None) -> None:
        self.path = (folder or root()) / digest(key)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not (self.path / "key.json").exists():
                with whole(self.path / "key.json") as file:
                    file.write(json.dumps(key, indent=1, sort_keys=True).encode())
        except OSError as error:
            raise ParameterError(f"LMC_RUNS: expected a folder to keep runs in, got '{self.path}' ({error})") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for oneself; whoever else wants it waits. A crash releases it."""
        with filelock.FileLock(self.path / "lock"):
            yield

    def newest(self) -> int | None:
        """The last epoch that was saved with its momentum, or None; files that cannot be read do not count."""
        epochs = sorted((int(path.stem[-4:]) for path in self.path.glob("momentum_*.npy")), reverse=True)
        return next((epoch for epoch in epochs if self._sound(epoch)), None)

    def save(self, epoch: int, thetas: Array, momentum: Array) -> None:
        """Keep an epoch's parameters, and its momentum in place of the previous one."""
        self._write(f"momentum_{epoch:04d}.npy", momentum)
        self._write(f"epoch_{epoch:04d}.npy", thetas)
        for old in self.path.glob("momentum_*.npy"):
            if int(old.stem[-4:]) < epoch:
                old.unlink(missing_ok=True)

    def thetas(self, epoch: int) -> Array:
        """Every living network's parameter vector after this many epochs; read from disk as it is used."""
        return self._read(f"epoch_{epoch:04d}.npy")

    def momentum(self, epoch: int) -> Array:
        """The optimiser's state at the newest epoch, laid out as the parameters."""
        return self._read(f"momentum_{epoch:04d}.npy")

    def _sound(self, epoch: int) -> bool:
        try:
            self.momentum(epoch)
            for earlier in range(epoch + 1):
                self.thetas(earlier)
        except (OSError, ValueError):
            return False
        return True

    def _read(self, name: str) -> Array:
        array: Array = np.load(self.path / name, mmap_mode="r", allow_pickle=False)
        return array

    def _write(self, name: str, array: Array) -> None:
        with whole(self.path / name) as file:
            np.save(file, np.ascontiguousarray(array), allow_pickle=False)
