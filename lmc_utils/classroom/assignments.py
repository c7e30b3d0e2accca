"""Student versions of the exercise notebooks, by nbgrader: solutions, explanations and hidden tests are taken out."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from lmc_utils.settings import ParameterError, require

EXPLANATION = "explanation"  # the tag of a cell that goes with a solution

_COURSE = "lmc"


def write(sources: Sequence[Path], folder: Path, force: bool = False) -> list[Path]:
    """Write the student version of each exercise notebook.

    Args:
        sources: exercise notebooks with their solutions.
        folder: where the student versions go, under the same names.
        force: replace files of another content.

    Returns:
        The files, in the order of the sources; one that was there with the same content is left as it is.

    Raises:
        ParameterError: nbgrader is missing, a source has a fault, or a file of another content is in the way. Then
            nothing has been written.
    """
    originals = {source.resolve() for source in sources}
    contents = {folder / source.name: (nbformat.writes(release(source)) + "\n").encode() for source in sources}
    for target, content in contents.items():
        require(target.resolve() not in originals, "out", "another folder than that of the solutions", str(folder))
        same = not target.exists() or (target.is_file() and target.read_bytes() == content)
        require(force or same, "out", "a folder without other notebooks of these names (or --force)", str(target))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, content in contents.items():
            partial = target.with_name(f"{target.name}.partial")
            partial.write_bytes(content)
            partial.replace(target)
    except OSError as error:
        raise ParameterError(f"out: expected a folder to write to, got '{folder}' ({error.strerror})") from error
    return list(contents)


def release(source: Path) -> NotebookNode:
    """The student version of an exercise notebook.

    Raises:
        ParameterError: nbgrader is missing, or the source has a fault that it names.
    """
    steps = ["LockCells", "ClearSolutions", "ClearOutput", "ClearHiddenTests", "ComputeChecksums", "CheckCellMetadata"]
    notebook = process(nbformat.read(source, as_version=4), steps, source.stem)
    notebook.cells = [cell for cell in notebook.cells if EXPLANATION not in cell.metadata.get("tags", [])]
    return notebook


def with_hidden_tests(source: Path) -> NotebookNode:
    """What a submission is marked by: the exercise notebook without its solutions, but with its hidden tests.

    What follows the hidden tests, the check that students see, is left out: it gives no points, and students may have
    given its name to something else.

    Raises:
        ParameterError: nbgrader is missing, or the source has a fault that it names.
    """
    steps = ["LockCells", "ClearSolutions", "ClearOutput", "CheckCellMetadata", "ComputeChecksums"]
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        cell.source = re.sub(r"(### END HIDDEN TESTS\n).*", r"\1", cell.source, flags=re.DOTALL).rstrip()
    return process(notebook, steps, source.stem)


def process(notebook: NotebookNode, steps: Iterable[str], name: str, gradebook: Path | None = None) -> NotebookNode:
    """Lead a notebook through some of nbgrader's preprocessors.

    Args:
        notebook: it is changed in place, too.
        steps: their names, in order.
        name: of the exercise notebook.
        gradebook: the database of those that use one.

    Raises:
        ParameterError: nbgrader is missing, or it complains.
    """
    resources: dict[str, Any] = {
        "nbgrader": {"notebook": name, "assignment": _COURSE, "db_url": f"sqlite:///{gradebook}"}
    }
    for step in steps:
        try:
            notebook, resources = preprocessor(step).preprocess(notebook, resources)
        except ParameterError:
            raise
        except Exception as error:  # nbgrader's own kinds are many
            raise ParameterError(f"{name}: {step} of nbgrader says: {' '.join(str(error).split())}") from error
    return notebook


def preprocessor(name: str, **traits: Any) -> Any:
    """One of nbgrader's preprocessors, quiet.

    Raises:
        ParameterError: nbgrader is missing.
    """
    try:
        from nbgrader import preprocessors
    except ImportError as error:
        raise ParameterError("nbgrader: expected to be installed; pip install 'lmc-utils[teach]' does it") from error
    quiet = logging.getLogger("lmc_utils.nbgrader")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    return getattr(preprocessors, name)(log=quiet, **traits)


def identity(cell: NotebookNode) -> str:
    """By what nbgrader knows a cell; empty for one that it does not know."""
    known = cell.metadata.get("nbgrader")
    name = known.get("grade_id") if isinstance(known, dict) else None
    return name if isinstance(name, str) else ""


def gradebook(source: Path, path: Path) -> None:
    """Write nbgrader's database of an exercise notebook's cells, from which `OverwriteCells` restores them.

    Raises:
        ParameterError: nbgrader is missing, or the source has a fault that it names.
    """
    notebook = with_hidden_tests(source)  # also says so where nbgrader is missing
    from nbgrader.api import Gradebook

    path.unlink(missing_ok=True)
    with _programs_of_this_python(), Gradebook(f"sqlite:///{path}") as book:
        book.add_assignment(_COURSE)
    process(notebook, ["SaveCells"], source.stem, path)


@contextmanager
def _programs_of_this_python() -> Iterator[None]:
    """Put this environment's programs on the PATH: nbgrader starts `alembic` by its bare name."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + before
    try:
        yield
    finally:
        os.environ["PATH"] = before
