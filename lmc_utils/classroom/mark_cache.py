"""A cache of marks by their dependencies, signed, so that a submission cannot forge entries.

The signature is an HMAC. Its key is a file in the same folder, which is invisible in the sandbox.
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

_SECRET_BYTES = 32


def get(folder: Path, key: str) -> Marks | None:
    """The cached marks for a key, if there are any with a valid signature."""
    try:
        entry = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        executed = (folder / f"{key}.ipynb").read_bytes()
        if hmac.compare_digest(entry["seal"], _seal(folder, key, entry["marks"], executed)):
            return Marks(**entry["marks"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        pass
    return None


def put(folder: Path, key: str, marks: Marks, executed: bytes) -> None:
    """Cache marks and the executed notebook."""
    values = asdict(marks)
    write_whole(folder / f"{key}.ipynb", executed)
    entry = {"marks": values, "seal": _seal(folder, key, values, executed)}
    write_whole(folder / f"{key}.json", json.dumps(entry).encode())


def drop(folder: Path, key: str) -> None:
    """Remove the entry of a key."""
    for suffix in (".json", ".ipynb"):
        (folder / f"{key}{suffix}").unlink(missing_ok=True)


def _seal(folder: Path, key: str, marks: object, executed: bytes) -> str:
    content = json.dumps([key, marks, hashlib.sha256(executed).hexdigest()], sort_keys=True)
    return hmac.new(_secret(folder), content.encode(), hashlib.sha256).hexdigest()


def _secret(folder: Path) -> bytes:
    path = folder / "secret"
    with suppress(FileExistsError), os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_SECRET_BYTES))
    secret = path.read_bytes()
    if len(secret) < _SECRET_BYTES:  # writing it was interrupted
        path.unlink()
        return _secret(folder)
    return secret
