"""Student versions of the exercise notebooks, by nbgrader: solutions, explanations and hidden tests are taken out."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from lmc_utils.classroom.exercise_lookup import exercise_numbers
from lmc_utils.provenance import write_whole
from lmc_utils.settings import ParameterError, require

_TEST = "-test"
EXPLANATION_TAG = "explanation"  # the tag of a cell that goes with a solution


def write(
    sources: Sequence[Path], folder: Path, force: bool = False, students: Mapping[str, str] | None = None
) -> list[Path]:
    """Write the student version of each exercise notebook.

    Args:
        sources: exercise notebooks with their solutions.
        folder: where the student versions go, under the same names.
        force: replace files of another content.
        students: for versions with numbers of their own, the folder of each student, by name.

    Returns:
        The files, in the order of the sources; one that was there with the same content is left as it is.

    Raises:
        ParameterError: nbgrader is missing, a source has a fault, or a file of another content is in the way. Then
            nothing has been written.
    """
    originals = {source.resolve() for source in sources}
    whose: list[tuple[str | None, Path]] = [(name, folder / place) for name, place in (students or {}).items()]
    contents = {
        place / source.name: (nbformat.writes(student_version(source, student)) + "\n").encode()
        for student, place in whose or [(None, folder)]
        for source in sources
    }
    for target, content in contents.items():
        require(target.resolve() not in originals, "out", "another folder than that of the solutions", str(folder))
        same = not target.exists() or (target.is_file() and target.read_bytes() == content)
        require(force or same, "out", "a folder without other notebooks of these names (or --force)", str(target))
    with writable_folder("out", folder):
        for target, content in contents.items():
            target.parent.mkdir(exist_ok=True)
            write_whole(target, content)
    return list(contents)


@contextmanager
def writable_folder(name: str, folder: Path) -> Iterator[None]:
    """Make a folder to write to in this context; raises ParameterError, which begins with `name`, where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ParameterError(
            f"{name}: expected a folder to write to, got '{folder}' ({error.strerror or error})"
        ) from error


def student_version(source: Path, student: str | None = None) -> NotebookNode:
    """An exercise notebook for students, or for one of them; raises ParameterError as `run_preprocessors` does."""
    notebook = individualise(copy.deepcopy(_without_solutions(source.stem, source.read_bytes())), student)
    return run_preprocessors(notebook, ["ComputeChecksums", "CheckCellMetadata"], source.stem)


@lru_cache(maxsize=32)
def _without_solutions(name: str, content: bytes) -> NotebookNode:
    """What is the same for every student; to take it out takes most of the time."""
    steps = ["LockCells", "ClearSolutions", "ClearOutput", "ClearHiddenTests"]
    notebook = run_preprocessors(nbformat.reads(content.decode(), as_version=4), steps, name)
    notebook.cells = [cell for cell in notebook.cells if EXPLANATION_TAG not in cell.metadata.get("tags", [])]
    return notebook


def with_hidden_tests(source: Path, student: str | None = None) -> NotebookNode:
    """What a submission is marked by: the exercise notebook without its solutions, but with its hidden tests.

    With the numbers of a student, where it is one's own.

    What follows the hidden tests, the check that students see, is left out: it gives no points, and students may have
    given its name to something else. Raises ParameterError as `run_preprocessors` does.
    """
    steps = ["LockCells", "ClearSolutions", "ClearOutput", "CheckCellMetadata", "ComputeChecksums"]
    notebook = individualise(nbformat.read(source, as_version=4), student)
    for cell in notebook.cells:
        cell.source = re.sub(r"(### END HIDDEN TESTS\n).*", r"\1", cell.source, flags=re.DOTALL).rstrip()
    return run_preprocessors(notebook, steps, source.stem)


def exercise_names(sources: Sequence[Path]) -> list[str]:
    """The names of the exercises of notebooks, in order."""
    cells = (grade_id(cell) for source in sources for cell in nbformat.read(source, as_version=4).cells)
    return [name.removesuffix(_TEST) for name in cells if name.endswith(_TEST)]


def individualise(notebook: NotebookNode, student: str | None) -> NotebookNode:
    """An exercise notebook with the numbers of a student in its tasks and tests, and the name in its metadata.

    What a task says then stands in the metadata of its cell as `lmc.own`, with the names of numbers in <<brackets>>.
    """
    for cell in notebook.cells:
        own = cell.metadata.get("lmc", {}).pop("own", None)
        if not cell.metadata.get("lmc", True):
            del cell.metadata["lmc"]
        name = grade_id(cell).rpartition("-")[0]
        if student is None or not (own or (grade_id(cell).endswith(_TEST) and exercise_numbers(name, student))):
            continue
        if own:
            for each, value in exercise_numbers(name, student).items():
                own = own.replace(f"<<{each}>>", f"{value:g}")
            cell.source = own
        else:
            asked = re.compile(rf'\b((?:check|require_correct)\("{name}", \w+)\)')
            cell.source = asked.sub(lambda found: f"{found[1]}, student={student!r})", cell.source)
    if student is not None:
        notebook.metadata.setdefault("lmc", {})["student"] = student
    return notebook


def run_preprocessors(notebook: NotebookNode, steps: Iterable[str], name: str) -> NotebookNode:
    """Lead a notebook, which is changed in place, too, through some of nbgrader's preprocessors.

    Raises:
        ParameterError: nbgrader is missing, or it complains; the message begins with `name`.
    """
    for step, preprocess in [(step, nbgrader_preprocessor(step).preprocess) for step in steps]:
        try:
            notebook, _ = preprocess(notebook, {})
        except Exception as error:  # nbgrader's own kinds are many
            raise ParameterError(f"{name}: {step} of nbgrader says: {' '.join(str(error).split())}") from error
    return notebook


def nbgrader_preprocessor(name: str, **traits: Any) -> Any:
    """One of nbgrader's preprocessors, quiet; raises ParameterError where nbgrader is missing."""
    try:
        from nbgrader import preprocessors
    except ImportError as error:
        raise ParameterError("nbgrader: expected to be installed; pip install 'lmc-utils[teach]' does it") from error
    return getattr(preprocessors, name)(log=silent_logger(), **traits)


def silent_logger() -> logging.Logger:
    """A log for nbgrader that says nothing."""
    log = logging.getLogger("lmc_utils.nbgrader")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    return log


def grade_id(cell: NotebookNode) -> str:
    """By what nbgrader knows a cell; empty for one that it does not know."""
    known = cell.metadata.get("nbgrader")
    name = known.get("grade_id") if isinstance(known, dict) else None
    return name if isinstance(name, str) else ""
