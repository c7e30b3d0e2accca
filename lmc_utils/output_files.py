"""Make the folder of an output and check that it can be written, before the work starts."""

from __future__ import annotations

import os
from pathlib import Path

from lmc_utils.settings import ParameterError, require

__all__ = ["require_writable", "require_writable_folder"]


def require_writable(path: Path, option: str, suffix: str = "") -> None:
    """Make the folder of an output file; raise ParameterError, naming the option, if the file cannot be written.

    An existing file is not changed: another file beside it is created and removed.

    Args:
        path: the output file.
        option: its option, for messages.
        suffix: the required ending of its name, in any case; by default any.

    >>> require_writable(Path("report.pdf"), "html", ".html")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: html must be a file name ending in .html (got 'report.pdf')
    """
    require(path.suffix.lower().endswith(suffix), option, f"a file name ending in {suffix}", str(path))
    require(not path.is_dir(), option, "a file, not a folder", str(path))
    _probe(path, option, path)


def require_writable_folder(folder: Path, option: str) -> None:
    """Make an output folder; raise ParameterError, naming the option, if nothing can be written to it."""
    require(folder.is_dir() or not folder.exists(), option, "a folder, not a file", str(folder))
    _probe(folder / "probe", option, folder)


def _probe(path: Path, option: str, named: Path) -> None:
    """Make the folder of a file, then create and remove another file of a similar name in it."""
    probe = path.with_name(f".{path.name}.{os.getpid()}.partial")  # named as in `provenance.write_whole`
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ParameterError(f"{option}: cannot write '{named}': {error.strerror or error}") from error
