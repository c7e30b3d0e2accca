"""Feedback pages for a class: one for each student, and a summary for the teacher. Nothing is sent anywhere."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lmc_utils.classroom.assignments import TEST_SUFFIX
from lmc_utils.classroom.class_list import safe_file_name
from lmc_utils.classroom.class_summary import ExerciseSummary, reason_for_lost_points, summarise_exercises
from lmc_utils.classroom.grade_table import format_points, merge_remarks
from lmc_utils.classroom.grading import GradedSubmission
from lmc_utils.classroom.students import students_of
from lmc_utils.classroom.submission_marks import Marks
from lmc_utils.publishing import standalone_page
from lmc_utils.publishing.markdown_html import block_html, inline_html

_TASK = "-task"
_TITLE = re.compile(r"## +\S+ · (.*)\n+")
_POSSIBLE_POINTS = re.compile(r"\s*\([\d.]+ points?\)\s*$")
_ERROR = re.compile(r"\b\w*(?:Error|Exception|Exit|Interrupt|Warning): ")  # quoted from Python, so not Markdown


def write(folder: Path, graded: Sequence[GradedSubmission]) -> list[Path]:
    """Write a page for each student with tasks, submitted answers, hints and points, without hidden tests.

    Args:
        folder: the folder of the pages; pages of the same names are replaced.
        graded: marked submissions; `students.students_of` determines the student, as in the table.

    Returns:
        The pages, in the order of the students' names.
    """
    by_student: dict[str, list[GradedSubmission]] = {}
    latest = _without_superseded(graded)
    for student, each in zip(students_of([each.submission for each in latest]), latest, strict=True):
        by_student.setdefault(student, []).append(each)
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, Path] = {}  # file systems of macOS and Windows do not distinguish capitals
    for name in sorted(by_student):
        page = folder / f"{safe_file_name(name) or 'nameless'}.html"
        while page.name.casefold() in written:  # used by another student
            page = page.with_name(f"{page.stem}_.html")
        standalone_page.write(page, name, "".join(map(_submission, by_student[name])))
        written[page.name.casefold()] = page
    return list(written.values())


def write_summary(page: Path, graded: Sequence[GradedSubmission]) -> None:
    """Write a summary of each exercise: a bar chart, a table, and the frequencies of mistakes."""
    latest = _without_superseded(graded)
    by_notebook: dict[str, list[Marks]] = {}
    for each in latest:
        if each.submission.notebook:
            by_notebook.setdefault(each.submission.notebook, []).append(each.marks)
    counted = sum(map(len, by_notebook.values()))
    body = f"<p>{counted} submissions were marked, {len(latest) - counted} files could not be;"
    body += " earlier versions are left out.</p>"
    for notebook, marks in sorted(by_notebook.items()):
        tallies = summarise_exercises(marks)
        body += f"<h2>{html.escape(notebook)}</h2>{_picture(tallies)}{_tallies(tallies)}"
    standalone_page.write(page, "How the exercises went", body)


def _without_superseded(graded: Sequence[GradedSubmission]) -> list[GradedSubmission]:
    return [each for each in graded if not each.submission.later]


def _submission(graded: GradedSubmission) -> str:
    submission, marks = graded.submission, graded.marks
    heading = f"<h2>{html.escape(submission.notebook or submission.name)}</h2>"
    points, out_of = (format_points(sum(values.values())) for values in (marks.points, marks.out_of))
    total = f"<p><b>{points} of {out_of} points</b>, '{html.escape(submission.name)}'</p>" if marks.out_of else ""
    of_all = [said for said in marks.remarks if said.partition(":")[0] not in marks.out_of]
    remarks = [said for said in (submission.remark, *merge_remarks(of_all)) if said]
    cells = _named_cells(graded.executed) if graded.executed else {}
    return heading + total + _list(remarks) + "".join(_exercise(name, marks, cells) for name in marks.out_of)


def _exercise(name: str, marks: Marks, cells: Mapping[str, str]) -> str:
    """Title and points of one exercise, its task, the submitted answer, and a hint if points were lost."""
    points, out_of = marks.points.get(name, 0.0), marks.out_of[name]
    task = cells.get(name + _TASK, "")
    title = _TITLE.match(task)
    heading = f"{name} · {title[1]}" if title else name
    body = _POSSIBLE_POINTS.sub("", task[title.end() :]) if title else ""
    return (
        f"<section><h3>{inline_html(heading)} ({format_points(points)} of {format_points(out_of)} points)</h3>"
        + block_html(body)
        + (f"<pre><code>{html.escape(cells[name])}</code></pre>" if name in cells else "")
        + (f"<p><b>Hint:</b> {_remark(reason_for_lost_points(marks, name))}</p>" if points < out_of else "")
        + "</section>"
    )


def _remark(text: str) -> str:
    """A remark as HTML: a hint is Markdown, one that quotes an error is plain text."""
    return html.escape(text) if _ERROR.search(text) else inline_html(text)


def _named_cells(executed: Path) -> dict[str, str]:
    """The sources of tasks and answers by name, without tests and outputs, as code may print hidden tests.

    Tasks are those of the book, as the grader restores protected cells.
    """
    cells = {
        str(cell["metadata"].get("nbgrader", {}).get("grade_id", "")): (cell["cell_type"], "".join(cell["source"]))
        for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]
    }
    return {
        name: source
        for name, (kind, source) in cells.items()
        if name and not name.endswith(TEST_SUFFIX) and (kind == "markdown") == name.endswith(_TASK)
    }


def _picture(tallies: dict[str, ExerciseSummary]) -> str:
    from lmc_utils.figures import class_results, elements, theme  # slow to import

    theme.use_theme()
    figure = class_results.bar_chart(
        {name: (each.solved, each.wrong, each.unanswered) for name, each in tallies.items()}
    )
    return elements.svg(figure, "For each exercise, the numbers of correct, wrong and missing answers.")


def _tallies(tallies: dict[str, ExerciseSummary]) -> str:
    def row(name: str, each: ExerciseSummary) -> list[str]:
        which = "; ".join(f"{count} × {said}" for said, count in each.mistakes.most_common())
        return [name, str(each.solved), str(each.wrong), str(each.unanswered), which]

    head = ["exercise", "solved", "a mistake", "not answered", "which"]
    return standalone_page.html_table([head, *(row(name, each) for name, each in tallies.items())])


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{_remark(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""
