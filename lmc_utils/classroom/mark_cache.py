"""Marks that are kept, each under a name that says what it depends on, and sealed, so that nobody can slip in others.

The seal is a keyed digest. Its secret lies beside them, where no submission behind the wall can read it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from lmc_utils.classroom.submission_marks import Marks
from lmc_utils.provenance import write_whole

_BYTES = 32  # of the secret


def get(folder: Path, key: str) -> Marks | None:
    """The marks that were kept under a name, if there are any and their seal is right."""
    try:
        kept = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        executed = (folder / f"{key}.ipynb").read_bytes()
        if hmac.compare_digest(kept["seal"], _seal(folder, key, kept["marks"], executed)):
            return Marks(**kept["marks"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        pass
    return None


def put(folder: Path, key: str, marks: Marks, executed: bytes) -> None:
    """Keep marks, and the notebook as it was executed."""
    said = asdict(marks)
    write_whole(folder / f"{key}.ipynb", executed)
    write_whole(
        folder / f"{key}.json", json.dumps({"marks": said, "seal": _seal(folder, key, said, executed)}).encode()
    )


def drop(folder: Path, key: str) -> None:
    """Keep nothing under a name."""
    for suffix in (".json", ".ipynb"):
        (folder / f"{key}{suffix}").unlink(missing_ok=True)


def _seal(folder: Path, key: str, marks: object, executed: bytes) -> str:
    content = json.dumps([key, marks, hashlib.sha256(executed).hexdigest()], sort_keys=True)
    return hmac.new(_secret(folder), content.encode(), hashlib.sha256).hexdigest()


def _secret(folder: Path) -> bytes:
    path = folder / "secret"
    with suppress(FileExistsError), os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_BYTES))
    found = path.read_bytes()
    if len(found) < _BYTES:  # its writing was cut short
        path.unlink()
        return _secret(folder)
    return found
