"""Notebooks are found, checked before a kernel starts, and written atomically."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
from small_project import outputs, write_notebook

from lmc_utils.running import notebooks
from lmc_utils.settings import ParameterError

CHAPTERS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def forking() -> notebooks.Notebook:
    return notebooks.find("02_sibling_forking", CHAPTERS)


def test_a_notebook_to_sweep_that_does_not_exist_is_one_line() -> None:
    with pytest.raises(ParameterError, match=r"no notebook 'one_bondary' in "):
        notebooks.point("one_bondary")


def test_parameters_have_names_defaults_and_comments(tmp_path: Path) -> None:
    found = notebooks.Notebook(write_notebook(tmp_path / "a.ipynb")).parameters
    assert [(p.name, p.type, p.default, p.meaning) for p in found.values()] == [
        ("count", "int", 3, "how many"),
        ("rate", "float", 0.5, "how fast"),
        ("word", "str", "a", "which"),
    ]


def test_a_notebook_is_found_by_stem_or_path(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "notebooks" / "a_chapter.ipynb")
    assert notebooks.find("a_chapter", tmp_path / "notebooks").path == path
    assert notebooks.find(str(path), Path()).path == path
    with pytest.raises(ParameterError, match="unknown notebook 'a_chaptr'; did you mean 'a_chapter'"):
        notebooks.find("a_chaptr", tmp_path / "notebooks")
    with pytest.raises(ParameterError, match=r"no such notebook: a_chapter; the folder '.*' has none"):
        notebooks.find("a_chapter", tmp_path)


@pytest.mark.parametrize("text", ["hello", "{}", "[]", '{"cells": 3}', '{"cells": [], "metadata": {}, "nbformat": 3}'])
def test_an_invalid_notebook_is_a_one_line_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(text)
    with pytest.raises(ParameterError, match=r"^'.*a\.ipynb' is not a Jupyter notebook: .+$"):
        notebooks.find("a", tmp_path)


@pytest.mark.parametrize(
    "record", ["nowhere:Thing", "os:path", "pathlib:Path", "..x:y", "lmc_utils.measure.lines:Thing", "nothing", ""]
)
def test_settings_that_do_not_exist_are_named(record: str, tmp_path: Path) -> None:
    found = notebooks.Notebook(write_notebook(tmp_path / "a.ipynb", settings=(record,)))
    with pytest.raises(ParameterError, match=f"^the notebook's metadata names unknown settings, '{record}'"):
        found.check({})


@pytest.mark.parametrize("about", [None, 3, {"settings": None}, {"settings": [3]}, {"settings": "a:b"}])
def test_metadata_of_another_form_is_named(about: object, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb")
    notebook = json.loads(path.read_text())
    notebook["metadata"]["lmc"] = about
    path.write_text(json.dumps(notebook))
    with pytest.raises(ParameterError, match=r"^metadata\.lmc must be a mapping with `settings`, a list of"):
        notebooks.find("a", tmp_path).check({})


def test_a_notebook_needs_no_kernelspec(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print(count)")
    notebook = json.loads(path.read_text())
    notebook["metadata"] = {}
    path.write_text(json.dumps(notebook))
    found = notebooks.find(str(path), tmp_path)
    found.check({"count": 1})
    notebooks.execute(found, {"count": 1}, tmp_path / "b.ipynb")
    assert outputs(tmp_path / "b.ipynb") == "1\n"


def test_the_beginning_of_a_name_is_enough_if_it_is_unique(tmp_path: Path) -> None:
    for stem in ("01_a", "01_b", "02_a", "exercises/02_a_exercises", "exercises/03_x", "03"):
        write_notebook(tmp_path / f"{stem}.ipynb")
    found = {name: notebooks.find(name, tmp_path).path.stem for name in ("02", "02_a_e", "03_", "03", "01_b")}
    assert found == {"02": "02_a", "02_a_e": "02_a_exercises", "03_": "03_x", "03": "03", "01_b": "01_b"}
    with pytest.raises(ParameterError, match=r"^'01' is ambiguous: 01_a, 01_b$"):
        notebooks.find("01", tmp_path)


def test_values_for_a_notebook_without_parameters_are_rejected(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb")
    path.write_text(path.read_text().replace('"parameters"', '"other"'))
    with pytest.raises(ParameterError, match=r"has no parameters: no assignment in a cell with the tag 'parameters'$"):
        notebooks.Notebook(path).check({"count": 1})


@pytest.mark.parametrize("default", ["3 * 2", "numpy.pi", "{[]: 1}", "[0 for _ in ()]"])
def test_a_default_that_is_not_a_literal_is_rejected(default: str, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb")
    path.write_text(path.read_text().replace("count = 3", f"count = {default}"))
    with pytest.raises(ParameterError, match=r"^count: its default must be a plain value \(got '"):
        notebooks.find("a", tmp_path).check({})


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"epoch": 3}, "unknown parameter 'epoch'; did you mean 'epochs'?"),
        (
            {"epochs": 3},
            "fork_epochs must be increasing and <= epochs = 3 (got [0, 1, 2, 15]); ",
        ),
        ({"widths": [-1]}, "widths must be a non-empty list of values >= 1 (got [-1])"),
        ({"dataset": "mnist"}, "unknown dataset 'mnist'; did you mean 'mnist1d'?"),
        ({"learning_rate": "fast"}, "learning_rate must be a finite number (got 'fast')"),
        ({"alpha_range": [0.5, 1]}, "alpha_range must be two numbers, the first <= 0"),
    ],
)
def test_wrong_parameters_are_named(forking: notebooks.Notebook, values: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        forking.check(values)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("preset", ["smoke", "default", "paper"])
@pytest.mark.parametrize("path", notebooks.notebook_paths(CHAPTERS), ids=lambda path: path.stem)
def test_presets_are_valid_parameters_of_every_chapter(path: Path, preset: str) -> None:
    found = notebooks.find(str(path), CHAPTERS)
    found.check(found.preset(preset))
    assert found.preset("default") == {}


def test_parameters_that_no_record_claims_have_their_defaults_type(tmp_path: Path) -> None:
    found = notebooks.Notebook(write_notebook(tmp_path / "a.ipynb"))
    found.check({"count": 4, "rate": 1})
    with pytest.raises(ParameterError, match=r"count must be a whole number \(got 'x'\)"):
        found.check({"count": "x"})
    found.path.write_text(found.path.read_text().replace("count = 3", "count = [3]"))
    with pytest.raises(ParameterError, match=r"count must be a list \(got 3\)"):
        notebooks.Notebook(found.path).check({"count": 3})


def test_execution_uses_this_python_and_these_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoy = tmp_path / "kernels" / "python3" / "kernel.json"
    decoy.parent.mkdir(parents=True)
    decoy.write_text('{"argv": ["false"], "display_name": "another Python", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    path = write_notebook(tmp_path / "{x}" / "a.ipynb", "import sys; print(sys.executable, count, word)")
    notebooks.execute(notebooks.Notebook(path), {"count": 7}, tmp_path / "{out}" / "b.ipynb")
    assert outputs(tmp_path / "{out}" / "b.ipynb") == f"{sys.executable} 7 a\n"
    assert [path.name for path in (tmp_path / "{out}").iterdir()] == ["b.ipynb"]
    assert os.environ["JUPYTER_PATH"] == str(tmp_path)
    assert os.environ["JUPYTER_RUNTIME_DIR"] == str(tmp_path / "runtime")
    assert not (tmp_path / "runtime").exists(), "a kernel that is killed would leave a file there"


def test_the_output_never_overwrites_another_file(tmp_path: Path) -> None:
    found = notebooks.Notebook(write_notebook(tmp_path / "a.partial.ipynb"))
    source = found.path.read_text()
    for out in (found.path, tmp_path / "a.ipynb"):  # the second would pass through the first
        with pytest.raises(ParameterError, match="out must be another file than the source"):
            notebooks.execute(found, {}, out)
    assert found.path.read_text() == source
    (tmp_path / "b.ipynb").mkdir()
    with pytest.raises(ParameterError, match=r"out must be a file, not a folder \(got '.*b\.ipynb'\)"):
        notebooks.execute(found, {}, tmp_path / "b.ipynb")


def test_a_failure_leaves_its_partial_output_and_the_old_result(tmp_path: Path) -> None:
    found = notebooks.Notebook(write_notebook(tmp_path / "a.ipynb", "print('before')", "1 / 0"))
    (tmp_path / "b.ipynb").write_text("old")
    with pytest.raises(notebooks.ExecutionError, match=r"a: In \[3\]: ZeroDivisionError: division by zero \(see .*b"):
        notebooks.execute(found, {}, tmp_path / "b.ipynb")
    assert (tmp_path / "b.ipynb").read_text() == "old"
    assert outputs(tmp_path / "b.partial.ipynb").startswith("before")


def test_an_endless_cell_is_stopped(tmp_path: Path) -> None:
    found = notebooks.Notebook(write_notebook(tmp_path / "a.ipynb", "while True: pass"))
    with pytest.raises(notebooks.ExecutionError, match=r"a: .*timed out"):
        notebooks.execute(found, {}, tmp_path / "b.ipynb", timeout=1)


def test_a_kernel_that_dies_is_named(tmp_path: Path) -> None:
    found = notebooks.Notebook(write_notebook(tmp_path / "a.ipynb", "import os; os._exit(1)"))
    with pytest.raises(notebooks.ExecutionError, match=r"a: Kernel died \(see .*b\.partial\.ipynb\)"):
        notebooks.execute(found, {}, tmp_path / "b.ipynb")


def test_plain_papermill_fails_just_as_clearly(tmp_path: Path) -> None:
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    source = CHAPTERS / "02_sibling_forking.ipynb"
    with pytest.raises(PapermillExecutionError) as caught:
        execute_notebook(str(source), str(tmp_path / "b.ipynb"), parameters={"siblings": 1}, progress_bar=False)
    assert caught.value.ename == "ParameterError"
    assert caught.value.evalue == "siblings must be >= 2 (got 1)"
    call, line = caught.value.traceback
    assert re.fullmatch(r"line \d+: experiment = Experiment\.pick\(globals\(\)\)", call)
    assert line == "ParameterError: siblings must be >= 2 (got 1)"


def test_a_kernel_keeps_freed_memory_unless_the_user_decides_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")
    with notebooks.kernel_of_this_python():
        assert os.environ["MALLOC_TRIM_THRESHOLD_"] == str(2**28)
        assert os.environ["MALLOC_MMAP_THRESHOLD_"] == "65536"
    assert "MALLOC_TRIM_THRESHOLD_" not in os.environ
    assert os.environ["MALLOC_MMAP_THRESHOLD_"] == "65536"
