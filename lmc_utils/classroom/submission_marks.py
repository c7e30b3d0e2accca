"""Mark one submission: restore protected cells, execute it, and count the points of its hidden tests.

This runs in a separate process (`python -m lmc_utils.classroom.submission_marks`), outside the sandbox, which receives
only the messages of the submission's kernel. nbgrader's preprocessors do the work; this module adds what they do not
handle: cells that never end, and cells that kill the kernel.
"""

from __future__ import annotations

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

from lmc_utils.classroom import answer_feedback, assignments, kernel, notebook_reading, sandbox, submissions
from lmc_utils.classroom.assignments import TEST_SUFFIX, grade_id
from lmc_utils.classroom.protected_cells import WRONG_FILE, restore
from lmc_utils.classroom.workspace import Limits, Workspace

_GIVEN_CELL_TIMEOUT = 600  # seconds for a locked cell: imports may be slow on a busy machine
_MAX_REMARK = 300  # characters of an error or hint in a remark
_KERNEL_DIED = "ends the kernel (does it take all memory?)"


@dataclass
class Marks:
    """Marks of one submission: points and possible points of each exercise, and the reason for each lost point."""

    points: dict[str, float] = field(default_factory=dict)
    out_of: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def mark_submission(
    submission: NotebookNode, source: Path, workspace: Workspace, *, limits: Limits, bwrap: str | None
) -> tuple[Marks, NotebookNode]:
    """Mark a submission by its exercise notebook; returns the marks and the executed notebook.

    Args:
        submission: not changed.
        source: the exercise notebook.
        workspace: of the submission.
        limits: on its resources.
        bwrap: path of bubblewrap; None for no sandbox.

    Raises:
        ParameterError: nbgrader complains about the source.
    """
    student = submissions.student_name(submission)
    tests = assignments.with_hidden_tests(source, student)
    notebook, remarks = restore(submission, tests, assignments.student_version(source, student))
    notebook = assignments.run_preprocessors(notebook, ["ClearOutput"], source.stem)
    if remarks == [WRONG_FILE]:
        return zero_marks(source, WRONG_FILE), notebook
    stopped = execute_submission(notebook, workspace, limits=limits, bwrap=bwrap)
    marks = count_points(notebook, tests, stopped, private=str(workspace.folder))
    return Marks(marks.points, marks.out_of, remarks + marks.remarks), notebook


def execute_submission(
    notebook: NotebookNode, workspace: Workspace, *, limits: Limits, bwrap: str | None
) -> dict[int, str]:
    """Execute every cell of a notebook in place, whatever errors, endless cells or dead kernels occur.

    A cell that cannot be interrupted or that kills the kernel is replaced by an error, as is every cell before it that
    exceeded its time limit, and the notebook runs again from the top.

    Returns:
        The reason for each replaced cell, by position.
    """
    from nbclient.exceptions import CellTimeoutError

    over, stopped = f"takes longer than {limits.cell_seconds:g} seconds", dict[int, str]()
    sources = [cell.source for cell in notebook.cells]

    def timeout(cell: NotebookNode) -> int:
        metadata = cell.metadata.get("nbgrader", {})
        return _GIVEN_CELL_TIMEOUT if metadata.get("locked") and not metadata.get("grade") else limits.cell_seconds

    workspace.messages.mkdir(exist_ok=True)
    with kernel.resource_watchdog(limits.memory):
        while True:
            started: list[int] = []
            messages = Path(tempfile.mkdtemp(prefix="", dir=workspace.messages))
            prefix = sandbox.command_prefix(bwrap, workspace, messages, disk=limits.disk) if bwrap else []
            try:
                executor = kernel.bounded_executor(
                    prefix, messages, timeout=timeout, timeout_message=over, started=started
                )
                executor.preprocess(notebook, {"metadata": {"path": str(workspace.home)}})
                break
            except (CellTimeoutError, RuntimeError) as error:  # RuntimeError if the kernel died
                left = [row for row in started if notebook.cells[row].cell_type == "code" and row not in stopped]
                if not left:
                    raise
                # The cell that ran, or, if it was replaced before, the last one before it that was not.
                stopped[left[-1]] = over if isinstance(error, CellTimeoutError) else _KERNEL_DIED
                for row, cell in enumerate(notebook.cells):
                    if any(output.get("ename") == "CellTimeoutError" for output in cell.get("outputs", [])):
                        stopped[row] = over
                    if row in stopped:
                        cell.source = "raise RuntimeError('stopped')"
    for row in stopped:
        notebook.cells[row].source = sources[row]
    assignments.run_preprocessors(notebook, ["LimitOutput"], "submission")
    return stopped


def count_points(
    notebook: NotebookNode, tests: NotebookNode, stopped: Mapping[int, str], *, private: str = ""
) -> Marks:
    """Count the points of an executed notebook: those of each test that ran without an error.

    A test of an exercise with parts shows the points of the correct parts; if it shows none, there are none. Warnings
    cost no points.

    Args:
        notebook: restored and executed.
        tests: the exercise notebook with hidden tests, which defines the points.
        stopped: from `execute_submission`.
        private: a folder to remove from error messages.
    """
    marks, rows = (
        Marks(out_of=_possible_points(tests)),
        {grade_id(cell): row for row, cell in enumerate(notebook.cells)},
    )
    cells = {exercise: [rows[n] for n in (exercise, exercise + TEST_SUFFIX) if n in rows] for exercise in marks.out_of}
    with_parts = {grade_id(cell) for cell in tests.cells if "award_points(" in cell.source}
    elsewhere = stopped.keys() - {row for both in cells.values() for row in both}
    marks.remarks += [f"cell {row + 1}: {stopped[row]}" for row in sorted(elsewhere)]
    for exercise, both in cells.items():
        test = notebook.cells[both[-1]]
        passed = test.execution_count and not _errors(test)
        must_show = exercise + TEST_SUFFIX in with_parts
        points, remark = _shown_points(test, marks.out_of[exercise], must_show=must_show) if passed else (0.0, "")
        marks.points[exercise] = points
        if remark:
            marks.remarks.append(f"{exercise}: {_plain_line(remark, private)}")
        elif not passed:
            reasons = (stopped.get(row) or _error_message(notebook.cells[row], private) for row in both)
            why = next(filter(None, reasons), "no points, for an unknown reason")
            marks.remarks.append(f"{exercise}: {why}")
    return marks


def zero_marks(source: Path, reason: str) -> Marks:
    """Zero marks for a submission that could not be executed, with the reason."""
    out_of = _possible_points(nbformat.read(source, as_version=4))
    return Marks(dict.fromkeys(out_of, 0.0), out_of, [reason])


def _possible_points(tests: NotebookNode) -> dict[str, float]:
    """The points of each exercise's test."""
    metadata = [cell.metadata.get("nbgrader", {}) for cell in tests.cells]
    return {each["grade_id"].removesuffix(TEST_SUFFIX): float(each["points"]) for each in metadata if each.get("grade")}


def _shown_points(test: NotebookNode, out_of: float, *, must_show: bool) -> tuple[float, str]:
    """The points that a passed test shows, by nbgrader's rule for partial credit, and the remark on them.

    That is its first value, if this is a number from 0 to the possible points. Otherwise it gets all points, or none if
    it must show them: its value was lost after too many outputs, or the submission changed how values are shown.
    """
    for output in test.get("outputs", []):
        if output.output_type == "execute_result":
            with suppress(ValueError, KeyError, TypeError):  # the kernel may send anything
                points = float(str(output["data"]["text/plain"]))
                if 0 <= points < out_of:
                    return points, str(output["data"].get("text/markdown", "some parts are wrong"))
                must_show = must_show and points != out_of
            break
    return (0.0, "the test showed no points") if must_show else (out_of, "")


def _errors(cell: NotebookNode) -> list[NotebookNode]:
    return [output for output in cell.get("outputs", []) if output.output_type == "error"]


def _error_message(cell: NotebookNode, private: str) -> str:
    """The error of an executed cell as one reproducible line; empty without an error."""
    if not (errors := _errors(cell)):
        return ""
    error = errors[-1]  # after a timeout, the interrupt comes first
    if error.ename == "NotImplementedError":
        return answer_feedback.UNANSWERED
    message = _plain_line(str(error.evalue), private)
    plain = message and error.ename in ("AssertionError", "CellTimeoutError")
    return message if plain else f"{error.ename}: {message}"


def _plain_line(message: str, private: str) -> str:
    """A message as one reproducible line, without private folders, colours and addresses."""
    message = message.replace(private, "") if private else message
    message = re.sub(r"\((?:\S*/)?\d+\.py, line", "(line", message)
    message = re.sub(r"\x1b\[[0-9;]*m", "", " ".join(message.split()))
    return re.sub(r"0x[0-9a-fA-F]+", "0x...", message)[:_MAX_REMARK]


def main(arguments: Sequence[str]) -> None:
    """Mark the submission in the current folder, a workspace; writes its marks as JSON, and the executed notebook.

    The arguments are those of `workspace.marking_job`: the exercise notebook, the folder of cached runs, the time
    limit of a cell in seconds, the limits of memory and disk in MiB, and the path of bubblewrap.
    """
    source, trained = Path(arguments[0]), Path(arguments[1]) if arguments[1] else None
    workspace, limits = Workspace(Path.cwd(), trained), Limits(*map(int, arguments[2:5]))
    kernel.limit_resources(limits)
    submission = notebook_reading.read_notebook(Path("submission.ipynb").read_bytes())
    marks, executed = mark_submission(submission, source, workspace, limits=limits, bwrap=arguments[5] or None)
    workspace.result.with_suffix(".ipynb").write_bytes(nbformat.writes(executed).encode("utf-8", "replace"))
    workspace.result.write_text(json.dumps(asdict(marks)))


if __name__ == "__main__":
    main(sys.argv[1:])
