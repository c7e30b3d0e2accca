"""A student version holds every task and check, and no line of a solution."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lmc_utils.classroom import assignments, install_cell
from lmc_utils.running import notebooks
from lmc_utils.settings import ParameterError

FOLDER = Path(__file__).parents[2] / "notebooks" / "exercises"
SOURCES = notebooks.notebook_paths(FOLDER)
every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)

HIDDEN = re.compile(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", re.DOTALL)


@pytest.fixture(autouse=True)
def _shared_runs(monkeypatch: pytest.MonkeyPatch, shared_folder: Path) -> None:
    monkeypatch.setenv("LMC_RUNS", str(shared_folder / "exercise-runs"))


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return found


def secrets(path: Path) -> list[str]:
    """Every line of a solution, of an explanation and of a hidden test."""
    sources = {cell["id"]: "".join(cell["source"]) for cell in cells(path)}
    explained = [sources[c["id"]] for c in cells(path) if assignments.EXPLANATION_TAG in c["metadata"].get("tags", [])]
    parts = [part for source in sources.values() for part in HIDDEN.findall(source)] + explained
    lines = [line.strip() for part in parts for line in part.splitlines() if line.strip(" ()[]{},:")]
    given = sources["setup"].splitlines()  # imports that hidden tests make once more
    return [line for line in lines if line not in given]


@every_source
def test_the_student_version_contains_no_line_of_a_solution(path: Path, tmp_path: Path) -> None:
    (written,) = assignments.write([path], tmp_path)
    student = {line.strip() for cell in cells(written) for line in "".join(cell["source"]).splitlines()}
    assert len(secrets(path)) > 20
    assert not student & set(secrets(path))
    assert "SOLUTION" not in written.read_text()
    assert "HIDDEN" not in written.read_text()


@every_source
def test_tasks_and_checks_are_kept(path: Path, tmp_path: Path) -> None:
    (written,) = assignments.write([path], tmp_path)
    kept = [cell["id"] for cell in cells(written) if cell["id"] != "install"]
    explanations = [c["id"] for c in cells(path) if assignments.EXPLANATION_TAG in c["metadata"].get("tags", [])]
    assert kept == [cell["id"] for cell in cells(path) if cell["id"] not in explanations]
    for cell in cells(written):
        marked = cell["metadata"].get("nbgrader", {})
        if marked.get("solution"):
            assert "raise NotImplementedError()" in "".join(cell["source"])
            assert "editable" not in cell["metadata"]
        if marked.get("grade"):
            assert re.fullmatch(r'check\("[a-z]+-\d", \w+\)', "".join(cell["source"]))
            assert cell["metadata"]["editable"] is False
    nbformat.validate(nbformat.read(written, as_version=4))


@every_source
def test_a_released_notebook_runs_up_to_the_first_unsolved_cell(path: Path, tmp_path: Path) -> None:
    (written,) = assignments.write([path], tmp_path)
    unsolved, reached, names = cells(path)[3]["id"], "", dict[str, object]()
    with pytest.raises(NotImplementedError):  # noqa: PT012
        for cell in cells(written):
            reached = cell["id"]
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    assert reached == unsolved


def test_the_first_code_cell_tells_how_to_install_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = "https://example.org/course/lmc_utils-1.0-py3-none-any.whl"
    (written,) = assignments.write(SOURCES[:1], tmp_path, install=served)
    first = next(cell for cell in cells(written) if cell["cell_type"] == "code")
    assert first["metadata"] == {"deletable": False, "editable": False}
    exec("".join(first["source"]), {})
    monkeypatch.setitem(sys.modules, "lmc_utils", None)
    with pytest.raises(ModuleNotFoundError, match=rf"^install the package .*: %pip install {re.escape(served)}$"):
        exec("".join(first["source"]), {})


@pytest.mark.parametrize(
    "requirement", ["lmc-utils", "lmc-utils[sweep]", "lmc-utils[sweep] @ git+https://example.org/ada/book", "a b.whl"]
)
def test_a_shell_reads_the_requirement_as_one_argument(requirement: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    (_, line, _) = install_cell.add_install_cell(notebook, requirement).cells[0].source.rsplit("\n", 2)
    assert shlex.split(ast.literal_eval(line.strip())) == ["%pip", "install", requirement]


@pytest.mark.parametrize("install", ["", "two\nlines", "x" * 501, 'a"b'])
def test_what_to_install_is_one_line(install: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"^install must be one line of at most 500 characters"):
        assignments.write(SOURCES[:1], tmp_path, install=install)


def test_writing_is_deterministic(tmp_path: Path) -> None:
    one = assignments.write(SOURCES, tmp_path / "a")
    two = assignments.write(SOURCES, tmp_path / "b")
    assert [path.name for path in one] == [path.name for path in SOURCES]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_existing_work_is_not_overwritten(tmp_path: Path) -> None:
    first, second = assignments.write(SOURCES[:2], tmp_path)
    assignments.write(SOURCES[:2], tmp_path)
    second.write_text(second.read_text().replace("raise NotImplementedError()", "prediction = 'lower'"))
    worked_on, before = second.read_text(), first.stat().st_mtime_ns
    with pytest.raises(
        ParameterError, match=r"^out: .* already has notebooks of these names; add --force to overwrite"
    ):
        assignments.write(SOURCES[:2], tmp_path)
    assert (second.read_text(), first.stat().st_mtime_ns) == (worked_on, before)
    assignments.write(SOURCES[:2], tmp_path, force=True)
    assert second.read_text() != worked_on


def test_the_solutions_are_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / SOURCES[0].name
    source.write_bytes(SOURCES[0].read_bytes())
    with pytest.raises(ParameterError, match=r"^out must be another folder than that of the solutions \(got .*"):
        assignments.write([source], tmp_path, force=True)
    assert source.read_bytes() == SOURCES[0].read_bytes()


def test_existing_binary_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / SOURCES[0].name).write_bytes(b"\xff\xfe")
    with pytest.raises(
        ParameterError, match=r"^out: .* already has notebooks of these names; add --force to overwrite"
    ):
        assignments.write(SOURCES[:1], tmp_path)


def test_a_faulty_source_is_a_one_line_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ipynb"
    broken.write_text(SOURCES[0].read_text().replace("### END SOLUTION", "### END", 1))
    with pytest.raises(ParameterError, match=r"^broken: nbgrader failed in ClearSolutions: no end solution"):
        assignments.write([broken], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_read_only_folder_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match=r"^out: cannot write .* Not a directory"):
        assignments.write(SOURCES[:1], tmp_path / "file" / "x")
