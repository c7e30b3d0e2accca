"""The `lmc` command: one clear line for every mistake, exit status 2, and no kernel started for it."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import fuzzing
import pytest
from small_project import lmc, outputs, write_book, write_notebook

from lmc_utils import cli
from lmc_utils.forking import Experiment, train

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "02_sibling_fork"], "notebook: '02_sibling_fork' is not known; did you mean '02_sibling_forking'?"),
        (["run", "nowhere/x.ipynb"], "notebook: 'nowhere/x.ipynb' is not known;"),
        (["run", "02_sibling_forking", "-p", "epoch", "3"], "parameter: 'epoch' is not known; did you mean 'epochs'?"),
        (
            ["run", "02_sibling_forking", "-p", "fork-epochs", "3"],
            "parameter: 'fork-epochs' is not known; did you mean",
        ),
        (["run", "02_sibling_forking", "-p", "epochs", "3"], "fork_epochs: expected increasing epochs from 0 to 3"),
        (["run", "02_sibling_forking", "-p", "epochs", "many"], "epochs: expected a whole number, got 'many'"),
        (["run", "02_sibling_forking", "-p", "learning_rate", "-1e-3"], "learning_rate: expected above 0, got -0.001"),
        (["run", "02_sibling_forking", "-p", "widths", "[64"], "widths: expected YAML, got '[64'"),
        (["run", "02_sibling_forking", "-p", "seed=2026-99-99"], "seed: expected a whole number, got '2026-99-99'"),
        (
            ["run", "02_sibling_forking", "-p", "seed", "x" * 5000],
            f"seed: expected a whole number, got '{'x' * 198}…\n",
        ),
        (
            ["run", "02_sibling_forking", "-p", "epochs"],
            "parameter: expected a name and a value after -p",
        ),
        (
            ["run", "02_sibling_forking", "-p", "seed", "-o", "x.ipynb"],
            "parameter: expected a name and a value after -p",
        ),
        (["run", "02_sibling_forking", "--preset", "tiny"], "preset: 'tiny' is not known; Choose from smoke, default"),
        (["run", "01_toy_landscapes", "-p", "m", "1"], "m: expected from 2 to 64, got 1"),
        (["run", "01_toy_landscapes", "-p", "n_points", "2000000000"], "n_points: expected work that fits into memory"),
        (["run", "02_sibling_forking", "-p", "parents", "1000000000000"], "experiment (9,000,000,000,000 networks of"),
        (["run", "02_sibling_forking", "-p", "widths=[1000000000000000000]"], "experiment (27 networks of at least"),
        (
            ["run", "02_sibling_forking", "-p", "widths=[100000000000000000000]"],
            "widths: expected words, finite numbers",
        ),
        (["runs", "rm", "nothing"], "run: 'nothing' is not known"),
        (["run", "01_toy_landscapes", "-o", "out.html"], "out: expected a name that ends in .ipynb, got 'out.html'"),
        (["run", "01_toy_landscapes", "-o", "/proc/no/x.ipynb"], "out: expected a file that can be written"),
        (["run", "01_toy_landscapes", "-o", "notebooks/01_toy_landscapes.ipynb"], "out: expected another file"),
        (
            ["run", "01_toy", "--root", "tests"],
            "notebook: expected a path, or a stem in 'tests/notebooks', which holds no",
        ),
        (["list", "--root", "tests"], "root: expected a checkout of the book with notebooks"),
        (["build", "--preset", "tiny"], "preset: 'tiny' is not known;"),
        (["build", "--root", "notebooks"], "root: expected a checkout of the book with a _config.yml"),
        (["serve", "--root", "notebooks"], "root: expected a built book in"),
        (["results", "README.md"], "notebook: expected an executed notebook, 'README.md' is none"),
        (["results", "notebooks/01_toy_landscapes.ipynb"], "notebook: expected recorded numbers, found none"),
    ],
)
def test_a_mistake_costs_one_line(
    arguments: list[str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as left:
        cli.app(cli._join_parameters(arguments))
    said = capsys.readouterr()
    assert left.value.code == 2
    assert said.err.startswith(f"lmc: {line}")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not list(ROOT.glob("*.partial.ipynb"))  # which comes before the kernel


@pytest.mark.parametrize("kind", fuzzing.KINDS)
def test_text_from_outside_makes_no_traceback(kind: str) -> None:
    count = 40 if kind == "lmc grade" else 350  # the first validates whole notebooks
    row = fuzzing.tried(kind, count, seed=0)
    assert row.held == row.tried >= 0.8 * count, row.worst


def test_values_are_yaml_and_1e_3_is_a_number(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", "print([count, rate, word])")
    options = ["-p", "count", "7", "-p", "rate", "1e-3", "-p", "word=yes it is"]
    done = lmc("run", "a.ipynb", *options, "-o", "b.ipynb", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "b.ipynb\n"), done.stderr
    assert outputs(tmp_path / "b.ipynb") == "[7, 0.001, 'yes it is']\n"


def test_runs_are_listed_checked_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as left:
            cli.app(["runs", *arguments])
        assert left.value.code == 0
        return capsys.readouterr().out

    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    small = Experiment(dataset="digits", widths=(4,), epochs=1, fork_epochs=(0,), parents=1, device="cpu")
    name = train(small).folder.path.name
    assert run().startswith(f"{name} ")
    assert "  sound  dataset=" in run("--check")
    (tmp_path / name / "epoch_0001.safetensors").write_bytes(b"")
    assert "  epoch 1: its file cannot be read  dataset=" in run("--check")
    assert run("gc", "--older-than", "1") == ""
    os.utime(tmp_path / name, (0, time.time() - 2 * 86400))
    assert run("gc", "--older-than", "1").startswith(name)
    assert run() == ""
    train(small)
    assert run("rm", name[:8]) == f"{name}\n"
    assert not (tmp_path / name).exists()


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
    assert (process.returncode, errors) == (130, "lmc: interrupted; a: what was executed is in b.partial.ipynb\n")
    assert outputs(tmp_path / "b.partial.ipynb") == "before\n"
    assert not (tmp_path / "b.ipynb").exists()


def test_a_system_error_is_one_line(tmp_path: Path) -> None:
    write_book(tmp_path)
    (tmp_path / "_build").write_text("in the way")
    done = lmc("build", cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"lmc: \[Errno \d+\] .*_build.*\n", done.stderr)


def test_list_names_every_chapter_with_its_parameters() -> None:
    listed = lmc("list", cwd=ROOT).stdout
    assert re.search(r"^02_sibling_forking$", listed, re.MULTILINE)
    assert re.search(r"^  fork_epochs +list +\[0, 1, 2, 15\] +when siblings part", listed, re.MULTILINE)


def test_serve_answers_until_it_is_stopped(tmp_path: Path) -> None:
    html = tmp_path / "_build" / "html"
    html.mkdir(parents=True)
    (html / "index.html").write_text("hello")
    command = [sys.executable, "-u", "-m", "lmc_utils.cli", "serve", "--port", "0"]
    server = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        address = server.stdout.readline().split()[0]
        assert urllib.request.urlopen(address, timeout=10).read() == b"hello"
        taken = lmc("serve", "--port", address.rstrip("/").rpartition(":")[2], cwd=tmp_path)
        assert taken.returncode == 2
        assert "port: expected a free one" in taken.stderr
    finally:
        time.sleep(0.1)
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)
    assert server.returncode == 130


def test_help_names_the_commands() -> None:
    shown = lmc("--help", cwd=ROOT).stdout
    assert all(command in shown for command in ("list", "run", "build", "serve", "results"))
