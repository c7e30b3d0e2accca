"""A watched command and all its descendants end with its parent, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lmc_utils.running import watchdog

SOON = 5.0  # seconds; a few tenths on a machine with nothing else to do
FAMILY = """
import os, subprocess, sys, time
session = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
orphan = "import os, time; os.fork() and os._exit(0); os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for code in (session, orphan)]
pids = [child.stdout.readline().decode().strip() for child in children]
children[1].wait()
open("pids.new", "w").write(" ".join([str(os.getpid()), *pids]))
os.rename("pids.new", "pids")
"""
PARENT = """
import sys, time
from lmc_utils.running import watchdog
process = watchdog.start(sys.argv[1:])
print(process.pid, flush=True)
time.sleep(600)
"""


def lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def until(path: Path) -> list[int]:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, "it did not start"
        time.sleep(0.02)
    return [int(word) for word in path.read_text().split()]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def gone(pids: list[int], within: float = SOON) -> bool:
    deadline = time.monotonic() + within
    while any(map(lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(lives, pids))


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9), ("kill -15 $$", -15)])
def test_the_exit_status_is_passed_on(script: str, status: int, temporary: Path) -> None:
    with watchdog.start(["sh", "-c", script]) as process:
        assert process.wait(SOON) == status
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("readable", [True, False], ids=["readable PATH", "unreadable folder on PATH"])
def test_a_missing_command_is_a_one_line_error(readable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    tmp_path.chmod(0o700 if readable else 0)  # root may read it all the same
    with watchdog.start(["no-such-command"], stderr=subprocess.PIPE) as process:
        assert process.stderr
        assert process.stderr.read() == b"lmc: no such command: no-such-command\n"
    assert process.returncode == 1
    tmp_path.chmod(0o700)


def test_a_command_has_its_own_process_group_and_temporary_folder(temporary: Path) -> None:
    script = "cat; ps=$(python3 -c 'import os; print(os.getpgid(0))'); echo $ps $TMPDIR; mkdir $TMPDIR/x"
    with watchdog.start(["sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout
        group, folder = process.stdout.read().decode().split()
        assert int(group) == process.pid
        assert Path(folder).parent == temporary
    assert not list(temporary.iterdir())


def test_all_descendants_end_with_a_killed_parent(tmp_path: Path, temporary: Path) -> None:
    """Including processes with their own session, such as kernels, and orphans."""
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", f"{FAMILY}time.sleep(600)"]
    parent = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE)
    assert parent.stdout
    with parent.stdout as said:
        dog = int(said.readline())
    family = until(tmp_path / "pids")
    assert all(map(lives, [dog, *family]))
    parent.kill()
    parent.wait()
    assert gone([dog, *family])
    assert not list(temporary.iterdir())


def test_leftover_processes_end_with_their_command(tmp_path: Path) -> None:
    with watchdog.start([sys.executable, "-c", FAMILY], cwd=tmp_path) as process:
        assert process.wait(60) == 0
        assert gone(until(tmp_path / "pids"), within=0)


def test_end_kills_all_descendants(tmp_path: Path) -> None:
    process = watchdog.start([sys.executable, "-c", f"{FAMILY}time.sleep(600)"], cwd=tmp_path)
    family = until(tmp_path / "pids")
    watchdog.end([process])
    assert process.returncode == -signal.SIGKILL
    assert gone(family, within=0)


def test_sigterm_is_passed_to_the_command(tmp_path: Path) -> None:
    """The watchdog waits while the command shuts down."""
    script = "trap 'sleep 0.3; echo well; exit 7' TERM; touch ready; while true; do sleep 0.05; done"
    with watchdog.start(["sh", "-c", script], stdout=subprocess.PIPE, cwd=tmp_path) as process:
        until(tmp_path / "ready")
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(SOON) == 7
        assert process.stdout
        assert process.stdout.read() == b"well\n"
