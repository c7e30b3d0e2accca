"""Stored notebooks have no outputs, and documented parameters."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmc_utils.running import notebooks, parameter_cells, sweep_grid
from lmc_utils.settings import Settings

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb"))
POINTS = sorted((ROOT / "notebooks" / "points").glob("*.ipynb"))
LONGEST = 12  # lines of a cell
NOTEBOOKS = [*CHAPTERS, *POINTS, *EXERCISES]
PROSE = [ROOT / "README.md", *sorted((ROOT / "book").rglob("*.md")), *NOTEBOOKS]

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
every_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
all_with_parameters = pytest.mark.parametrize("path", [*CHAPTERS, *POINTS], ids=lambda path: path.stem)


def test_there_are_notebooks() -> None:
    assert CHAPTERS
    assert EXERCISES


def test_outputs_are_not_stored() -> None:
    command = [sys.executable, "-m", "nbstripout", "--verify", "--keep-id", *map(str, NOTEBOOKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `nbstripout --keep-id notebooks/*.ipynb`\n{done.stdout}{done.stderr}"


@all_with_parameters
def test_one_cell_is_tagged_parameters(path: Path) -> None:
    assert len(cells_of_parameters(path)) == 1


@all_with_parameters
def test_the_parameters_cell_and_the_table_are_those_of_the_records(path: Path) -> None:
    assert parameter_cells.updated_text(path) == path.read_text(), f"run `lmc parameters {path}`"


@all_with_parameters
def test_every_parameter_has_a_meaning_and_one_record(path: Path) -> None:
    every = [each for record in settings_of(path) for each in fields(record)]
    assert all(each.metadata["meaning"] for each in every)
    assert len({each.name for each in every}) == len(every)


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_every_quoted_command_is_valid(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in re.findall(r"\blmc run \d[^`\n]*", text_of(path).replace("\\\n", " ")):
        name, *options = shlex.split(command, comments=True)[2:]
        starts = [at for at, option in enumerate(options) if option == "-p"]
        given = {options[at + 1]: yaml.safe_load(options[at + 2]) for at in starts}
        for each in given.keys() & {"checkpoint_a", "checkpoint_b"}:
            Path(given[each]).touch()
        notebook = ROOT / "notebooks" / f"{name}.ipynb"
        values = parameters_of(notebook)
        assert set(given) <= set(values), command
        for record in settings_of(notebook):
            record.pick(values | given)


@pytest.mark.parametrize("path", [*PROSE, ROOT / "results" / "stability.sh"], ids=lambda path: path.name)
def test_every_quoted_sweep_is_valid(path: Path) -> None:
    for command in re.findall(r"\blmc sweep \w+ [^`\n]*", text_of(path).replace("\\\n", " ")):
        name, *options = shlex.split(command, comments=True)[2:]
        given = [options[at + 1] for at, option in enumerate(options) if option == "--grid"]
        if "..." not in command:
            assert given, command
            sweep_grid.check_points(
                notebooks.find(name, ROOT / "notebooks"),
                sweep_grid.grid_points([sweep_grid.parse_axis(text) for text in given]),
            )


def test_the_quoted_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "book" / "rerun.md").read_text(), re.DOTALL)
    exec(compile(example, "rerun.md", "exec"), {})


@every_notebook
def test_nothing_is_installed_from_an_address(path: Path) -> None:
    code = "\n".join("".join(cell["source"]) for cell in cells_of(path) if cell["cell_type"] == "code")
    assert not re.search(r"\bpip\b|\bconda\b|https?://", code)


@every_chapter
def test_a_chapter_opens_with_its_question_and_a_picture(path: Path) -> None:
    notebook = json.loads(path.read_text())
    assert re.match(r"# .+\?\n", "".join(notebook["cells"][0]["source"]))
    picture = notebook["metadata"]["lmc"]["picture"]
    (drawn,) = [cell for cell in notebook["cells"] if cell["id"] == picture["cell"]]
    assert drawn["cell_type"] == "code"
    assert picture["caption"]
    before = notebook["cells"][: notebook["cells"].index(drawn)]
    words = " ".join("".join(cell["source"]) for cell in before if cell["cell_type"] == "markdown").split()
    assert picture.get("moved") or len(words) > 600, "else the page shows the same figure twice within two screens"


@every_chapter
def test_a_chapter_ends_with_how_to_rerun_it_and_says_what_comes_next(path: Path) -> None:
    _, _, ending = text_of(path).partition("## Rerun this chapter\n")
    assert "```bash" in ending
    assert "### Run time and parameters" in ending
    assert "## What comes next" in ending


@every_chapter
def test_recording_cells_are_tagged_for_removal(path: Path) -> None:
    recording = [
        cell for cell in cells_of(path) if "record(" in "".join(cell["source"]) and cell["cell_type"] == "code"
    ]
    assert recording
    assert [cell["id"] for cell in recording if cell["metadata"].get("tags") != ["remove-cell"]] == []


@every_chapter
def test_cells_are_short(path: Path) -> None:
    def may_be_long(cell: dict[str, Any]) -> bool:
        files_of_the_reader = "".join(cell["source"]).startswith("%%writefile")
        return files_of_the_reader or "parameters" in cell["metadata"].get("tags", [])

    code = [cell for cell in cells_of(path) if cell["cell_type"] == "code" and not may_be_long(cell)]
    assert [cell["id"] for cell in code if "".join(cell["source"]).count("\n") >= LONGEST] == []


@every_chapter
def test_a_chapter_names_its_exercises(path: Path) -> None:
    about = [cell["metadata"].get("lmc", {}) for cell in cells_of(path)]
    named = [each["exercises"] for each in about if "exercises" in each]
    assert [exercises.stem for exercises in EXERCISES if exercises.stem.startswith(path.stem[:2])] == named


def test_a_lesson_names_sections_that_its_chapter_has() -> None:
    lessons = (ROOT / "book" / "teaching.md").read_text().split("### Lesson ")[1:]
    titles = [re.findall(r"(?:^#+|\}) (.+)$", text_of(path).replace("*", ""), re.MULTILINE) for path in CHAPTERS]
    assert len(lessons) == len(CHAPTERS)
    for lesson, there in zip(lessons, titles, strict=True):
        named = re.findall(r"(?:the chapter's|>`,) \*([^*]+)\*", lesson)
        assert named
        assert [name for name in named if not any(title.startswith(name) for title in there)] == []


def cells_of(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return cells


def text_of(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def cells_of_parameters(path: Path) -> list[str]:
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", [])]


def parameters_of(path: Path) -> dict[str, Any]:
    found = {}
    for statement in ast.parse(cells_of_parameters(path)[0]).body:
        assert isinstance(statement, ast.Assign)
        assert isinstance(statement.targets[0], ast.Name)
        found[statement.targets[0].id] = ast.literal_eval(statement.value)
    return found


def settings_of(path: Path) -> list[type[Settings]]:
    named = json.loads(path.read_text())["metadata"]["lmc"]["settings"]
    return [getattr(importlib.import_module(module), name) for module, name in (each.split(":") for each in named)]
