"""Student versions of the exercise notebooks, without solutions, explanations and hidden tests, by nbgrader."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from lmc_utils.classroom.exercise_lookup import exercise_numbers
from lmc_utils.classroom.install_cell import REQUIREMENT, add_install_cell
from lmc_utils.output_files import require_writable, require_writable_folder
from lmc_utils.provenance import write_whole
from lmc_utils.settings import ParameterError, require

TEST_SUFFIX = "-test"  # of the `grade_id` of the test of an exercise
EXPLANATION_TAG = "explanation"  # the tag of a cell that explains a solution


def write(
    sources: Sequence[Path],
    folder: Path,
    *,
    force: bool = False,
    students: Mapping[str, str] | None = None,
    install: str = REQUIREMENT,
) -> list[Path]:
    """Write the student version of each exercise notebook.

    Args:
        sources: exercise notebooks with their solutions.
        folder: the target folder; file names are unchanged.
        force: replace files with other content.
        students: for versions with individual numbers, the subfolder of each student, by name.
        install: what students install with pip, see `install_cell`.

    Returns:
        The files, in the order of the sources.

    Raises:
        ParameterError: a source is faulty, or a file with other content exists. Then nothing has been written.
    """
    originals = {source.resolve() for source in sources}
    versions: Mapping[Any, str] = students or {None: ""}
    contents = {
        folder / subfolder / source.name: (nbformat.writes(student_version(source, student, install)) + "\n").encode()
        for student, subfolder in versions.items()
        for source in sources
    }
    for target, content in contents.items():
        require(target.resolve() not in originals, "out", "another folder than that of the solutions", str(folder))
        same = not target.exists() or (target.is_file() and target.read_bytes() == content)
        if not (force or same):
            raise ParameterError(f"out: '{target}' already has notebooks of these names; add --force to overwrite them")
    require_writable_folder(folder, "out")
    for target, content in contents.items():
        require_writable(target, "out")
        write_whole(target, content)
    return list(contents)


def student_version(source: Path, student: str | None = None, install: str = REQUIREMENT) -> NotebookNode:
    """The student version of an exercise notebook, with the individual numbers of a student, if any.

    Raises:
        ParameterError: as `add_install_cell` and `run_preprocessors`.
    """
    notebook = individualise(copy.deepcopy(_without_solutions(source.stem, source.read_bytes())), student)
    add_install_cell(notebook, install)
    return run_preprocessors(notebook, ["ComputeChecksums", "CheckCellMetadata"], source.stem)


@lru_cache(maxsize=32)
def _without_solutions(name: str, content: bytes) -> NotebookNode:
    """An exercise notebook without solutions and tests; cached, since it is the same for every student and slow."""
    steps = ["LockCells", "ClearSolutions", "ClearOutput", "ClearHiddenTests"]
    notebook = run_preprocessors(nbformat.reads(content.decode(), as_version=4), steps, name)
    notebook.cells = [cell for cell in notebook.cells if EXPLANATION_TAG not in cell.metadata.get("tags", [])]
    return notebook


def with_hidden_tests(source: Path, student: str | None = None) -> NotebookNode:
    """The exercise notebook with hidden tests and without solutions, for marking; with a student's numbers, if any.

    The visible check after the hidden tests is removed: it gives no points, and students may have redefined its name.

    Raises:
        ParameterError: as `run_preprocessors`.
    """
    steps = ["LockCells", "ClearSolutions", "ClearOutput", "CheckCellMetadata", "ComputeChecksums"]
    notebook = individualise(nbformat.read(source, as_version=4), student)
    for cell in notebook.cells:
        cell.source = re.sub(r"(### END HIDDEN TESTS\n).*", r"\1", cell.source, flags=re.DOTALL).rstrip()
    return run_preprocessors(notebook, steps, source.stem)


def exercise_names(sources: Sequence[Path]) -> list[str]:
    """The names of the exercises in notebooks, in order."""
    cells = (grade_id(cell) for source in sources for cell in nbformat.read(source, as_version=4).cells)
    return [name.removesuffix(TEST_SUFFIX) for name in cells if name.endswith(TEST_SUFFIX)]


def individualise(notebook: NotebookNode, student: str | None) -> NotebookNode:
    """Put the numbers of a student into the tasks and tests of an exercise notebook, and the name into its metadata.

    The text of such a task is the metadata of its cell, `lmc.own`, with names of numbers in <<brackets>>.
    """
    for cell in notebook.cells:
        text = cell.metadata.get("lmc", {}).pop("own", None)
        if not cell.metadata.get("lmc", True):
            del cell.metadata["lmc"]
        name = grade_id(cell).rpartition("-")[0]
        numbers = exercise_numbers(name, student) if student is not None else {}
        if text and student is not None:
            for each, value in numbers.items():
                text = text.replace(f"<<{each}>>", f"{value:g}")
            cell.source = text
        elif numbers and grade_id(cell).endswith(TEST_SUFFIX):
            call = re.compile(rf'\b((?:check|require_correct)\("{name}", \w+)\)')
            cell.source = call.sub(lambda found: f"{found[1]}, student={student!r})", cell.source)
    if student is not None:
        notebook.metadata.setdefault("lmc", {})["student"] = student
    return notebook


def run_preprocessors(notebook: NotebookNode, steps: Iterable[str], name: str) -> NotebookNode:
    """Run some of nbgrader's preprocessors on a notebook, which they also change in place.

    Raises:
        ParameterError: nbgrader fails; the message begins with `name`.
    """
    from nbgrader import preprocessors

    for step in steps:
        try:
            notebook, _ = getattr(preprocessors, step)(log=silent_logger()).preprocess(notebook, {})
        except Exception as error:  # nbgrader raises many kinds
            raise ParameterError(f"{name}: nbgrader failed in {step}: {' '.join(str(error).split())}") from error
    return notebook


def silent_logger() -> logging.Logger:
    """A logger for nbgrader that discards everything."""
    log = logging.getLogger("lmc_utils.nbgrader")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    return log


def grade_id(cell: NotebookNode) -> str:
    """The `grade_id` by which nbgrader identifies a cell; empty for other cells."""
    metadata = cell.metadata.get("nbgrader")
    name = metadata.get("grade_id") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""
