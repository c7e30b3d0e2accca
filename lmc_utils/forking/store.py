"""Content-addressed, crash-safe, resumable storage of runs, without pickle; corruption is detected.

A run is a folder named by a digest of everything that its results depend on. It holds

    key.json                  the data that the digest is of, in readable form
    epoch_0007.safetensors    every network after 7 epochs: `theta`, its parameter vector, `momentum` and
                              `second_moment`, the optimiser's state, and `buffers`, its running statistics, float32, a
                              row for each network; a fork within an epoch has a file, too, such as epoch_0007.5
    lock                      held by a process that trains

Each file is written atomically. It records its run and epoch, a digest of its content, and the digests of the epochs
that it was trained from. All of this is checked when a process first reads the file, so that a file that was corrupted,
renamed or left over from other training is ignored.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from safetensors import SafetensorError, safe_open

from lmc_utils.formatting import plain_number
from lmc_utils.provenance import digest, remove_partial_files, runs_folder, write_whole
from lmc_utils.settings import ParameterError

Array = np.ndarray[Any, np.dtype[np.float32]]

_log = logging.getLogger(__name__)
_ABOUT = "lmc"
_known: dict[tuple[Path, int, int, int], tuple[str, list[list[Any]]]] = {}  # checked or written by this process
_NAME = re.compile(r"epoch_(\d{4,}(?:\.\d+)?)\.safetensors")


class Corrupted(OSError):
    """An epoch cannot be read. The message is one line; training the run again repairs the epoch."""


class RunFolder:
    """The files of one run.

    Raises:
        ParameterError: the folder cannot be made or written to.
    """

    def __init__(self, key: Mapping[str, Any], folder: Path | None = None) -> None:
        self.path = (folder or runs_folder()) / digest(key)
        text = json.dumps(key, indent=1, sort_keys=True)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if _text(self.path / "key.json") != text:
                if os.path.lexists(self.path / "key.json"):
                    _log.warning(f"run {self.path.name}: corrupted, so written again: key.json (of another run)")
                _remove(self.path / "key.json")
                write_whole(self.path / "key.json", text.encode())
        except OSError as error:
            raise ParameterError(f"LMC_RUNS: cannot store runs in '{self.path}': {error}") from error

    @contextmanager
    def lock(self, timeout: float = -1) -> Iterator[None]:
        """Lock the run, so that other processes wait; remove partial files of a crash, which also releases the lock.

        Raises:
            filelock.Timeout: another process still holds the lock after so many seconds.
        """
        if (self.path / "lock").is_dir():
            _remove(self.path / "lock")
        with filelock.FileLock(self.path / "lock", timeout=timeout):
            remove_partial_files(self.path)
            yield

    def visited(self) -> None:
        """Record the last use, for `lmc runs gc`."""
        with suppress(OSError):
            os.utime(self.path)

    def epochs(self) -> list[float]:
        """The epochs that have a file, intact or not, in order."""
        names = (_NAME.fullmatch(path.name) for path in self.path.glob("epoch_*"))
        return sorted(plain_number(float(name[1])) for name in names if name)

    def _file(self, epoch: float) -> Path:
        whole, point, fraction = np.format_float_positional(epoch, trim="-").partition(".")
        return self.path / f"epoch_{whole:0>4}{point}{fraction}.safetensors"

    def newest(self, before: float) -> float | None:
        """The last intact epoch before this one, or None."""
        earlier = reversed([epoch for epoch in self.epochs() if epoch < before])
        return next((epoch for epoch in earlier if self.fault(epoch) is None), None)

    def fault(self, epoch: float) -> str | None:
        """The reason why an epoch cannot be used, in words; None if it is intact.

        It is intact if its content is as saved, and the epochs that it was trained from are unchanged.
        """
        try:
            _, after = self._checked(epoch)
        except OSError as error:
            return str(error)
        for earlier, digest_then in after:
            with suppress(OSError):
                if self._checked(earlier)[0] != digest_then:
                    return f"it was not trained from epoch {earlier} as it is here"
        return None

    def save(self, epoch: float, state: Mapping[str, Array], after: Iterable[float] = ()) -> None:
        """Save the state after an epoch.

        Args:
            epoch: the number of epochs trained.
            state: arrays by name, a row for each network that exists; `theta` holds the parameters.
            after: earlier epochs that it was trained from; it is intact only as long as these are unchanged.

        Raises:
            provenance.DiskFull: the disk is full.
        """
        arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in state.items()}
        trained_from = [[earlier, self._checked(earlier)[0]] for earlier in sorted(set(after))]
        about: dict[str, Any] = {"run": self.path.name, "epoch": epoch, "after": trained_from}
        path = self._file(epoch)
        if path.is_dir():
            _remove(path)
        checksum = _digest(about, arrays)
        about["digest"] = checksum
        write_whole(path, *_parts(arrays, about))
        _known[_version(path)] = checksum, trained_from

    def drop(self, epoch: float) -> None:
        """Remove an epoch that need not be stored."""
        _remove(self._file(epoch))

    def rows(self, epoch: float, name: str, indices: Sequence[int]) -> Array:
        """Rows of the array with this name, one for each of these networks, after so many epochs: (rows, numbers).

        Raises:
            Corrupted: the epoch cannot be read.
        """
        with self._open(epoch) as file:
            vectors = file.get_slice(name)
            return np.stack([vectors[row] for row in indices])

    def state(self, epoch: float) -> dict[str, Array]:
        """All arrays of all networks after so many epochs, see `save`.

        Raises:
            Corrupted: the epoch cannot be read.
        """
        with self._open(epoch) as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)

    def _open(self, epoch: float) -> Any:
        try:
            self._checked(epoch)
            return safe_open(self._file(epoch), "np")
        except OSError as error:
            hint = "train the run again to repair it"
            raise Corrupted(f"run {self.path.name}, epoch {epoch}: {error}; {hint}") from error

    def _checked(self, epoch: float) -> tuple[str, list[list[Any]]]:
        """The digest of an epoch and those of the epochs it was trained from; OSError if it is corrupted."""
        path = self._file(epoch)
        try:
            version = _version(path)
        except FileNotFoundError:
            raise Corrupted("it is missing") from None
        if version not in _known:
            _known[version] = _check(path, self.path.name, epoch)
        return _known[version]


def _version(path: Path) -> tuple[Path, int, int, int]:
    """The path of a file, with metadata that change when it is rewritten."""
    status = path.stat()
    return path, status.st_ino, status.st_mtime_ns, status.st_size


def _check(path: Path, run: str, epoch: float) -> tuple[str, list[list[Any]]]:
    """Read and check a whole file; return its digest and those of the epochs that it was trained from."""
    try:
        with safe_open(path, "np") as file:
            about = json.loads((file.metadata() or {}).get(_ABOUT, "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError, ValueError) as error:
        raise Corrupted("its file cannot be read") from error
    checksum = about.pop("digest", None)
    if checksum != _digest(about, arrays):
        raise Corrupted("its content is not what was saved")
    if (about["run"], about["epoch"]) != (run, epoch):
        raise Corrupted(f"its file is that of epoch {about['epoch']} of run {about['run']}")
    return checksum, about["after"]


def _parts(arrays: Mapping[str, Array], about: Mapping[str, Any]) -> Iterator[bytes | memoryview]:
    """Yield a file in safetensors format without copying the arrays, which the library does twice."""
    header: dict[str, Any] = {"__metadata__": {_ABOUT: json.dumps(about)}}
    end = 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [end, end := end + array.nbytes]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text
    yield from (array.data for array in arrays.values())


def _digest(about: Mapping[str, Any], arrays: Mapping[str, Array]) -> str:
    return digest([about, arrays])


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _remove(path: Path) -> None:
    """Remove a file or folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
