"""Provenance of results: digests, versions, commit and machine; atomic writing of files."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from lmc_utils import resources

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent  # if the package is used from a clone
version = cache(metadata.version)  # each call reads a file

_PARTIAL = ".partial"
SUFFIXES = (".py", ".js", ".css", ".html")


class DiskFull(OSError):
    """A file did not fit on its disk; the message is one line."""


def package_files(*kinds: str) -> dict[str, Path]:
    """The files of this package by their relative paths, sorted.

    Args:
        kinds: file suffixes; by default those of code, scripts, style sheets and pages.

    >>> "measure/lines.py" in package_files(".py"), "widgets/static/line_explorer.js" in package_files(".py")
    (True, False)
    """
    wanted = kinds or SUFFIXES
    result = (path for path in PACKAGE.rglob("*") if path.suffix in wanted and "__pycache__" not in path.parts)
    return dict(sorted((path.relative_to(PACKAGE).as_posix(), path) for path in result))


def digest(value: Any) -> str:
    """Digest of a value as 32 hexadecimal digits.

    Args:
        value: JSON values, bytes, contiguous arrays, and paths, whose content is digested, in lists, tuples and
            mappings; the order of a mapping's keys does not matter.

    >>> digest({"a": 1, "b": [b"2"]}) == digest({"b": [b"2"], "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_content).encode()).hexdigest()[:32]


def _content(value: Any) -> list[Any]:
    if hasattr(value, "dtype"):
        return [str(value.dtype), value.shape, value.data]
    return ["content", hashlib.sha256(value.read_bytes() if isinstance(value, Path) else value).hexdigest()]


def write_whole(path: Path, *content: bytes | memoryview) -> None:
    """Write a file atomically: it appears with all of its content or not at all, even after a power failure.

    Raises:
        OSError: the disk is full, or the file cannot be written.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a"
    >>> write_whole(target, b"all of it")
    >>> target.read_bytes()
    b'all of it'
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{_PARTIAL}")
    try:
        with partial.open("wb") as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        partial.unlink(missing_ok=True)
        need, free = (
            resources.format_bytes(sum(memoryview(part).nbytes for part in content)),
            resources.format_bytes(shutil.disk_usage(path.parent).free),
        )
        line = f"the disk is full: '{path.name}' takes {need}, and '{path.parent}' has {free} left"
        raise DiskFull(line) from error
    finally:
        partial.unlink(missing_ok=True)


def runs_folder() -> Path:
    """The folder of cached runs: $LMC_RUNS, else `_runs` in the checkout, else the user's cache folder."""
    if chosen := os.environ.get("LMC_RUNS"):
        return Path(chosen).expanduser()
    in_clone = (CHECKOUT / "pyproject.toml").exists()
    return CHECKOUT / "_runs" if in_clone else user_cache_path("lmc_utils") / "runs"


def remove_partial_files(folder: Path) -> None:
    """Remove partial files that a killed process left in `write_whole`; call it while no other process writes there."""
    for partial in folder.glob(f".*{_PARTIAL}"):
        partial.unlink(missing_ok=True)


def versions(modules: Iterable[str]) -> dict[str, str]:
    """The installed versions of the distributions of these modules.

    Args:
        modules: names of modules; those of Python itself, and uninstalled ones, are skipped.

    >>> list(versions(["yaml", "json"]))
    ['PyYAML']
    """
    tops = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    names = {each for top in tops for each in _distributions().get(top, ())}
    return {name: version(name) for name in sorted(names)}


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def run_environment() -> dict[str, str]:
    """The current commit, versions and machine, one line each.

    Returns:
        `commit`, which ends in "-dirty" if files differ from it and is "unknown" outside a clone; `versions` of the
        main libraries; `machine`: its cores, its type, and the limit of threads, if one is set.

    >>> sorted(run_environment())
    ['commit', 'machine', 'versions']
    """
    used = {"python": platform.python_version()} | versions(["torch", "numpy", "xarray"])
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "commit": _commit() or "unknown",
        "versions": ", ".join(f"{library} {version}" for library, version in used.items()),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, threads: {threads or 'as many as cores'}",
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    except OSError:  # git is not available
        return ""
    return done.stdout.strip()
