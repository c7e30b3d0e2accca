"""A build executes changed notebooks, reports every failure, and keeps the last good book."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import killed_builds
import pytest
from filelock import FileLock
from small_project import lmc, outputs, write_book, write_notebook

from lmc_utils.publishing import build as publish
from lmc_utils.running.notebook_files import digest_in
from lmc_utils.settings import ParameterError

TOUCH = "import pathlib; p = pathlib.Path('count.txt'); p.write_text(p.read_text() + 'x' if p.exists() else 'x')"


def executions(root: Path) -> int:
    return len((root / "count.txt").read_text())


def test_only_what_changed_is_built_again(tmp_path: Path) -> None:
    write_book(tmp_path, a=TOUCH, b=TOUCH)
    first = lmc("build", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "_build" / "html" / "index.html").exists()
    assert executions(tmp_path) == 2

    start = time.monotonic()
    again = lmc("build", cwd=tmp_path)
    assert (again.returncode, executions(tmp_path)) == (0, 2)
    assert "up to date" in again.stderr
    assert time.monotonic() - start < 10  # the promise of the README; seconds here

    write_notebook(tmp_path / "notebooks" / "b.ipynb", TOUCH, "print('new')")
    assert lmc("build", cwd=tmp_path).returncode == 0
    assert executions(tmp_path) == 3
    assert "new" in (tmp_path / "_build" / "html" / "notebooks" / "b.html").read_text()

    (tmp_path / "book" / "intro.md").write_text("# Intro\n\nSee [](missing.md).\n")
    broken = lmc("build", cwd=tmp_path)
    assert broken.returncode == 1
    assert "missing.md" in broken.stderr
    assert lmc("build", cwd=tmp_path).returncode == 1  # Sphinx would not warn twice
    assert "missing" not in (tmp_path / "_build" / "html" / "intro.html").read_text()


def test_failures_are_reported_together_and_the_others_finish(tmp_path: Path) -> None:
    write_book(tmp_path, a="1 / 0", b="print('fine')", c="raise ValueError('no\\nway')")
    (tmp_path / "_build" / "html").mkdir(parents=True)
    (tmp_path / "_build" / "html" / "index.html").write_text("last good")
    built = lmc("build", cwd=tmp_path)
    assert built.returncode == 1
    assert "lmc: a: In [2]: ZeroDivisionError: division by zero" in built.stderr
    assert "lmc: c: In [2]: ValueError: no way" in built.stderr
    assert "2 of 3 notebooks failed" in built.stderr
    assert outputs(tmp_path / "book" / "notebooks" / "b.ipynb") == "fine\n"
    assert sorted(path.name for path in (tmp_path / "book" / "notebooks").iterdir()) == ["b.ipynb"]
    assert (tmp_path / "_build" / "executed" / "a.partial.ipynb").exists()
    assert (tmp_path / "_build" / "html" / "index.html").read_text() == "last good"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "terminal closed"])
def test_an_interrupted_build_leaves_no_partial_output_and_no_process(tmp_path: Path, stop: signal.Signals) -> None:
    wait = "import os, pathlib, time; pathlib.Path('pid.txt').write_text(str(os.getpid())); time.sleep(60)"
    write_book(tmp_path, a="print('fine')", b=wait)
    process = subprocess.Popen(
        [sys.executable, "-m", "lmc_utils.cli", "build"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(stop, signal.SIG_DFL),  # nohup ignores SIGHUP, and children inherit that
    )
    deadline = time.monotonic() + 60
    while not ((tmp_path / "pid.txt").exists() and (tmp_path / "book" / "notebooks" / "a.ipynb").exists()):
        assert time.monotonic() < deadline, "the notebooks did not start"
        time.sleep(0.1)
    kernel = int((tmp_path / "pid.txt").read_text())
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted; what was finished is kept" in errors
    assert not (tmp_path / "book" / "notebooks" / "b.ipynb").exists()
    deadline = time.monotonic() + 15
    while True:
        try:
            os.kill(kernel, 0)
        except ProcessLookupError:
            break
        assert time.monotonic() < deadline, "the kernel is still running"
        time.sleep(0.2)


def test_only_one_build_at_a_time(tmp_path: Path) -> None:
    write_book(tmp_path, a="1")
    (tmp_path / "_build").mkdir()
    with FileLock(tmp_path / "_build" / "lock"):
        second = lmc("build", cwd=tmp_path)
    assert second.returncode == 2
    assert second.stderr == f"lmc: another build is running in '{tmp_path}'\n"
    assert not (tmp_path / "book" / "notebooks").exists()


def test_a_build_killed_between_its_renames_has_not_lost_the_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_book(tmp_path)
    (tmp_path / "_build" / "html.old").mkdir(parents=True)
    (tmp_path / "_build" / "html.old" / "index.html").write_text("last good")
    monkeypatch.setattr(publish, "_publish", lambda *_: 1)
    assert publish.build(tmp_path) == 1
    assert (tmp_path / "_build" / "html" / "index.html").read_text() == "last good"


def test_killed_builds_leave_no_process_and_never_break_the_pages() -> None:
    row = killed_builds.at_any_instant(count=3, seed=40, good_after=3, seconds=6)
    assert row.held == row.tried == 3, row.worst


def test_a_build_removes_leftovers_of_a_killed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_book(tmp_path)
    left = ["_build/html.new/a.html", "_build/executed/a.partial.ipynb", "_build/executed/a.ipynb"]
    left += ["book/notebooks/.a.ipynb.1.partial", "book/notebooks/exercises/.a.ipynb.1.partial"]
    for path in [tmp_path / name for name in left]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(publish, "_publish", lambda *_: 0)
    assert publish.build(tmp_path) == 0
    assert not [name for name in left if (tmp_path / name).exists()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "a.ipynb", "%pip --version", "if True:\n    import yaml")


def test_the_digest_depends_on_cells_preset_and_versions(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [publish.digest_of(source, preset) for preset in ("default", "smoke")]
    monkeypatch.setattr("lmc_utils.provenance.version", lambda name: "99")
    digests.append(publish.digest_of(source, "default"))
    write_notebook(source, "2")
    digests.append(publish.digest_of(source, "default"))
    assert len(set(digests)) == 4


@pytest.mark.parametrize("content", ["", "[]", '{"nbformat": 4}', '{"cells": [1], "metadata": {}, "nbformat": 4}'])
def test_an_invalid_notebook_is_a_one_line_error(content: str, tmp_path: Path) -> None:
    write_book(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.ipynb").write_text(content)
    with pytest.raises(ParameterError, match=r"^'.*a\.ipynb' is not a Jupyter notebook: .+$"):
        publish.build(tmp_path)


def test_an_executed_notebook_needs_an_intact_stamp(source: Path, tmp_path: Path) -> None:
    assert digest_in(tmp_path / "missing.ipynb") is None
    assert digest_in(source) is None
    publish._accept(source, tmp_path / "b.ipynb", "digest")
    assert digest_in(tmp_path / "b.ipynb") == "digest"
    assert json.loads((tmp_path / "b.ipynb").read_text())["nbformat"] == 4
    (tmp_path / "b.ipynb").write_text((tmp_path / "b.ipynb").read_text()[:-20])
    assert digest_in(tmp_path / "b.ipynb") is None


def test_executed_notebooks_without_a_source_are_removed(tmp_path: Path) -> None:
    write_book(tmp_path)
    gone = write_notebook(tmp_path / "book" / "notebooks" / "gone.ipynb")
    lmc("build", cwd=tmp_path)
    assert not gone.exists()
