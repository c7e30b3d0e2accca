"""Sandboxed code can access Python, but nothing of the grader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lmc_utils.classroom import sandbox, workspace

REPORT = """
import json, os, socket, sys

def can_write(path):
    try:
        with open(path, "wb") as file:
            file.write(b"x" * 20_000_000)
        return "all"
    except OSError as error:
        return error.strerror

def can_change(path):  # without changing anything
    try:
        if path.startswith("/dev/"):
            os.chmod(path, os.stat(path).st_mode & 0o7777)
        else:
            os.close(os.open(path, os.O_WRONLY))
        return True
    except OSError:
        return False

def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        return True
    except OSError:
        return False

arguments = json.loads(sys.argv[1])
print(json.dumps({
    "seen": [path for path in arguments["paths"] if os.path.lexists(path)],
    "written": {path: can_write(path) for path in arguments["write"]},
    "changed": [path for path in arguments["change"] if can_change(path)],
    "devices": [os.write(os.open("/dev/null", os.O_WRONLY), b"x"), len(os.read(os.open("/dev/zero", os.O_RDONLY), 9))],
    "connected": can_connect(arguments["port"]),
    "processes": len([name for name in os.listdir("/proc") if name.isdecimal()]),
    "user": os.getuid(), "runs": os.listdir(os.environ["LMC_RUNS"]), "folder": os.getcwd(),
    "read": open(os.environ["LMC_RUNS"] + "/one/epoch").read(),
}))
"""


def test_sandboxed_code_cannot_see_or_reach_anything_outside(sandbox_program: str, tmp_path: Path) -> None:
    import socketserver
    import threading

    trained = tmp_path / "trained"
    (trained / "one").mkdir(parents=True)
    (trained / "one" / "epoch").write_text("networks")
    (tmp_path / "within").mkdir()
    (tmp_path / "secret").write_text("secret")
    box = workspace.make_workspace(tmp_path / "within", trained, copy_runs=False)
    neighbour = workspace.make_workspace(tmp_path / "within", trained, copy_runs=False)
    outside = [tmp_path / "secret", neighbour.folder, Path.home() / ".bashrc", Path("/etc/passwd"), box.result, trained]
    spots = ["/x", "/dev/x", "/etc/x", "/usr/x", sys.prefix + "/x", str(box.package / "x"), str(box.runs / "one" / "x")]
    system = ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/self/oom_score_adj"]
    system += [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")]
    small = ["/tmp/x", str(box.home / "x"), str(box.runs / "x")]
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told = {"paths": list(map(str, outside)), "write": spots + small, "change": system}
        told["port"] = server.server_address[1]
        command = [
            *sandbox.command_prefix(sandbox_program, box, box.messages, disk=16),
            sys.executable,
            "-c",
            REPORT,
            json.dumps(told),
        ]
        environment = dict(
            workspace.marking_job(
                box, "a", submission=b"", source=Path(__file__), limits=workspace.Limits()
            ).environment
        )
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["seen"] == []
    assert {report["written"][path] for path in spots} == {"Read-only file system"}
    assert {report["written"][path] for path in small} == {"No space left on device"}
    assert report["changed"] == []
    assert report["devices"] == [1, 9]
    assert report["connected"] is False
    assert report["processes"] <= 3
    assert report["user"] == 1000
    assert report["folder"] == str(box.home)
    assert "one" in report["runs"]
    assert report["read"] == "networks"
    assert (trained / "one" / "epoch").read_text() == "networks"
    assert list(box.runs.iterdir()) == []


def test_runs_trained_for_all_submissions_are_kept(sandbox_program: str, tmp_path: Path) -> None:
    (tmp_path / "within").mkdir()
    box = workspace.make_workspace(tmp_path / "within", tmp_path / "nothing there", copy_runs=False)
    code = "import os, pathlib; pathlib.Path(os.environ['LMC_RUNS'], 'trained').write_text('networks')"
    command = [*sandbox.command_prefix(sandbox_program, box, box.messages, disk=16), sys.executable, "-c", code]
    environment = dict(
        workspace.marking_job(box, "a", submission=b"", source=Path(__file__), limits=workspace.Limits()).environment
    )
    subprocess.run(command, env=environment, check=True)
    assert (box.runs / "trained").read_text() == "networks"


def test_sandboxed_processes_end_with_their_parent(sandbox_program: str, tmp_path: Path) -> None:
    import psutil

    (tmp_path / "within").mkdir()
    box = workspace.make_workspace(tmp_path / "within", copy_runs=False)
    daemon = "import os, time\nif os.fork() == 0: os.setsid()\nelse: print('up', flush=True)\ntime.sleep(60)"
    command = [*sandbox.command_prefix(sandbox_program, box, box.messages, disk=16), sys.executable, "-c", daemon]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 3
        process.kill()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_a_sandbox_that_leaks_files_is_not_used(sandbox_program: str) -> None:
    assert sandbox.find_program(Path(sys.prefix) / "pyvenv.cfg") is None


def test_advice_where_no_sandbox_is_available(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sandbox.find_program() is None
    assert sandbox.install_advice() == "grade on Linux with bubblewrap, in a container or on a separate machine"
    (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    assert sandbox.find_program() is None
