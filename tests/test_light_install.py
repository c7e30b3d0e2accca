"""`pip install .` without extras: measuring two networks works, and other commands name the extra that they need.

A virtual environment contains exactly those installed distributions that the dependencies in pyproject.toml require; a
real installation would take minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from torch import nn

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
MODULE = """
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

samples = torch.eye(3), torch.tensor([0, 1, 0])
"""
FOLDERS_AND_A_RUN = """
import importlib, pkgutil
for folder in ("connect", "forking", "measure", "networks", "toy", "figures"):
    package = importlib.import_module(f"lmc_utils.{folder}")
    for found in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"lmc_utils.{folder}.{found.name}")

from lmc_utils.forking import Experiment, train
from lmc_utils.measure import barriers, lines
run = train(Experiment(dataset="digits", widths=(4,), epochs=1, fork_epochs=(0,), parents=1, device="cpu"))
assert barriers.error_barrier(lines.line(run.pairs(), lines.LineGrid(alphas=3)).error).notnull().all()
"""
NOT_FOUND = """
import importlib.util
for name in ("IPython", "anywidget", "bokeh", "dask", "nbformat", "nbgrader", "papermill", "sphinx", "torchvision"):
    assert importlib.util.find_spec(name) is None, name
"""
IN_ONE_PROCESS = """
import sys
from lmc_utils.cli.main import app
for command in sys.stdin:
    try:
        app(command.split())
    except SystemExit as left:
        assert left.code == 2, command
"""
NEEDS = {
    "list": "book",
    "run 01_toy_landscapes": "book",
    "page run.ipynb": "book",
    "build": "book",
    "pdf": "book",
    "serve": "book",
    "sweep 01_toy_landscapes --grid m=2,3 --out points": "sweep",
    "assign": "teach",
    "grade submissions": "teach",
}


def brought(requirements: list[str]) -> dict[str, Distribution]:
    """The installed distributions that requirements need, directly or indirectly, by name."""
    installed = {canonicalize_name(each.metadata["Name"]): each for each in distributions()}
    found: dict[str, Distribution] = {}
    fresh = [*map(Requirement, requirements)]
    while fresh:
        here = [each for each in fresh if each.marker is None or each.marker.evaluate({"extra": ""})]
        names = {canonicalize_name(each.name) for each in here} - found.keys()
        found |= {name: installed[name] for name in names}
        fresh = [Requirement(line) for name in names for line in installed[name].requires or ()]
    return found


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the light install alone."""
    folder = tmp_path_factory.mktemp("light")
    packages = folder / "packages"
    packages.mkdir()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (packages / "lmc_utils").symlink_to(ROOT / "lmc_utils")
    about = packages / f"lmc_utils-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    for distribution in brought(project["dependencies"]).values():
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution.locate_file(top))))
    venv.create(folder / "venv", symlinks=os.name != "nt")
    (site_packages,) = (folder / "venv").rglob("site-packages")
    (site_packages / "light.pth").write_text(f"{packages}\n")
    return folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two checkpoints of a network, and the module that makes it."""
    (tmp_path / "mine.py").write_text(MODULE)
    for seed in range(2):
        torch.manual_seed(seed)
        torch.save(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).state_dict(), tmp_path / f"{seed}.pt")
    return tmp_path


def run(python: Path, folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = inherited | {"LMC_RUNS": str(folder / "runs"), "LMC_PROGRESS": "0"}
    return subprocess.run(
        [python, *arguments], cwd=folder, env=environment, input=given, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("code", [NOT_FOUND, FOLDERS_AND_A_RUN], ids=["nothing else is there", "imports, training"])
def test_computing_folders_need_no_extra(python: Path, tmp_path: Path, code: str) -> None:
    done = run(python, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr


def test_two_checkpoints_are_measured_and_drawn(python: Path, folder: Path) -> None:
    names = ("0.pt", "1.pt", "--model", "mine:net", "--data", "mine:samples")
    done = run(python, folder, "-m", "lmc_utils.cli", "connect", *names, "--json", "--html", "page.html")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["loss_barrier"] >= 0
    assert "<img src=" in (folder / "page.html").read_text()


@pytest.mark.parametrize("arguments", [["--help"], ["runs"]], ids=" ".join)
def test_help_and_trained_runs_need_no_extra(python: Path, tmp_path: Path, arguments: list[str]) -> None:
    done = run(python, tmp_path, "-m", "lmc_utils.cli", *arguments)
    assert done.returncode == 0, done.stderr


def test_a_command_without_its_extra_is_a_one_line_error(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "-c", IN_ONE_PROCESS, given="\n".join(f"{each} --root {ROOT}" for each in NEEDS))
    assert done.returncode == 0, done.stderr
    for line, (command, extra) in zip(done.stderr.splitlines(), NEEDS.items(), strict=True):
        assert line.startswith(f'lmc: lmc {command.split()[0]} needs the extra "{extra}" (module ')
        assert line.endswith(f' is missing): pip install "lmc-utils[{extra}]"')
