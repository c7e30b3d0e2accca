"""Cached marks are returned; forged ones are not."""

from __future__ import annotations

import json
from pathlib import Path

from lmc_utils.classroom import mark_cache
from lmc_utils.classroom.submission_marks import Marks

MARKS = Marks({"toy-1": 1.0}, {"toy-1": 1.0, "toy-2": 2.0}, ["toy-2: Not answered yet."])


def test_stored_marks_are_read_back(tmp_path: Path) -> None:
    assert mark_cache.get(tmp_path, "key") is None
    mark_cache.put(tmp_path, "key", MARKS, b"executed")
    assert mark_cache.get(tmp_path, "key") == MARKS
    assert (tmp_path / "key.ipynb").read_bytes() == b"executed"
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    mark_cache.drop(tmp_path, "key")
    assert mark_cache.get(tmp_path, "key") is None


def test_altered_marks_are_ignored(tmp_path: Path) -> None:
    mark_cache.put(tmp_path, "key", MARKS, b"executed")
    sealed = (tmp_path / "key.json").read_text()
    kept = json.loads(sealed)
    kept["marks"]["points"]["toy-2"] = 2.0
    for content in (json.dumps(kept), "", "[]", "{}", "[" * 100_000, sealed.replace("seal", "sael")):
        (tmp_path / "key.json").write_text(content)
        assert mark_cache.get(tmp_path, "key") is None
    (tmp_path / "key.json").write_text(sealed)
    assert mark_cache.get(tmp_path, "key") == MARKS
    (tmp_path / "key.ipynb").write_bytes(b"something else")
    assert mark_cache.get(tmp_path, "key") is None


def test_marks_of_another_submission_are_ignored(tmp_path: Path) -> None:
    mark_cache.put(tmp_path, "mine", MARKS, b"executed")
    for suffix in (".json", ".ipynb"):
        (tmp_path / f"yours{suffix}").write_bytes((tmp_path / f"mine{suffix}").read_bytes())
    assert mark_cache.get(tmp_path, "yours") is None


def test_marks_sealed_with_another_secret_are_ignored(tmp_path: Path) -> None:
    mark_cache.put(tmp_path, "key", MARKS, b"executed")
    (tmp_path / "secret").write_bytes(bytes(32))
    assert mark_cache.get(tmp_path, "key") is None
    (tmp_path / "secret").write_bytes(b"")  # killed while it was written
    assert mark_cache.get(tmp_path, "key") is None
