"""`lmc assign` and `lmc grade`: exercises handed out, submissions marked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from lmc_utils.classroom.workspace import Limits
from lmc_utils.cli.options import Root
from lmc_utils.settings import require


def assign(
    notebook: Annotated[list[str] | None, Argument(help="Stems such as 01_toy_exercises; all by default.")] = None,
    *,
    out: Annotated[
        Path | None, Option("--out", "-o", help="The folder to write to; default _build/assignments.")
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace files of another content.")] = False,
    students: Annotated[
        Path | None, Option("--for", help="A CSV with a column 'student': numbers of their own for each.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Write the student versions of the exercise notebooks: without solutions and hidden tests."""
    from lmc_utils.classroom import assignments, class_list
    from lmc_utils.running import notebooks

    folder = root / "notebooks" / "exercises"
    stems = notebook or [path.stem for path in notebooks.notebook_paths(folder)]
    require(bool(stems), "root", "a checkout of the book with exercise notebooks", str(root.resolve()))
    sources = [notebooks.find(stem, folder).path for stem in stems]
    whose = class_list.student_folders(students) if students else None
    for written in assignments.write(sources, out or root / "_build" / "assignments", force=force, students=whose):
        typer.echo(written)
    for exercise, both in class_list.equal_answers(list(whose or ()), assignments.exercise_names(sources)):
        typer.echo(f"lmc: {exercise}: {both[0]} and {both[1]} happen to have the same answer", err=True)


def grade(
    submission: Annotated[list[Path], Argument(help="Files, or folders of files, one or more of a student.")],
    *,
    table: Annotated[Path, Option("--csv", help="The table to write.")] = Path("grades.csv"),
    jobs: Annotated[int, Option(min=1, help="Submissions marked at a time.")] = 2,
    limit: Annotated[int, Option(min=1, help="Seconds a single cell may take.")] = Limits.cell_seconds,
    memory: Annotated[int, Option(min=512, help="MiB of memory a submission may take.")] = Limits.memory,
    executed: Annotated[Path | None, Option(help="A folder for the submissions as they were executed.")] = None,
    feedback: Annotated[Path | None, Option(help="A folder for a page to hand back to each student.")] = None,
    summary: Annotated[Path | None, Option(help="A page on how each exercise went.")] = None,
    fresh: Annotated[bool, Option("--fresh", help="Mark anew what was marked before.")] = False,
    root: Root = Path(),
) -> None:
    """Mark submissions of exercise notebooks: a CSV with points and with a reason for each that was lost."""
    from lmc_utils.classroom import grading
    from lmc_utils.publishing import feedback as handing_back
    from lmc_utils.publishing import standalone_page

    standalone_page.require_html_name(summary, "summary")
    others = {name: path for name, path in {"feedback": feedback, "summary": summary}.items() if path}
    limits = Limits(limit, memory)
    graded = grading.grade(
        submission, table, root=root, jobs=jobs, limits=limits, fresh=fresh, executed=executed, other_outputs=others
    )
    typer.echo(f"{table}: {len(graded)} submission{'' if len(graded) == 1 else 's'}")
    if feedback is not None:
        typer.echo(f"{feedback}: {len(handing_back.write(feedback, graded))} pages")
    if summary is not None:
        handing_back.write_summary(summary, graded)
        typer.echo(summary)
