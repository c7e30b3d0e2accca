"""Different values have different digests, and files are written atomically."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lmc_utils import provenance


def test_a_digest_depends_on_content_and_order() -> None:
    values = [[1, 2], [2, 1], "1", 1, b"1", {"a": 1}, {"a": "1"}, [b"12", b""], [b"1", b"2"], None]
    assert len({provenance.digest(value) for value in values}) == len(values)


def test_an_interrupted_write_leaves_the_existing_file_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"before")

    def stopped(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        provenance.write_whole(target, b"half")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"before"}


def test_provenance_imports_neither_numpy_nor_torch() -> None:
    code = "import json, sys, lmc_utils.provenance; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"numpy", "torch", "xarray", "IPython"}


def test_the_environment_variable_sets_the_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    assert provenance.runs_folder() == tmp_path
