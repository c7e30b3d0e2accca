"""Check that an output file can be written, before the work starts."""

from __future__ import annotations

import os
from pathlib import Path

from lmc_utils.settings import ParameterError, require


def require_writable(path: Path, option: str) -> None:
    """Raise ParameterError, naming the option, unless the folder of an output file exists and is writable.

    An existing file is not changed: another file beside it is created and removed.

    >>> require_writable(Path("no/such/folder/x.html"), "html")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: html: no such folder: no/such/folder; create it first
    """
    if not path.parent.is_dir():
        raise ParameterError(f"{option}: no such folder: {path.parent}; create it first")
    require(not path.is_dir(), option, "the name of a file, not of a folder", str(path))
    probe = path.with_name(f".{path.name}.{os.getpid()}.partial")  # named as in `provenance.write_whole`
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ParameterError(f"{option}: cannot write '{path}': {error.strerror}") from error
