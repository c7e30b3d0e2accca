"""The `lmc` command: one clear line for every mistake, exit status 2, and no kernel started for it."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import fuzzing
import pytest
from small_project import lmc

from lmc_utils.cli import main

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "02_sibling_forks"], "unknown notebook '02_sibling_forks'; did you mean '02_sibling_forking'?"),
        (["run", "0"], "'0' is ambiguous: 01_toy_landscapes, 02_sibling_forking, 03_barrier_approximation and"),
        (["run", "02", "--workers", "2"], "No such option: --workers; see `lmc run --help`"),
        (["--bad"], "No such option: --bad; see `lmc --help`"),
        (["runs", "rm"], "Missing argument 'name'; see `lmc runs rm --help`"),
        (["runz"], "No such command 'runz'. Did you mean 'run', 'runs'?; see `lmc --help`"),
        (["sweep", "02"], "Missing option '-o' / '--out'; see `lmc sweep --help`"),
        (["run", "nowhere/x.ipynb"], "no such file: nowhere/x.ipynb"),
        (["run", "02_sibling_forking", "-p", "epoch", "3"], "unknown parameter 'epoch'; did you mean 'epochs'?"),
        (
            ["run", "02_sibling_forking", "-p", "fork-epochs", "3"],
            "unknown parameter 'fork-epochs'; did you mean",
        ),
        (["run", "02_sibling_forking", "-p", "epochs", "3"], "fork_epochs must be increasing and <= epochs = 3"),
        (["run", "02_sibling_forking", "-p", "epochs", "many"], "epochs must be a whole number (got 'many')"),
        (["run", "02_sibling_forking", "-p", "learning_rate", "-1e-3"], "learning_rate must be > 0 (got -0.001)"),
        (["run", "02_sibling_forking", "-p", "widths", "[64"], "widths must be YAML (got '[64')"),
        (["run", "02_sibling_forking", "-p", "seed=2026-99-99"], "seed must be a whole number (got '2026-99-99')"),
        (
            ["run", "02_sibling_forking", "-p", "seed", "x" * 5000],
            f"seed must be a whole number (got '{'x' * 198}…)\n",
        ),
        (
            ["run", "02_sibling_forking", "-p", "epochs"],
            "-p takes a name and a value",
        ),
        (
            ["run", "02_sibling_forking", "-p", "seed", "-o", "x.ipynb"],
            "-p takes a name and a value",
        ),
        (["run", "02_sibling_forking", "--preset", "tiny"], "unknown preset 'tiny'; choose from: smoke, default"),
        (["run", "01_toy_landscapes", "-p", "m", "1"], "m must be between 2 and 64 (got 1)"),
        (["run", "01_toy_landscapes", "-p", "n_points", "2000000000"], "n_points: not enough memory"),
        (["run", "02_sibling_forking", "-p", "parents", "1000000000000"], "training 9,000,000,000,000 networks of"),
        (["run", "02_sibling_forking", "-p", "widths=[1000000000000000000]"], "training 90 networks of at least"),
        (
            ["run", "02_sibling_forking", "-p", "widths=[100000000000000000000]"],
            "widths must be text, finite numbers",
        ),
        (["runs", "rm", "nothing"], "unknown run 'nothing'"),
        (["run", "01_toy_landscapes", "-o", "out.html"], "out must be a file name ending in .ipynb (got 'out.html')"),
        (["run", "01_toy_landscapes", "-o", "/proc/no/x.ipynb"], "out: cannot write '/proc/no/x.ipynb'"),
        (["run", "01_toy_landscapes", "-o", "notebooks/01_toy_landscapes.ipynb"], "out must be another file"),
        (
            ["run", "12_toy", "--root", "tests"],
            "the folder 'tests/notebooks' has none",
        ),
        (["list", "--root", "tests"], "is not a checkout of the book: it has no notebooks"),
        (["build", "--preset", "tiny"], "unknown preset 'tiny';"),
        (["build", "--root", "notebooks"], "is not a checkout of the book: it has no _config.yml"),
        (["serve", "--root", "notebooks"], "no built book in"),
        (["results", "README.md"], "'README.md' is not an executed notebook"),
        (["results", "notebooks/01_toy_landscapes.ipynb"], "no numbers recorded in"),
    ],
)
def test_a_mistake_is_a_one_line_error(
    arguments: list[str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as left:
        main.app(main._join_parameters(arguments))
    said = capsys.readouterr()
    assert left.value.code == 2
    assert said.err.startswith("lmc: ")
    assert line in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not list(ROOT.glob("*.partial.ipynb"))  # which comes before the kernel


@pytest.mark.parametrize("kind", fuzzing.KINDS)
def test_untrusted_input_causes_no_traceback(kind: str) -> None:
    count = 40 if kind == "lmc grade" else 350  # the first validates whole notebooks
    row = fuzzing.tried(kind, count, seed=0)
    assert row.held == row.tried >= 0.8 * count, row.worst


def test_help_names_the_commands() -> None:
    shown = lmc("--help", cwd=ROOT).stdout
    assert all(command in shown for command in ("list", "run", "build", "serve", "results"))


def test_the_version_is_printed() -> None:
    assert lmc("--version", cwd=ROOT).stdout == f"lmc {metadata.version('lmc-utils')}\n"


def test_help_imports_nothing_that_computes_or_executes() -> None:
    code = "import sys, lmc_utils.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    imported = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"torch", "xarray", "scipy", "matplotlib", "distributed", "papermill", "IPython", "nbformat"} & set(
        imported.split()
    )
