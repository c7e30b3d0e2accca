"""Mark one submission: restore what may not be changed, execute it, and count the points of its hidden tests.

It runs in a process of its own (`python -m lmc_utils.classroom.marking`), so that what a submission does to Python, to
its folder or to the package ends with it. nbgrader's preprocessors do the work; here is what they leave open: cells
that never end, and cells that take the kernel with them.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import json
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from lmc_utils.classroom import assignments, judging, submissions
from lmc_utils.classroom.assignments import identity
from lmc_utils.classroom.restoring import WRONG_FILE, restore
from lmc_utils.running.notebooks import kernel_of_this_python

_TEST = "-test"
_PATIENCE = 600  # seconds for a cell that students are given: on a busy machine imports alone may take some
_LONGEST = 200  # characters of an error that a remark quotes


@dataclass
class Marks:
    """What one submission gets.

    Attributes:
        points: for each exercise, what its tests gave.
        out_of: for each exercise, what they could have given.
        remarks: a line for whatever cost points or was put right.
    """

    points: dict[str, float] = field(default_factory=dict)
    out_of: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def mark(
    submission: NotebookNode, source: Path, gradebook: Path, folder: Path, limit: int
) -> tuple[Marks, NotebookNode]:
    """Mark one submission.

    Args:
        submission: as it was handed in; it is not changed.
        source: the exercise notebook, with its hidden tests.
        gradebook: what `assignments.gradebook` wrote of it.
        folder: where the submission's code runs.
        limit: seconds a single cell may take.

    Returns:
        The marks, and the notebook as it was executed.

    Raises:
        ParameterError: nbgrader is missing, or complains about the source.
    """
    given, handed_out = assignments.with_hidden_tests(source), assignments.release(source)
    notebook, remarks = restore(submission, given, handed_out)
    steps = ["ClearOutput", "OverwriteKernelspec", "OverwriteCells"]
    notebook = assignments.process(notebook, steps, source.stem, gradebook)
    if remarks == [WRONG_FILE]:
        return nothing(source, WRONG_FILE), notebook
    stopped = execute(notebook, folder, limit)
    marks = count(notebook, given, stopped, str(folder.parents[1]))
    return Marks(marks.points, marks.out_of, remarks + marks.remarks), notebook


def execute(notebook: NotebookNode, folder: Path, limit: int) -> dict[int, str]:
    """Execute a notebook in place, every cell of it: errors do not stop it, nor do cells that never end.

    A cell that cannot be interrupted, or that ends the kernel, is replaced by an error, as is every cell that took too
    long before it, and the notebook runs again from the top.

    Args:
        notebook: its outputs are replaced.
        folder: where it runs.
        limit: seconds a single cell may take.

    Returns:
        For the positions of the cells that were replaced, why.
    """
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    stopped: dict[int, str] = {}
    sources = {row: cell.source for row, cell in enumerate(notebook.cells)}
    with kernel_of_this_python():
        while True:
            runner = _runner(limit)
            try:
                runner.preprocess(notebook, {"metadata": {"path": str(folder)}})
                break
            except (CellTimeoutError, DeadKernelError, RuntimeError) as error:
                row = _to_blame(notebook, runner.position, stopped)
                if row is None:
                    raise
                over = isinstance(error, CellTimeoutError)
                stopped[row] = _over(limit) if over else "ends the kernel (does it take all memory?)"
                stopped |= {row: _over(limit) for row, cell in enumerate(notebook.cells) if _took_too_long(cell)}
                for row in stopped:
                    notebook.cells[row].source = "raise RuntimeError('stopped')"
    for row in stopped:
        notebook.cells[row].source = sources[row]
    assignments.process(notebook, ["LimitOutput"], "submission")
    return stopped


def count(notebook: NotebookNode, given: NotebookNode, stopped: Mapping[int, str], private: str = "") -> Marks:
    """Count the points of an executed notebook, as nbgrader does, and say what cost some.

    Args:
        notebook: executed.
        given: the exercise notebook, for what there is to get.
        stopped: from `execute`.
        private: a folder that is not named in a remark, as it is another one each time.
    """
    from nbgrader.utils import determine_grade

    marks = Marks()
    tests = {identity(cell): cell for cell in given.cells if cell.metadata.get("nbgrader", {}).get("grade")}
    rows = {identity(cell): row for row, cell in enumerate(notebook.cells) if identity(cell)}
    for row, cell in enumerate(notebook.cells):
        if row in stopped and identity(cell) not in tests and identity(cell).removesuffix(_TEST) + _TEST not in tests:
            marks.remarks.append(f"cell {row + 1}: {stopped[row]}")
    for name, test in tests.items():
        exercise = name.removesuffix(_TEST)
        marks.out_of[exercise] = float(test.metadata.nbgrader["points"])
        executed = notebook.cells[rows[name]]
        points = determine_grade(_errors_only(executed))[0] if executed.execution_count else 0.0
        marks.points[exercise] = float(points or 0.0)
        if marks.points[exercise] < marks.out_of[exercise]:
            reasons = (
                stopped.get(rows[cell]) or _complaint(notebook.cells[rows[cell]], private)
                for cell in (exercise, name)
                if cell in rows
            )
            marks.remarks.append(
                f"{exercise}: {next(filter(None, reasons), 'no points, for a reason it does not say')}"
            )
    return marks


def nothing(source: Path, why: str) -> Marks:
    """The marks of a submission that came to nothing."""
    cells = nbformat.read(source, as_version=4).cells
    tests = [cell.metadata.nbgrader for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    out_of = {test["grade_id"].removesuffix(_TEST): float(test["points"]) for test in tests}
    return Marks(dict.fromkeys(out_of, 0.0), out_of, [why])


def _to_blame(notebook: NotebookNode, position: int | None, stopped: Mapping[int, str]) -> int | None:
    """The cell that ran when the kernel ended, or, where that one runs no more, the last one before it that does."""
    if position is None:
        return None
    rows = (row for row in range(position, -1, -1) if notebook.cells[row].cell_type == "code")
    return next((row for row in rows if row not in stopped), None)


def _took_too_long(cell: NotebookNode) -> bool:
    return any(output.get("ename") == "CellTimeoutError" for output in cell.get("outputs", []))


def _is_given(cell: NotebookNode) -> bool:
    """Whether it is locked, and no test: nothing in it is a student's."""
    marked = cell.metadata.get("nbgrader", {})
    return bool(marked.get("locked")) and not marked.get("grade")


def _over(limit: float) -> str:
    return f"takes longer than {limit:g} seconds"


def _runner(limit: int) -> Any:
    """nbgrader's `Execute`, which knows how far it has come."""
    # `exit()` leaves a notebook, and would leave the cells behind it without marks.
    staying = "--IPKernelApp.exec_lines=get_ipython().ask_exit = lambda: None"
    execute = assignments.preprocessor(
        "Execute", timeout=limit, kernel_name="python3", extra_arguments=["--IPKernelApp.log_level=50", staying]
    )
    execute.position = None
    execute.timeout_func = lambda cell: _PATIENCE if _is_given(cell) else limit
    execute.error_on_timeout = {
        "ename": "CellTimeoutError",
        "evalue": _over(limit),
        "traceback": [f"CellTimeoutError: {_over(limit)}"],
    }
    step = execute.preprocess_cell

    def preprocess_cell(cell: NotebookNode, resources: Any, index: int) -> Any:
        execute.position = index
        return step(cell, resources, index)

    execute.preprocess_cell = preprocess_cell
    return execute


def _complaint(cell: NotebookNode, private: str) -> str:
    """What an executed cell ended in, in one line that is the same each time; empty if it ended well."""
    errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
    if not errors:
        return ""
    error = errors[-1]  # a cell that took too long has been interrupted before
    if error.ename == "NotImplementedError":
        return judging.UNANSWERED
    said = str(error.evalue).replace(private, "") if private else str(error.evalue)
    said = re.sub(r"\((?:\S*/)?\d+\.py, line", "(line", said)
    said = re.sub(r"0x[0-9a-fA-F]+", "0x...", re.sub(r"\x1b\[[0-9;]*m", "", " ".join(said.split())))[:_LONGEST]
    return said if said and error.ename in ("AssertionError", "CellTimeoutError") else f"{error.ename}: {said}"


def _errors_only(cell: NotebookNode) -> NotebookNode:
    """A test as nbgrader should see it: a warning on standard error costs no points, and no output gives any."""
    bare = copy.deepcopy(cell)
    bare.outputs = [output for output in cell.outputs if output.output_type == "error"]
    return bare


def _adopt_orphans() -> None:
    """Let what a submission leaves running be found below this process, on Linux."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _bound_memory(mebibytes: int) -> None:
    """Bound what the kernel may allocate, where the system can."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (mebibytes * 2**20, mebibytes * 2**20))


def _end_children() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


def main(arguments: list[str] | None = None) -> None:
    """Mark the submission that the command line names and write its marks as JSON, then the executed notebook."""
    parser = argparse.ArgumentParser(prog="python -m lmc_utils.classroom.marking", description=__doc__)
    for name in ("submission", "source", "gradebook", "folder", "result"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--limit", type=int, required=True)
    parser.add_argument("--memory", type=int, required=True)
    given = parser.parse_args(arguments)
    _adopt_orphans()
    _bound_memory(given.memory)
    try:
        submission = submissions.read(given.submission.read_bytes())
        marks, executed = mark(submission, given.source, given.gradebook, given.folder, given.limit)
    finally:
        _end_children()
    given.result.write_text(json.dumps(asdict(marks)))
    nbformat.write(executed, given.result.with_suffix(".ipynb"))


if __name__ == "__main__":
    main(sys.argv[1:])
