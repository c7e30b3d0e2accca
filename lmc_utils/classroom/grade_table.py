"""The tables of marks as CSV: one with a row for each student, one with a row for each submitted file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from lmc_utils.classroom.students import students_of
from lmc_utils.classroom.submission_marks import Marks
from lmc_utils.classroom.submissions import Submission
from lmc_utils.formatting import one_line

_LONGEST = 20_000  # characters of a cell; spreadsheets allow some more


def students_as_csv(submissions: Sequence[Submission], marks: Sequence[Marks]) -> str:
    """Format the points of students as CSV, with a column for each exercise notebook that any of them submitted.

    Two counting files for the same notebook are always in two rows, see `students_of`. `out_of` is the sum over all of
    these notebooks, whether a student submitted them or not.

    >>> from pathlib import Path
    >>> toy, fork = (Submission(f"ann/{name}.ipynb", Path(name), b"", name, "") for name in ("01_toy", "02_fork"))
    >>> of_fork = Marks({"fork-1": 0.0}, {"fork-1": 2.0}, ["fork-1: Not answered yet."])
    >>> print(students_as_csv([toy, fork], [Marks({"toy-1": 1.0}, {"toy-1": 1.0}), of_fork]), end="")
    student,01_toy,02_fork,total,out_of,remarks
    ann,1,0,1,3,fork-1: Not answered yet.
    """
    out_of = {str(each.notebook): sum(of.out_of.values()) for each, of in zip(submissions, marks, strict=True)}
    notebooks = sorted({each.notebook for each in submissions if each.notebook})
    possible = format_points(sum(out_of[name] for name in notebooks)) if notebooks else ""
    by_student: dict[str, list[tuple[Submission, Marks]]] = {}
    for student, file in zip(students_of(submissions), zip(submissions, marks, strict=True), strict=True):
        by_student.setdefault(student, []).append(file)
    table = [["student", *notebooks, "total", "out_of", "remarks"]]
    for student, theirs in sorted(by_student.items(), key=lambda each: (each[0].casefold(), each[0])):
        points = {each.notebook: sum(of.points.values()) for each, of in theirs if each.notebook}
        cells = [format_points(points[name]) if name in points else "" for name in notebooks]
        remarks = [
            f"'{each.name}': {text}" if text == each.remark and len(theirs) > 1 else text
            for each, of in theirs
            for text in _remarks(each, of)
        ]
        total = format_points(sum(points.values()))
        table.append([student, *cells, total, possible, "; ".join(dict.fromkeys(remarks))])
    return _as_csv(table)


def files_as_csv(submissions: Sequence[Submission], marks: Sequence[Marks]) -> str:
    """Format the marks of submitted files as CSV, with a column for each exercise that any of them contains.

    >>> from pathlib import Path
    >>> one = Submission("ann.ipynb", Path("ann.ipynb"), b"", "01_toy_exercises", "")
    >>> marks = Marks({"toy-1": 1.0}, {"toy-1": 1.0, "toy-2": 2.0}, ["toy-2: Not answered yet."])
    >>> print(files_as_csv([one], [marks]), end="")
    submission,notebook,points,out_of,toy-1,toy-2,remarks
    ann.ipynb,01_toy_exercises,1,3,1,0,toy-2: Not answered yet.
    """
    by_notebook = sorted(zip(map(str, (each.notebook for each in submissions)), marks, strict=True), key=lambda x: x[0])
    exercises = list(dict.fromkeys(name for _, each in by_notebook for name in each.out_of))
    table = [["submission", "notebook", "points", "out_of", *exercises, "remarks"]]
    for submission, each in zip(submissions, marks, strict=True):
        points = [format_points(each.points.get(name, 0.0)) if name in each.out_of else "" for name in exercises]
        total = format_points(sum(each.out_of.values())) if each.out_of else ""
        row = [submission.name, submission.notebook or "", format_points(sum(each.points.values())), total]
        table.append([*row, *points, "; ".join(_remarks(submission, each))])
    return _as_csv(table)


def merge_remarks(remarks: Sequence[str]) -> list[str]:
    """Merge equal remarks on several exercises into one.

    >>> merge_remarks(["toy-1: Not answered yet.", "toy-2: That is the square.", "toy-3: Not answered yet."])
    ['toy-1, toy-3: Not answered yet.', 'toy-2: That is the square.']
    """
    names: dict[str, list[str]] = {}
    for remark in remarks:
        name, colon, text = remark.partition(": ")
        names.setdefault(text if colon else remark, []).append(name if colon else "")
    return [f"{', '.join(exercises)}: {text}" if any(exercises) else text for text, exercises in names.items()]


def format_points(value: float) -> str:
    """Points without needless zeros."""
    return f"{value:g}"


def _remarks(submission: Submission, marks: Marks) -> list[str]:
    return [remark for remark in (submission.remark, *merge_remarks(marks.remarks)) if remark]


def _as_csv(table: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_safe_cell(cell) for cell in row] for row in table)
    return text.getvalue()


def _safe_cell(cell: str) -> str:
    """A cell on one line that no spreadsheet evaluates as a formula, whatever the kernel printed."""
    line = one_line(cell, _LONGEST)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") else line
