"""Dependencies of code agree with Python's own finder, and results are recomputed after edits."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from modulefinder import ModuleFinder
from pathlib import Path

import pytest
from small_project import write_notebook
from torch import nn

from lmc_utils import provenance, result_dependencies
from lmc_utils.classroom import grading
from lmc_utils.forking import Experiment, protocol
from lmc_utils.networks import data, models
from lmc_utils.publishing import build
from lmc_utils.running.notebook_dependencies import of_notebook, of_sweep
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
ALL = {path.stem for path in NOTEBOOKS}
EXERCISES = {path.stem for path in NOTEBOOKS if path.parent.name == "exercises"}
POINTS = {path.stem for path in NOTEBOOKS if path.parent.name == "points"}
FOLDERS = sorted(each.parent.name for each in provenance.PACKAGE.glob("*/__init__.py"))
Edit = Callable[..., None]


class Finder(ModuleFinder):
    """Searches only this package."""

    def find_module(self, name, path, parent=None):  # type: ignore[no-untyped-def]
        if path is None and parent is None and name != provenance.PACKAGE.name:
            raise ImportError(name)
        return super().find_module(name, path, parent)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package in place of this package."""
    package = tmp_path / provenance.PACKAGE.name
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "CHECKOUT", tmp_path)
    return package


@pytest.mark.parametrize("folder", FOLDERS)
def test_dependencies_equal_those_of_modulefinder(folder: str) -> None:
    source = f"import lmc_utils.{folder}"
    finder = Finder(path=[str(provenance.CHECKOUT)])
    finder.scan_code(compile(source, "source", "exec"), finder.add_module("__main__"))
    files = [Path(module.__file__) for module in finder.modules.values() if module.__file__]  # type: ignore[attr-defined]
    found = result_dependencies.of_code(source)
    assert set(found["modules"]) == {path.relative_to(provenance.PACKAGE).as_posix() for path in files}
    assert found["versions"].keys() - {"python"} == provenance.versions(finder.any_missing()).keys()


def test_imports_within_functions_count_and_other_packages_are_not_traversed(package: Path) -> None:
    (package.parent / "yaml.py").write_text("import numpy")
    found = result_dependencies.of_code("def later():\n    import yaml.nodes\nawait something()")
    assert (set(found["versions"]), found["modules"]) == ({"python", "PyYAML"}, {})


def test_a_star_import_of_a_folder_includes_all_its_modules(package: Path) -> None:
    (package / "one.py").write_text("import numpy")
    found = result_dependencies.of_code("from lmc_utils import *\nfrom yaml import *")
    assert (set(found["modules"]), set(found["versions"])) == ({"__init__.py", "one.py"}, {"python", "numpy", "PyYAML"})


@pytest.mark.parametrize("code", ["from . import other", "from .other import x"])
def test_a_relative_import_is_a_one_line_error(code: str, package: Path) -> None:
    (package / "one.py").write_text(code)
    for source in (code, "from lmc_utils import one"):
        with pytest.raises(ValueError, match=rf"^expected absolute imports, found `{code}`$"):
            result_dependencies.of_code(source)


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """Edit a copy of the package, used in place of this package."""
    package = shutil.copytree(provenance.PACKAGE, tmp_path / provenance.PACKAGE.name)

    def forget() -> None:  # caches that a process keeps while it trains or grades
        for kept in (protocol._training_code, grading._exercises, grading._grader):
            kept.cache_clear()

    def change(name: str, old: str = "", new: str = "ADDED = 1") -> None:
        text = (package / name).read_text()
        assert old in text, f"{name} has changed: it does not hold {old!r}"
        (package / name).write_text(text.replace(old, new, 1) if old else f"{text}\n{new}\n")
        forget()

    forget()
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "CHECKOUT", tmp_path)
    yield change
    forget()


def results(stems: Collection[str] = ALL) -> dict[tuple[str, str], str]:
    """A digest of the dependencies of each result: a run, and pages, marks and points of these notebooks."""
    experiment = Experiment(dataset="digits")
    dataset = data.load(data.Source(dataset="digits"))
    run = protocol._key(experiment, dataset, experiment.torch_device())
    found = {("run", "mlp"): provenance.digest(run)}
    for path in (path for path in NOTEBOOKS if path.stem in stems):
        found["page", path.stem] = build.digest_of(path, "default")
        if path.stem in EXERCISES:
            found["marks", path.stem] = grading._exercises(path) + grading._grader()
        if path.stem in POINTS:
            found["point", path.stem] = provenance.digest(of_notebook(Notebook(path)))
    return found


def changed(before: dict[tuple[str, str], str]) -> set[tuple[str, str]]:
    return {name for name, digest in results({stem for _, stem in before}).items() if digest != before[name]}


def test_a_docstring_or_a_comment_retrains_and_re_executes_nothing(edit: Edit) -> None:
    before = results()
    edit("networks/training.py", '"""', '"""Another docstring. ')
    edit("networks/training.py", "\n\n\nclass", "\n\n\n# a comment\nclass")
    edit("measure/lines.py", '"""', '"""Another docstring. ')
    edit("classroom/submission_marks.py", "\n\n\ndef", "\n\n\n# a comment\ndef")
    assert changed(before) == set()


def test_editing_the_publisher_changes_no_result_and_editing_the_grader_only_marks(edit: Edit) -> None:
    before = results()
    edit("publishing/pdf.py")
    assert changed(before) == set()
    edit("classroom/submission_marks.py")
    assert changed(before) == {("marks", name) for name in EXERCISES}


def test_editing_a_measurement_re_executes_what_reaches_it_and_retrains_nothing(edit: Edit) -> None:
    before = results()
    edit("measure/ridges.py")
    reaching = {*EXERCISES, "05_mountainside_and_ridges"}  # all exercises import what the check of one needs
    assert {name for name in changed(before) if name[0] != "marks"} == {("page", name) for name in reaching}
    edit("measure/lines.py")
    assert ("point", "one_boundary") in changed(before)
    assert ("point", "toy_freezing") not in changed(before)
    edit("forking/run.py")
    edit("figures/planes.py")
    assert ("run", "mlp") not in changed(before)


def test_editing_a_widgets_script_re_executes_the_pages_that_show_it(edit: Edit) -> None:
    before = results()
    edit("widgets/static/line_explorer.js", "const", "/* */ const")
    assert ("page", "05_mountainside_and_ridges") in changed(before)
    assert ("page", "09_your_own_networks") not in changed(before)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("networks/training.py", "math.cos", "math.sin"),
        ("networks/layers.py", "math.sqrt(2 /", "math.sqrt(3 /"),
        ("networks/forked_training.py", "1 + int(self.fork_epoch)", "2 + int(self.fork_epoch)"),
        ("networks/augmentation.py", "", "ADDED = 1"),
        ("__init__.py", "AUTO,STRICT", "AUTO"),
    ],
)
def test_editing_training_code_retrains_and_re_executes_what_trains(edit: Edit, name: str, old: str, new: str) -> None:
    before = results(["02_sibling_forking", "02_fork_exercises", "one_boundary"])
    edit(name, old, new)
    assert changed(before) == set(before)


def test_a_new_torch_retrains_and_re_executes_all_that_imports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = results()
    installed = provenance.version
    monkeypatch.setattr(provenance, "version", lambda name: "99" if name == "torch" else installed(name))
    protocol._training_code.cache_clear()
    grading._exercises.cache_clear()
    grading._grader.cache_clear()
    toy = {("page", "01_toy_landscapes"), ("page", "toy_freezing"), ("point", "toy_freezing")}
    assert changed(before) == set(before) - toy
    protocol._training_code.cache_clear()


def test_a_run_depends_on_its_training_data(monkeypatch: pytest.MonkeyPatch) -> None:
    before, load = results([]), data.load
    for split, same in (("test", True), ("train", False)):
        loaded = load(data.Source(dataset="digits"))
        inputs, labels = getattr(loaded, split)
        other = loaded.__dict__ | {split: (inputs + 1e-6, labels)}
        monkeypatch.setattr(data, "load", lambda source, other=other: data.Dataset(**other))
        assert (results([]) == before) is same


def test_training_depends_on_these_versions() -> None:
    assert list(protocol._training_code(models.__name__)["versions"]) == ["python", "numpy", "psutil", "torch"]


def test_a_network_built_by_code_outside_the_package_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(design: models.Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
        return models.mlp(design, input_shape, classes)

    monkeypatch.setitem(models.BUILDERS, "mlp", models.RegisteredNetwork(mine, lambda design: 0, stage=False))
    with pytest.raises(ParameterError, match=r"^architecture must be a network of this package: changes of other"):
        results([])


def test_tables_and_swept_notebooks_are_dependencies_where_they_are_named() -> None:
    found = of_notebook(Notebook(ROOT / "notebooks" / "08_when_stability_begins.ipynb"))
    assert "stability_width.nc" in found["tables"]
    assert "one_boundary.ipynb" in found["swept"]
    for chapter, table in (
        ("10_what_parts_siblings", "siblings_noise"),
        ("12_does_it_hold_elsewhere", "elsewhere_smoke"),
    ):
        assert f"{table}.nc" in of_notebook(Notebook(ROOT / "notebooks" / f"{chapter}.ipynb"))["tables"]
    toy = of_notebook(Notebook(ROOT / "notebooks" / "01_toy_landscapes.ipynb"))
    assert (toy["tables"], toy["swept"]) == ({}, {})


def test_a_sweep_depends_on_the_local_modules_that_its_cells_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = Notebook(write_notebook(tmp_path / "one.ipynb", "import mine, numpy\nfrom also.inner import x"))
    monkeypatch.chdir(tmp_path)
    assert of_sweep(notebook) == of_notebook(notebook)
    (tmp_path / "also").mkdir()
    for name, code in {
        "mine": "import further", "further": "y = 1", "other": "", "also/inner": "from . import near", "also/near": "",
    }.items():  # fmt: skip
        (tmp_path / f"{name}.py").write_text(code)
    before = of_sweep(notebook)
    assert sorted(before["local"]) == ["also/inner.py", "also/near.py", "further.py", "mine.py"]
    (tmp_path / "further.py").write_text("y = 2")
    assert provenance.digest(of_sweep(notebook)) != provenance.digest(before)
