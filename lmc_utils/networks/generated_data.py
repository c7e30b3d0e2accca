"""Disk cache for generated data, in a file beside the trained runs."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lmc_utils.provenance import digest, runs_folder, versions, write_whole

Array = np.ndarray[Any, Any]


def cached_arrays(name: str, libraries: Sequence[str], make: Callable[[], Mapping[str, Array]]) -> dict[str, Array]:
    """Generate arrays once, then read them from their file unless it is missing or corrupted.

    Args:
        name: name of the data.
        libraries: libraries used; the data are regenerated if their versions, or that of Python, change.
        make: makes the arrays, deterministically.

    >>> import os, tempfile, unittest.mock
    >>> with unittest.mock.patch.dict(os.environ, LMC_RUNS=tempfile.mkdtemp()):
    ...     made = cached_arrays("x", ["numpy"], lambda: {"x": np.ones(2)})
    ...     read = cached_arrays("x", ["numpy"], lambda: 1 / 0)
    >>> made["x"], read["x"]
    (array([1., 1.]), array([1., 1.]))
    """
    made_by = versions(libraries) | {"python": platform.python_version()}
    path = runs_folder() / "generated" / f"{name}_{digest(made_by)[:16]}.safetensors"
    with suppress(OSError, SafetensorError, ValueError):
        return _read(path)
    arrays = {key: np.ascontiguousarray(array) for key, array in make().items()}
    with suppress(OSError):  # if it cannot be stored it is generated again
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, save(arrays, {"digest": digest(arrays)}))
    return arrays


def _read(path: Path) -> dict[str, Array]:
    """Read the arrays of a file; ValueError if they differ from those that were written."""
    with safe_open(path, "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        written = (file.metadata() or {}).get("digest")
    if written != digest(arrays):
        raise ValueError("its content is not what was written")
    return arrays
