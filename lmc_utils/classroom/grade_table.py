"""The table of marks as CSV: one line for each submission."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from lmc_utils.classroom.submission_marks import Marks
from lmc_utils.classroom.submissions import Submission
from lmc_utils.formatting import one_line

_LONGEST = 20_000  # characters of a cell; spreadsheets allow some more


def as_csv(submissions: Sequence[Submission], marks: Sequence[Marks]) -> str:
    """Format the marks of submissions as CSV, with a column for each exercise that any of them contains.

    >>> from pathlib import Path
    >>> one = Submission("ann.ipynb", Path("ann.ipynb"), b"", "01_toy_exercises", "")
    >>> marks = Marks({"toy-1": 1.0}, {"toy-1": 1.0, "toy-2": 2.0}, ["toy-2: Not answered yet."])
    >>> print(as_csv([one], [marks]), end="")
    submission,notebook,points,out_of,toy-1,toy-2,remarks
    ann.ipynb,01_toy_exercises,1,3,1,0,toy-2: Not answered yet.
    """
    by_notebook = sorted(zip(map(str, (each.notebook for each in submissions)), marks, strict=True), key=lambda x: x[0])
    exercises = list(dict.fromkeys(name for _, each in by_notebook for name in each.out_of))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["submission", "notebook", "points", "out_of", *exercises, "remarks"])
    for submission, each in zip(submissions, marks, strict=True):
        points = [format_points(each.points.get(name, 0.0)) if name in each.out_of else "" for name in exercises]
        total = format_points(sum(each.out_of.values())) if each.out_of else ""
        remarks = "; ".join(remark for remark in (submission.remark, *merge_remarks(each.remarks)) if remark)
        row = [submission.name, submission.notebook or "", format_points(sum(each.points.values())), total]
        rows.writerow([_safe_cell(cell) for cell in (*row, *points, remarks)])
    return text.getvalue()


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


def _safe_cell(cell: str) -> str:
    """A cell on one line that no spreadsheet evaluates as a formula, whatever the kernel printed."""
    line = one_line(cell, _LONGEST)
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") else line
