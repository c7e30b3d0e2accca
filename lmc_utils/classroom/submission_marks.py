"""Mark one submission: restore what may not be changed, execute it, and count the points of its hidden tests.

It runs in a process of its own (`python -m lmc_utils.classroom.submission_marks`), outside of the sandbox, and learns
from the submitted code only what its kernel reports. nbgrader's preprocessors do the work; this module handles what
they leave open: cells that never end, and cells that kill the kernel.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lmc_utils.classroom import answer_feedback, assignments, kernel, sandbox, submissions
from lmc_utils.classroom.assignments import grade_id
from lmc_utils.classroom.protected_cells import WRONG_FILE, restore
from lmc_utils.classroom.workspace import Limits, Workspace

_TEST = "-test"
_PATIENCE = 600  # seconds for a cell that students are given: on a busy machine imports alone may take some
_LONGEST = 200  # characters of an error that a remark quotes
_ENDS = "ends the kernel (does it take all memory?)"


@dataclass
class Marks:
    """What one submission gets: points of each exercise, out of how many, and a line for all that cost some."""

    points: dict[str, float] = field(default_factory=dict)
    out_of: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ExecutionContext:
    """Where the code of a submission runs, and what bounds it.

    Attributes:
        box: its sandbox.
        bounds: what it may take.
        wall: the program that builds the wall around it; None where there is none.
    """

    box: Workspace
    bounds: Limits
    wall: str | None = None


def mark_submission(submission: NotebookNode, source: Path, place: ExecutionContext) -> tuple[Marks, NotebookNode]:
    """Mark a submission, which is not changed, by its exercise notebook: the marks, and it as it was executed.

    Raises:
        ParameterError: nbgrader is missing, or complains about the source.
    """
    student = submissions.student_name(submission)
    given, handed_out = assignments.with_hidden_tests(source, student), assignments.student_version(source, student)
    notebook, remarks = restore(submission, given, handed_out)
    notebook = assignments.run_preprocessors(notebook, ["ClearOutput"], source.stem)
    if remarks == [WRONG_FILE]:
        return zero_marks(source, WRONG_FILE), notebook
    stopped = execute_submission(notebook, place)
    marks = count_points(notebook, given, stopped, str(place.box.folder))
    return Marks(marks.points, marks.out_of, remarks + marks.remarks), notebook


def execute_submission(notebook: NotebookNode, place: ExecutionContext) -> dict[int, str]:
    """Execute a notebook in place, every cell of it: errors do not stop it, nor do cells that never end.

    A cell that cannot be interrupted, or that ends the kernel, is replaced by an error, as is every cell that took too
    long before it, and the notebook runs again from the top.

    Returns:
        For the positions of the cells that were replaced, why.
    """
    from nbclient.exceptions import CellTimeoutError

    limit, all_messages = place.bounds.limit, place.box.messages
    over, stopped = f"takes longer than {limit:g} seconds", dict[int, str]()
    sources = [cell.source for cell in notebook.cells]

    def seconds(cell: NotebookNode) -> int:
        marked = cell.metadata.get("nbgrader", {})
        return _PATIENCE if marked.get("locked") and not marked.get("grade") else limit

    all_messages.mkdir(exist_ok=True)
    with kernel.resource_watchdog(place.bounds.memory):
        while True:
            begun: list[int] = []
            messages = Path(tempfile.mkdtemp(prefix="", dir=all_messages))
            before = sandbox.command_prefix(place.wall, place.box, messages, place.bounds.disk) if place.wall else []
            try:
                runner = kernel.bounded_executor(before, messages, seconds, over, begun)
                runner.preprocess(notebook, {"metadata": {"path": str(place.box.home)}})
                break
            except (CellTimeoutError, RuntimeError) as error:  # the second, also where the kernel has died
                left = [row for row in begun if notebook.cells[row].cell_type == "code" and row not in stopped]
                if not left:
                    raise
                # The cell that ran, or, where that one runs no more, the last one before it that does.
                stopped[left[-1]] = over if isinstance(error, CellTimeoutError) else _ENDS
                for row, cell in enumerate(notebook.cells):
                    if any(output.get("ename") == "CellTimeoutError" for output in cell.get("outputs", [])):
                        stopped[row] = over
                    if row in stopped:
                        cell.source = "raise RuntimeError('stopped')"
    for row in stopped:
        notebook.cells[row].source = sources[row]
    assignments.run_preprocessors(notebook, ["LimitOutput"], "submission")
    return stopped


def count_points(notebook: NotebookNode, given: NotebookNode, stopped: Mapping[int, str], private: str = "") -> Marks:
    """Count the points of an executed notebook, and say what cost some: a test that ran without an error gives its own.

    A warning on standard error costs no points, and no output gives any. `given`, the exercise notebook, says what
    there is to get, `stopped` what `execute_submission` did; the folder `private`, another one each time, is not named.
    """
    marks, rows = Marks(out_of=_out_of(given)), {grade_id(cell): row for row, cell in enumerate(notebook.cells)}
    cells = {exercise: [rows[n] for n in (exercise, exercise + _TEST) if n in rows] for exercise in marks.out_of}
    elsewhere = stopped.keys() - {row for both in cells.values() for row in both}
    marks.remarks += [f"cell {row + 1}: {stopped[row]}" for row in sorted(elsewhere)]
    for exercise, both in cells.items():
        test = notebook.cells[both[-1]]
        passed = test.execution_count and not _errors(test)
        marks.points[exercise] = marks.out_of[exercise] if passed else 0.0
        if not passed:
            reasons = (stopped.get(row) or _complaint(notebook.cells[row], private) for row in both)
            why = next(filter(None, reasons), "no points, for a reason it does not say")
            marks.remarks.append(f"{exercise}: {why}")
    return marks


def zero_marks(source: Path, why: str) -> Marks:
    """The marks of a submission that came to nothing."""
    out_of = _out_of(nbformat.read(source, as_version=4))
    return Marks(dict.fromkeys(out_of, 0.0), out_of, [why])


def _out_of(given: NotebookNode) -> dict[str, float]:
    """The points of each exercise's test."""
    marked = [cell.metadata.get("nbgrader", {}) for cell in given.cells]
    return {each["grade_id"].removesuffix(_TEST): float(each["points"]) for each in marked if each.get("grade")}


def _errors(cell: NotebookNode) -> list[NotebookNode]:
    return [output for output in cell.get("outputs", []) if output.output_type == "error"]


def _complaint(cell: NotebookNode, private: str) -> str:
    """What an executed cell ended in, in one line that is the same each time; empty if it ended well."""
    if not (errors := _errors(cell)):
        return ""
    error = errors[-1]  # a cell that took too long has been interrupted before
    if error.ename == "NotImplementedError":
        return answer_feedback.UNANSWERED
    said = str(error.evalue).replace(private, "") if private else str(error.evalue)
    said = re.sub(r"\((?:\S*/)?\d+\.py, line", "(line", said)
    said = re.sub(r"0x[0-9a-fA-F]+", "0x...", re.sub(r"\x1b\[[0-9;]*m", "", " ".join(said.split())))[:_LONGEST]
    return said if said and error.ename in ("AssertionError", "CellTimeoutError") else f"{error.ename}: {said}"


def _contain(bounds: Limits) -> None:
    """Where the system can, bound what each process allocates and writes, and keep what it leaves running below it.

    Where the machine has no memory left all the same, these are the first to be ended.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(ImportError, ValueError, OSError):
        import resource

        for kind, mebibytes in {resource.RLIMIT_DATA: bounds.memory, resource.RLIMIT_FSIZE: bounds.disk}.items():
            resource.setrlimit(kind, (mebibytes * 2**20, mebibytes * 2**20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def main(arguments: Sequence[str]) -> None:
    """Mark the submission of the sandbox that this is run in: its marks as JSON, then the executed notebook.

    The arguments are those of `workspace.marking_job`: the exercise notebook, the folder of trained runs, the time
    limit of a cell in seconds, the limits of memory and disk in MiB, and the program that builds the sandbox.
    """
    source, trained = Path(arguments[0]), Path(arguments[1]) if arguments[1] else None
    limit, memory, disk = map(int, arguments[2:5])
    place = ExecutionContext(Workspace(Path.cwd(), trained), Limits(limit, memory, disk), arguments[5] or None)
    _contain(place.bounds)
    submission = submissions.read_notebook(Path("submission.ipynb").read_bytes())
    marks, executed = mark_submission(submission, source, place)
    text = nbformat.writes(executed)
    place.box.result.with_suffix(".ipynb").write_bytes(text.encode("utf-8", "replace"))
    place.box.result.write_text(json.dumps(asdict(marks)))


if __name__ == "__main__":
    main(sys.argv[1:])
