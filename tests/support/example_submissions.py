"""Example submissions of students, made from the first exercise notebook."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lmc_utils.classroom import assignments

SOURCE = Path(__file__).parents[2] / "notebooks" / "exercises" / "01_toy_exercises.ipynb"


@functools.cache
def _release(student: str | None = None) -> NotebookNode:
    return assignments.student_version(SOURCE, student)


@functools.cache
def _solutions() -> dict[str, str]:
    return {identity(cell): cell.source for cell in nbformat.read(SOURCE, as_version=4).cells if is_answer(cell)}


def identity(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def is_answer(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def solved(only: Iterable[str] | None = None, /, student: str | None = None, **replaced: str) -> NotebookNode:
    """The student version with all or some of the solutions; `toy_2_test=...` replaces the source of a cell.

    For a student with individual numbers, the solutions are still the book's.
    """
    notebook = copy.deepcopy(_release(student))
    wanted = set(_solutions() if only is None else only)
    others = {name.replace("_", "-"): source for name, source in replaced.items()}
    for cell in notebook.cells:
        name = identity(cell)
        if name in wanted:
            cell.source = _solutions()[name]
        cell.source = others.get(name, cell.source)
    return notebook


def without(notebook: NotebookNode, lost: Callable[[str], bool]) -> NotebookNode:
    """The notebook without the cells of these names."""
    notebook.cells = [cell for cell in notebook.cells if not lost(identity(cell))]
    return notebook


def hand_in(notebook: NotebookNode, path: Path) -> Path:
    """Write a submission."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path
