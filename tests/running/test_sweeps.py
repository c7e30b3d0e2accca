"""Sweeps on Dask execute every point once and lose none, whichever process is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import killed_sweeps
import psutil
import pytest
import xarray as xr
from small_project import lmc, write_notebook

from lmc_utils import provenance
from lmc_utils.running import clusters, recorded_numbers, sweep_grid, sweep_tables, sweeps
from lmc_utils.running.notebooks import ExecutionError, Notebook
from lmc_utils.settings import ParameterError

SOURCE = """import os, time
from pathlib import Path
from lmc_utils.running import record
with open(Path(word) / "log", "a") as log:
    print(count, file=log)
time.sleep(rate)
record(square=count**2, third=1 / (count - 100))"""

pytestmark = pytest.mark.xdist_group("sweeps")


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    return Notebook(write_notebook(tmp_path / "one.ipynb", SOURCE))


def wanted(folder: Path, counts: range, rate: float = 0.1) -> list[sweep_grid.Point]:
    return [{"count": count, "rate": rate, "word": str(folder)} for count in counts]


def executed(folder: Path) -> list[int]:
    log = folder / "log"
    return sorted(map(int, log.read_text().split())) if log.exists() else []


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler on loopback, and its process and those of two workers."""
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([*command, "--no-dashboard", "--scheduler-file", str(file)], **quiet)]  # type: ignore[call-overload]
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1"]
    for number in range(2):
        there = tmp_path / f"worker {number}"
        there.mkdir()
        options = ["--no-nanny", "--no-dashboard", "--local-directory", str(there)]
        started.append(subprocess.Popen([*worker, *options], **quiet))  # type: ignore[call-overload]
    import json

    yield json.loads(file.read_text())["address"], started
    for process in started:
        process.kill()
        process.wait()


def test_each_point_is_executed_once(notebook: Notebook, tmp_path: Path) -> None:
    found = sweeps.sweep(notebook, wanted(tmp_path, range(2)), out=tmp_path / "out")
    assert found.square.squeeze().values.tolist() == [0.0, 1.0]
    more = sweeps.sweep(notebook, wanted(tmp_path, range(3)), out=tmp_path / "out")
    assert more.square.squeeze().values.tolist() == [0.0, 1.0, 4.0]
    assert executed(tmp_path) == [0, 1, 2]
    assert (tmp_path / "out" / "results.csv").read_text().splitlines()[1].split(",")[1:] == [
        *("0", "0.1", str(tmp_path), "0.0", "-0.01"),
    ]


def test_a_failed_point_is_retried_once_and_the_others_continue(notebook: Notebook, tmp_path: Path) -> None:
    points = wanted(tmp_path, range(99, 102))
    with pytest.raises(ExecutionError, match=r"1 of 3 points failed: .*ZeroDivisionError.*count=100"):
        sweeps.sweep(notebook, points, out=tmp_path / "out")
    assert executed(tmp_path) == [99, 100, 100, 101]
    name = sweep_grid.point_name(points[1])
    assert (tmp_path / "out" / "points" / f"{name}.partial.ipynb").exists()
    assert not (tmp_path / "out" / "points" / f"{name}.ipynb").exists()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An editable copy of the package, which all processes import."""
    package = shutil.copytree(provenance.PACKAGE, tmp_path / "checkout" / provenance.PACKAGE.name)
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "CHECKOUT", package.parent)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return package


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


MEASURING = """from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.running import record
open(f"{word}/log", "a").write(f"{count}\\n")
record(below=count * STABLE_BELOW)"""


def test_changed_code_executes_points_again_and_never_mixes_old_and_new(
    checkout: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    measuring = Notebook(write_notebook(tmp_path / "one.ipynb", MEASURING))

    def below(counts: range) -> list[float]:
        caplog.clear()
        return list(sweeps.sweep(measuring, wanted(tmp_path, counts), client, out=tmp_path / "out").below.values.flat)

    def said() -> list[str]:
        return [record.message for record in caplog.records if record.name == sweeps.__name__]

    with clusters.local_cluster(1) as client:
        assert below(range(1, 3)) == [2.0, 4.0]
        edit(checkout / "measure" / "barriers.py", '"""', '"""Another docstring. ')
        edit(checkout / "publishing" / "pdf.py", "\n\n\ndef", "\n\nADDED = 1\n\n\ndef")
        assert below(range(1, 3)) == [2.0, 4.0]
        assert executed(tmp_path) == [1, 2]
        assert said() == []
        edit(checkout / "measure" / "barriers.py", "STABLE_BELOW = 2.0", "STABLE_BELOW = 3.0")
        table = sweep_tables.gather(measuring, wanted(tmp_path, range(1, 3)), tmp_path / "out")
        assert table.missing == 2, "old points are in no table of the new code"
        assert below(range(1, 2)) == [3.0]
        assert said() == [f"1 of 1 points are executed again: {sweeps._CHANGED}"]
        assert below(range(1, 4)) == [3.0, 6.0, 9.0]
        assert said() == [f"1 of 3 points are executed again: {sweeps._CHANGED}"]
        assert executed(tmp_path) == [1, 1, 2, 2, 3]


def test_code_that_changes_during_a_sweep_ends_it(checkout: Path, tmp_path: Path) -> None:
    measuring = Notebook(write_notebook(tmp_path / "one.ipynb", MEASURING))
    with clusters.local_cluster(1) as client:
        running = sweeps.steps(measuring, wanted(tmp_path, range(4)), client, out=tmp_path / "out")
        assert [next(running).done, next(running).done] == [0, 1]
        edit(checkout / "measure" / "barriers.py", "STABLE_BELOW = 2.0", "STABLE_BELOW = 3.0")
        with pytest.raises(ExecutionError, match=r"^code that the notebook uses has changed.* during the sweep"):
            list(running)
    assert len(list((tmp_path / "out" / "points").glob("*.ipynb"))) == 1


HARMFUL = """import os, resource, signal, time
from lmc_utils.running import record
if word == "never ends":
    time.sleep(600)
if word == "takes all memory":
    resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
    taken = bytearray(2**33)
if word == "killed, as by a system without memory":
    os.kill(os.getpid(), signal.SIGKILL)
record(square=count**2)"""


def test_endless_and_out_of_memory_points_are_one_line_errors(tmp_path: Path) -> None:
    words = ["never ends", "takes all memory", "killed, as by a system without memory", "good"]
    harmful = Notebook(write_notebook(tmp_path / "one.ipynb", HARMFUL))
    points = [{"word": word} for word in words]
    with clusters.local_cluster(2) as client:
        *_, report = sweeps.steps(harmful, points, client, out=tmp_path / "out", timeout=6)
    assert (report.done, len(report.failed)) == (1, 3)
    said = [report.failed[sweep_grid.point_name(point)] for point in points[:3]]
    for line, why, word in zip(said, ("after 6 seconds", "MemoryError", "died"), words, strict=False):
        assert why in line
        assert word in line
        assert "\n" not in line
    assert recorded_numbers.read(tmp_path / "out" / "points" / f"{sweep_grid.point_name(points[3])}.ipynb") == {
        "square": 9.0
    }


def test_an_interrupt_is_a_one_line_message(notebook: Notebook, tmp_path: Path) -> None:
    given = ["--grid", "count=0:20", "--grid", f"word={tmp_path}", "--grid", "rate=0.1", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "lmc_utils.cli", "sweep", str(notebook.path), *given]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "out" / "points").glob("*.ipynb")) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all that it has started
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.strip().splitlines()[-1] == "lmc: interrupted; what was finished is kept"
    assert 1 <= len(list((tmp_path / "out" / "points").glob("*.ipynb"))) < 20


def test_a_killed_sweep_resumes_and_ends_with_the_same_table() -> None:
    for row in killed_sweeps.attack(1, seed=0):
        assert (row.held, row.worst) == (row.tried, "")


def test_a_killed_worker_loses_no_point(
    notebook: Notebook, tmp_path: Path, scheduler: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, (_, first, _) = scheduler
    points = wanted(tmp_path, range(5), rate=0.5)
    with clusters.connect_to_scheduler(address) as client:
        client.wait_for_workers(2, timeout=60)
        for report in sweeps.steps(notebook, points, client, out=tmp_path / "out"):
            if report.done == 2:
                first.send_signal(signal.SIGKILL)
    assert (report.done, report.failed) == (5, {})
    got = [
        recorded_numbers.read(tmp_path / "out" / "points" / f"{sweep_grid.point_name(point)}.ipynb") for point in points
    ]
    assert [each["square"] for each in got] == [count**2 for count in range(5)]
    assert [each["third"] for each in got] == [1 / (count - 100) for count in range(5)], "to the bit"
    assert len(list((tmp_path / "out" / "points").iterdir())) == 5
    assert 5 <= len(executed(tmp_path)) <= 6, "only what the killed worker was at was begun again"
    deadline = time.monotonic() + 30
    while alive := [each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(each.info["cmdline"])]:
        if time.monotonic() > deadline or all("dask" in str(each.info["cmdline"]) for each in alive):
            break
        time.sleep(0.2)
    assert all("dask" in str(each.info["cmdline"]) for each in alive), "no process of a point is left"


def test_a_killed_scheduler_is_a_one_line_error_and_loses_no_point(
    notebook: Notebook, tmp_path: Path, scheduler: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, (process, *_) = scheduler
    points = wanted(tmp_path, range(5), rate=0.3)

    def go_on_until_it_is_killed() -> None:
        with clusters.connect_to_scheduler(address) as client:
            client.wait_for_workers(2, timeout=60)
            for report in sweeps.steps(notebook, points, client, out=tmp_path / "out"):
                if report.done == 2:
                    process.send_signal(signal.SIGKILL)

    with pytest.raises(ExecutionError, match="the scheduler has gone"):
        go_on_until_it_is_killed()
    before = len(list((tmp_path / "out" / "points").glob("*.ipynb")))
    assert before >= 2
    found = sweeps.sweep(notebook, points, out=tmp_path / "out")
    assert found.square.squeeze().values.tolist() == [count**2 for count in range(5)]


def test_an_unreachable_scheduler_is_a_quick_one_line_error(tmp_path: Path) -> None:
    since = time.monotonic()
    with (
        pytest.raises(ParameterError, match=r"^no scheduler answers at "),
        clusters.connect_to_scheduler("tcp://127.0.0.1:9"),
    ):
        pass
    assert time.monotonic() - since < 15  # includes importing Dask; the bound is for its waiting


def test_a_folder_belongs_to_one_notebook(notebook: Notebook, tmp_path: Path) -> None:
    sweeps.points_folder(notebook, tmp_path / "out")
    other = Notebook(write_notebook(tmp_path / "two.ipynb", "1"))
    with pytest.raises(ParameterError, match=r"holds a sweep of 'one', not of 'two'; choose another folder"):
        sweeps.points_folder(other, tmp_path / "out")


def test_lmc_sweep(notebook: Notebook, tmp_path: Path) -> None:
    given = ["--grid", "count=3:5", "--grid", f"word={tmp_path}", "--grid", "rate=0.1", "--out", "out"]
    drawn = ["--html", "page.html", "--show", "square"]
    done = lmc("sweep", notebook.path, *given, *drawn, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 points done, 0 reused" in done.stdout
    assert "<img src=" in (tmp_path / "page.html").read_text()
    again = lmc("sweep", notebook.path, *given, cwd=tmp_path)
    assert "2 of 2 points done, 2 reused" in again.stdout
    table = xr.load_dataset(tmp_path / "out" / "results.nc", engine="scipy")
    assert table.attrs["command"].startswith(f"lmc sweep {notebook.path} --grid count=3:5")
    assert "torch" in table.attrs["versions"]
    assert {"commit", "machine", "date", "wall_time"} <= set(table.attrs)
    failing = lmc("sweep", notebook.path, *[word.replace("3:5", "4,100") for word in given], cwd=tmp_path)
    assert failing.returncode == 1
    assert "ZeroDivisionError" in failing.stderr
    assert "1 of 2 points done, 1 reused" in failing.stdout
    wrong = lmc("sweep", notebook.path, "--grid", "cuont=1", "--out", "x", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "x").exists()
