"""`lmc assign` and `lmc grade`: hand out exercises and grade submissions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from lmc_utils.classroom.workspace import Limits
from lmc_utils.cli.options import CellTimeout, HtmlFile, Root
from lmc_utils.settings import ParameterError


def assign(
    notebook: Annotated[
        list[str] | None,
        Argument(help="Exercise notebooks, such as 01_toy_exercises, or just 01; default: all."),
    ] = None,
    *,
    out: Annotated[Path | None, Option("--out", "-o", help="Output folder; default: _build/assignments.")] = None,
    force: Annotated[bool, Option("--force", help="Overwrite existing files with different content.")] = False,
    students: Annotated[
        Path | None, Option("--for", help="CSV file with a column 'student': give each student individual numbers.")
    ] = None,
    install: Annotated[
        str | None,
        Option(help="What students install with pip; default: lmc-utils[sweep], from the clone's origin if public."),
    ] = None,
    root: Root = Path(),
) -> None:
    """Write the student versions of the exercise notebooks, without solutions and hidden tests."""
    from lmc_utils.classroom import assignments, class_list
    from lmc_utils.publishing.source_links import pip_requirement
    from lmc_utils.running import notebooks

    folder = root / "notebooks" / "exercises"
    stems = notebook or [path.stem for path in notebooks.notebook_paths(folder)]
    if not stems:
        raise ParameterError(
            f"'{root.resolve()}' is not a checkout of the book: it has no exercise notebooks; give --root"
        )
    sources = [notebooks.find(stem, folder).path for stem in stems]
    whose = class_list.student_folders(students) if students else None
    folder, install = out or root / "_build" / "assignments", pip_requirement(root) if install is None else install
    for written in assignments.write(sources, folder, force=force, students=whose, install=install):
        typer.echo(written)
    for exercise, both in class_list.equal_answers(list(whose or ()), assignments.exercise_names(sources)):
        typer.echo(f"lmc: {exercise}: {both[0]} and {both[1]} happen to have the same answer", err=True)


def grade(
    submission: Annotated[
        list[Path], Argument(help="Submitted notebooks, or folders or zip archives that contain them.")
    ],
    *,
    out: Annotated[Path, Option("--out", "-o", help="Output table, with a row for each student.")] = Path("grades.csv"),
    table: Annotated[
        Path | None,
        Option("--csv", metavar="FILE", help="Table with a row for each file; default: OUT with _files in its name."),
    ] = None,
    html: HtmlFile = None,
    feedback: Annotated[Path | None, Option(help="Write a feedback page for each student to this folder.")] = None,
    executed: Annotated[Path | None, Option(help="Write the executed submissions to this folder.")] = None,
    jobs: Annotated[int, Option(min=1, help="Number of submissions graded in parallel.")] = 2,
    timeout: CellTimeout = Limits.cell_seconds,
    memory: Annotated[int, Option(min=512, help="Memory limit per submission, in MiB.")] = Limits.memory,
    force: Annotated[bool, Option("--force", help="Grade again submissions whose marks are cached.")] = False,
    root: Root = Path(),
) -> None:
    """Grade submitted exercise notebooks: tables of points and remarks, feedback, and a summary of the class."""
    from lmc_utils.classroom import grading
    from lmc_utils.classroom.students import students_of
    from lmc_utils.publishing import feedback as feedback_pages

    files = table or grading.files_table(out)
    others = {name: path for name, path in {"csv": files, "feedback": feedback, "html": html}.items() if path}
    graded = grading.grade(
        submission, out, root=root, jobs=jobs, limits=Limits(timeout, memory), force=force, executed=executed,
        other_outputs=others,
    )  # fmt: skip
    students = len(set(students_of([each.submission for each in graded])))
    typer.echo(f"{out}: {students} student{'' if students == 1 else 's'}")
    typer.echo(f"{files}: {len(graded)} submission{'' if len(graded) == 1 else 's'}")
    if feedback is not None:
        typer.echo(f"{feedback}: {len(feedback_pages.write(feedback, graded))} pages")
    if html is not None:
        feedback_pages.write_summary(html, graded)
        typer.echo(html)
