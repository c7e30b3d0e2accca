"""A sandbox provides everything that a submission needs, and hides the grader and other submissions."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lmc_utils.classroom import workspace
from lmc_utils.classroom.workspace import Limits, temporary_folder

REPORT = """
import json, os, tempfile, lmc_utils
from lmc_utils.forking import runs_folder
print(json.dumps({
    "package": lmc_utils.__file__, "runs": str(runs_folder()), "home": os.path.expanduser("~"),
    "tmp": tempfile.gettempdir(), "variables": sorted(os.environ),
}))
"""


def seen(box: workspace.Workspace, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "s.ipynb").write_text("{}")
    job = workspace.marking_job(box, "ann", submission=b"{}", source=tmp_path / "s.ipynb", limits=Limits())
    done = subprocess.run(
        [sys.executable, "-c", REPORT], cwd=job.folder, env=dict(job.environment), capture_output=True, check=True
    )
    report: dict[str, str] = json.loads(done.stdout)
    return report


def test_each_submission_has_its_own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("SSH_AUTH_SOCK", "x")
    monkeypatch.setenv("JUPYTER_PATH", "x")
    monkeypatch.setenv("HARMLESS", "x")
    (tmp_path / "within").mkdir()
    box = workspace.make_workspace(tmp_path / "within")
    report = seen(box, tmp_path)
    for name in ("package", "runs", "home", "tmp"):
        assert report[name].startswith(str(box.folder)), name
    secrets = {"GITHUB_TOKEN", "AWS_ACCESS_KEY_ID", "SSH_AUTH_SOCK", "JUPYTER_PATH", "HARMLESS"}
    assert not secrets & set(report["variables"]), "only those that are known to be needed are passed on"


def test_trained_networks_are_copied_not_shared(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (runs / "one").mkdir(parents=True)
    (runs / "one" / "epoch.npy").write_text("trained")
    (tmp_path / "within").mkdir()
    first, second = (workspace.make_workspace(tmp_path / "within", runs) for _ in range(2))
    (first.runs / "one" / "epoch.npy").write_text("spoilt")
    assert (second.runs / "one" / "epoch.npy").read_text() == "trained"
    assert (runs / "one" / "epoch.npy").read_text() == "trained"
    assert first.folder != second.folder


def test_a_job_has_a_total_time_limit(tmp_path: Path) -> None:
    (tmp_path / "s.ipynb").write_text('{"cells": [{"cell_type": "code"}, {"cell_type": "code"}]}')
    (tmp_path / "within").mkdir()
    box = workspace.make_workspace(tmp_path / "within")
    submission = b'{"cells": [{"cell_type": "code"}]}'
    job = workspace.marking_job(
        box, "a", submission=submission, source=tmp_path / "s.ipynb", limits=Limits(cell_seconds=7)
    )
    assert job.limit is not None
    assert job.limit > 2 * 3 * 7, "each cell may cost its limit once, and some of them a start of the kernel"


def test_workspaces_have_short_paths_even_if_the_temporary_folder_has_a_long_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = temporary_folder()
    assert len(str(folder)) < 100
    folder.rmdir()
