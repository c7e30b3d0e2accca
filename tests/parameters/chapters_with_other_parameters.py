"""Run every chapter with parameters other than its presets: each runs and makes a page, and their book builds.

Run by `make test-parameters` only, as it takes some ten minutes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from book_site import copy_sources
from small_project import lmc

ROOT = Path(__file__).parents[2]
FORKS = ("fork_epochs=[0, 1]", "parents=1", "siblings=5")
DIGITS = ("dataset=digits", "architecture=cnn", "widths=[8, 8]", "norm=layer", "learning_rate=0.05")
OTHER = {
    "01_toy_landscapes": (
        *("roots=[-1, -0.9, 0.3, 2]", "fork_times=[0.1, 0.5]", "counts=[3]", "dimensions=[12]", "m_max=5"),
    ),
    "02_sibling_forking": (*FORKS, *DIGITS, "optimizer=adamw", "difference=weight", "difference_size=0.1"),
    "03_barrier_approximation": (*FORKS, *DIGITS, "decays=[0.002]", "schedule=constant_then_decay"),
    "04_distance_and_angle": (*DIGITS, "fork_steps=[0, 5, 15]", "parents=1", "siblings=5", "difference=noise"),
    "05_mountainside_and_ridges": (*FORKS, *DIGITS, "schedule=constant", "after_fork=restart", "restart_rate=0.1"),
    "06_batchnorm_and_residuals": (*FORKS, "dataset=digits", "widths=[4]"),
    "07_symmetry_and_detours": (
        # two parents, as independent networks are parents
        *("fork_epochs=[0, 1]", "parents=2", "siblings=5", "dataset=digits", "architecture=cnn", "widths=[8, 8]"),
        *("wide=12", "learning_rate=0.05"),
    ),
    "08_when_stability_begins": ("split=test", "below=1", "live_rates=[0.1]", "live_seeds=3"),
    "09_your_own_networks": ("families=1", "seed=3", "alphas=5"),
    "10_what_parts_siblings": ("parents=2", "first_steps=5", "epochs_apart=2"),
    "11_degenerate_valleys": (*FORKS, *DIGITS, "hessian_samples=50", "probes=3", "eigenpairs=5"),
    "12_does_it_hold_elsewhere": ("shuffles=3", "simulations=50", "seed=1"),
}


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, for the runs and for a book of them."""
    root = tmp_path_factory.mktemp("parameters")
    copy_sources(root)
    os.environ["LMC_RUNS"] = str(root / "runs")
    return root


def run(root: Path, name: str, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    given = [word for each in OTHER.get(name, ()) for word in ("-p", each)]
    path = next((root / "notebooks").rglob(f"{name}.ipynb"))
    return lmc("run", path, "--preset", "smoke", "-o", out, "--root", root, *given, *more, cwd=root)


def test_every_chapter_is_there() -> None:
    assert sorted(OTHER) == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("name", OTHER)
def test_it_runs_and_reads_and_makes_a_page(root: Path, name: str) -> None:
    done = run(root, name, root / f"{name}.ipynb", "--html", f"{name}.html")
    assert done.returncode == 0, done.stderr
    cells = json.loads((root / f"{name}.ipynb").read_text())["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert re.findall(r"\{[a-z:]+\}`|^```\{", text, re.MULTILINE) == []
    assert (root / f"{name}.html").stat().st_size < 5 * 2**20


def test_the_book_of_them_builds_without_a_warning(root: Path) -> None:
    for path in [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks" / "exercises").glob("*.ipynb")]:
        target = root / "book" / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        done = run(root, path.stem, target, "--as-source")
        assert done.returncode == 0, done.stderr
    assert (
        lmc("assign", "-o", root / "book" / "notebooks" / "exercises" / "student", "--root", root, cwd=root).returncode
        == 0
    )
    code = (
        "import sys; from pathlib import Path; from rich.console import Console\n"
        "from lmc_utils.publishing.site import Site, run_sphinx\n"
        "root = Path(sys.argv[1])\n"
        "log, console = root / 'html.log', Console(stderr=True)\n"
        "sys.exit(not run_sphinx(Site(root), root / '_build' / 'out', builder='html', log=log, console=console))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
