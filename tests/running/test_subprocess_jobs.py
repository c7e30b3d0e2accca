"""Jobs run in parallel, are stopped at their limit, and leave no processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from lmc_utils.running import subprocess_jobs, watchdog

QUIET = Console(quiet=True)


def job(folder: Path, name: str, script: str, limit: float | None = None) -> subprocess_jobs.Job:
    return subprocess_jobs.Job(
        name, [sys.executable, "-c", script], folder / f"{name}.log", folder, dict(os.environ), limit
    )


def test_each_job_returns_its_status_and_output(tmp_path: Path) -> None:
    todo = [job(tmp_path, "fine", "print('well')"), job(tmp_path, "bad", "print('lmc: no'); print('x'); exit(3)")]
    statuses = {
        done.name: status for done, status in subprocess_jobs.run(todo, total=2, at_once=1, console=QUIET, unit="jobs")
    }
    assert statuses == {"fine": 0, "bad": 3}
    assert [subprocess_jobs.last_line(done.log) for done in todo] == ["well", "no"]


def test_the_number_of_simultaneous_jobs_is_limited(tmp_path: Path) -> None:
    asked: list[int] = []
    finished: list[str] = []

    def todo() -> Iterator[subprocess_jobs.Job]:
        for number in range(4):
            asked.append(number)
            yield job(tmp_path, str(number), "import time; time.sleep(0.2)")

    for done, _ in subprocess_jobs.run(todo(), total=4, at_once=2, console=QUIET, unit="jobs"):
        finished.append(done.name)
        assert len(asked) - len(finished) <= 1, "one is still running"
    assert sorted(finished) == ["0", "1", "2", "3"]


def test_a_job_over_its_limit_is_stopped(tmp_path: Path) -> None:
    start = time.monotonic()
    (found,) = subprocess_jobs.run(
        [job(tmp_path, "endless", "while True: pass", limit=0.5)], total=1, at_once=1, console=QUIET, unit="jobs"
    )
    assert found[1] is None
    assert time.monotonic() - start < 10


def test_closing_the_iterator_stops_the_remaining_jobs(tmp_path: Path) -> None:
    script = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    todo = [job(tmp_path, "long", script), job(tmp_path, "short", "import time; time.sleep(1)")]
    with closing(subprocess_jobs.run(todo, total=2, at_once=2, console=QUIET, unit="jobs")) as finished:
        assert next(finished)[0].name == "short"
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_jobs_that_ignore_signals_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess_jobs, "_GRACE", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = watchdog.start([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    subprocess_jobs.stop([process])
    assert process.returncode == -signal.SIGKILL


def test_cores_are_divided_among_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert [
        subprocess_jobs.cores_per_job(2, 10),
        subprocess_jobs.cores_per_job(4, 1),
        subprocess_jobs.cores_per_job(16, 99),
        subprocess_jobs.cores_per_job(2, 0),
    ] == [
        4,
        8,
        1,
        8,
    ]
