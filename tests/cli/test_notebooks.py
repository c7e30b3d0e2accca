"""`lmc list`, `run`, `results` and `compare`: parameters in, numbers, tables and pages out."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_project import lmc, outputs, write_book, write_notebook

ROOT = Path(__file__).parent.parent.parent
CELL = """from lmc_utils.running import record
record(barrier={"fork_0": 4.0 * rate, f"fork_{count}": 2.0}, width=64)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compared")
    write_book(root, one=CELL)
    for name, rate in (("slow", "0.5"), ("fast", "1.5")):
        done = lmc(
            "run", "one", "-p", "rate", rate, "-p", "count", rate[0].replace("0", "8"), "-o", f"{name}.ipynb", cwd=root
        )
        assert done.returncode == 0, done.stderr
    return root


def test_compare_shows_differing_parameters_and_all_numbers(folder: Path) -> None:
    done = lmc("compare", "slow.ipynb", "fast.ipynb", "--html", "page.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["rate", "0.5", "1.5"] in lines
    assert ["barrier_fork_0", "2", "6", "4"] in lines
    assert ["barrier_fork_1", "–", "2", "–"] in lines
    page = (folder / "page.html").read_text()
    assert page.count("<img ") == 1
    assert "<td>barrier_fork_0</td><td>2</td><td>6</td><td>4</td>" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_compare_writes_json_and_csv(folder: Path) -> None:
    told = json.loads(lmc("compare", "slow.ipynb", "fast.ipynb", "--json", cwd=folder).stdout)
    assert told["differences"]["barrier_fork_0"] == {"fast": 4.0}
    done = lmc("compare", "slow.ipynb", "fast.ipynb", "--csv", "made/numbers.csv", cwd=folder)
    assert done.stderr == "made/numbers.csv\n"
    rows = list(csv.reader(io.StringIO((folder / "made" / "numbers.csv").read_text())))
    assert rows[0] == ["number", "slow", "fast", "fast minus slow"]
    assert ["barrier_fork_8", "2.0", "", ""] in rows


def test_results_accepts_several_files_and_lists_parameters(folder: Path) -> None:
    several = lmc("results", "slow.ipynb", "fast.ipynb", "--parameters", cwd=folder).stdout
    assert [line for line in several.splitlines() if line.startswith("rate")] == [
        "rate            0.5",
        "rate            1.5",
    ]
    told = json.loads(lmc("results", "slow.ipynb", "fast.ipynb", "--parameters", "--json", cwd=folder).stdout)
    assert told["fast.ipynb"]["parameters"]["rate"] == 1.5
    assert told["slow.ipynb"]["numbers"]["barrier_fork_0"] == 2.0
    assert json.loads(lmc("results", "slow.ipynb", "--json", cwd=folder).stdout)["width"] == 64.0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["slow.ipynb"], "lmc: give at least two executed notebooks (got 1)"),
        (["slow.ipynb", "none.ipynb"], "lmc: no such file: none.ipynb"),
        (["slow.ipynb", "fast.ipynb", "--csv", "page.txt"], "lmc: csv must be a file name ending in .csv"),
        (["slow.ipynb", "fast.ipynb", "--html", "page.pdf"], "lmc: html must be a file name ending in .html"),
    ],
)
def test_a_mistake_is_a_one_line_error(folder: Path, arguments: list[str], line: str) -> None:
    done = lmc("compare", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_list_names_every_chapter_with_its_title() -> None:
    lines = lmc("list", cwd=ROOT).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert lines[1].endswith("  When do two copies of a network part for good?")


def test_list_shows_the_parameters_of_a_notebook_named_by_its_beginning() -> None:
    listed = lmc("list", "02", cwd=ROOT).stdout
    assert listed.startswith("02_sibling_forking  When do two")
    assert re.search(r"^  fork_epochs +list +\[0, 1, 2, 15\] +when siblings split", listed, re.MULTILINE)


def test_numbers_of_several_runs_are_written_as_a_table(folder: Path) -> None:
    done = lmc("results", "slow.ipynb", "fast.ipynb", "--csv", "results.csv", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "results.csv\n")
    rows = (folder / "results.csv").read_text().splitlines()
    assert rows[0] == "number,slow.ipynb,fast.ipynb"
    assert "barrier_fork_8,2.0," in rows


def test_values_are_yaml_and_1e_3_is_a_number(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", "print([count, rate, word])")
    options = ["-p", "count", "7", "-p", "rate", "1e-3", "-p", "word=yes it is"]
    done = lmc("run", "a.ipynb", *options, "-o", "b.ipynb", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "b.ipynb\n"), done.stderr
    assert outputs(tmp_path / "b.ipynb") == "[7, 0.001, 'yes it is']\n"


def test_an_interrupted_run_says_where_its_unfinished_output_is(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", "print('before')", "open('here', 'w').close(); import time; time.sleep(60)")
    command = [sys.executable, "-m", "lmc_utils.cli", "run", "a.ipynb", "-o", "b.ipynb"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "here").exists():
        assert time.monotonic() < deadline, "the notebook did not start"
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    line = "lmc: interrupted; a: what was executed is in b.partial.ipynb; a rerun resumes training\n"
    assert (process.returncode, errors) == (130, line)
    assert outputs(tmp_path / "b.partial.ipynb") == "before\n"
    assert not (tmp_path / "b.ipynb").exists()


def test_without_a_terminal_no_progress_is_printed_and_with_one_each_cell_has_its_time(tmp_path: Path) -> None:
    import pty

    write_notebook(tmp_path / "a.ipynb", "import time\ntime.sleep(0.2)")
    environment = {name: value for name, value in os.environ.items() if name != "LMC_PROGRESS"}
    command = [sys.executable, "-m", "lmc_utils.cli", "run", "a.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("a.out.ipynb\n", "")
    terminal, other_end = pty.openpty()
    subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=other_end, check=True)
    os.close(other_end)
    shown = b""
    while chunk := _read(terminal):
        shown += chunk
    assert re.search(r"0\.\d s  time\.sleep\(0\.2\)", shown.decode())
    assert "2/2" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 10_000)
    except OSError:  # at the end
        return b""
