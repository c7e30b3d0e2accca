"""Feedback pages for a class: one for each student, and a summary for the teacher. Nothing is sent anywhere."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lmc_utils.classroom.class_list import safe_file_name
from lmc_utils.classroom.class_summary import ExerciseSummary, reason_for_lost_points, summarise_exercises
from lmc_utils.classroom.grade_table import format_points, merge_remarks
from lmc_utils.classroom.grading import GradedSubmission
from lmc_utils.classroom.students import students_of
from lmc_utils.classroom.submission_marks import Marks
from lmc_utils.publishing import standalone_page

_TEST = re.compile(r"-(?:test|task)$")


def write(folder: Path, graded: Sequence[GradedSubmission]) -> list[Path]:
    """Write a page for each student with points, hints for lost points, and submitted answers, without hidden tests.

    Args:
        folder: the folder of the pages; one from an earlier call is replaced.
        graded: marked submissions; `students.students_of` determines the student, as in the table.

    Returns:
        The pages, in the order of the students' names.
    """
    by_student: dict[str, list[GradedSubmission]] = {}
    latest = _without_superseded(graded)
    for student, each in zip(students_of([each.submission for each in latest]), latest, strict=True):
        by_student.setdefault(student, []).append(each)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name in sorted(by_student):
        page = folder / f"{safe_file_name(name) or 'nameless'}.html"
        while page in written:  # used by another student
            page = page.with_name(f"{page.stem}_.html")
        standalone_page.write(page, name, "".join(map(_submission, by_student[name])))
        written.append(page)
    return written


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
    answers = _answers(graded.executed) if graded.executed else {}
    exercises = (
        f"<h3>{html.escape(exercise)}: {format_points(marks.points.get(exercise, 0.0))} of {format_points(of)}</h3>"
        + ("" if marks.points.get(exercise) else f"<p>{html.escape(reason_for_lost_points(marks, exercise))}</p>")
        + answers.get(exercise, "")
        for exercise, of in marks.out_of.items()
    )
    return heading + total + _list(remarks) + "".join(exercises)


def _answers(executed: Path) -> dict[str, str]:
    """The submitted answers by exercise, as HTML, without tests and outputs, as code may print hidden tests."""
    result: dict[str, str] = {}
    for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]:
        name = str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))
        if cell["cell_type"] == "code" and name and not _TEST.search(name):
            code = html.escape("".join(cell["source"]))
            result[name] = f"<pre><code>{code}</code></pre>"
    return result


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
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""
