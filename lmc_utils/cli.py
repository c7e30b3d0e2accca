"""Run, check and publish the notebooks of the book."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
from typer import Argument, Option

from lmc_utils import cli_connect, cli_read, cli_sweep, progress
from lmc_utils.classroom import assignments, class_list, grading
from lmc_utils.classroom.workspace import Bounds
from lmc_utils.formatting import one_line, shown
from lmc_utils.provenance import write_whole
from lmc_utils.publishing import build, pdf, run_page, standalone_page
from lmc_utils.publishing import feedback as handing_back
from lmc_utils.publishing.site import Site
from lmc_utils.resources import readable
from lmc_utils.running import notebook_files, notebooks, parameter_cells, readable_notebook, yaml_values
from lmc_utils.settings import PRESET_NAMES, ParameterError, require, require_choice


class _Commands(typer.core.TyperGroup):
    """Commands that turn what a user can mend into one line on standard error."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except (ParameterError, notebooks.ExecutionError, OSError) as error:  # the last: a full disk, a locked folder
            message, status = str(error), 2 if isinstance(error, ParameterError) else 1
        except KeyboardInterrupt as interrupt:
            message, status = f"interrupted; {str(interrupt) or 'what was finished is kept'}", 130
        sys.stderr.write(f"lmc: {one_line(message)}\n")
        sys.exit(status)


app = typer.Typer(
    cls=_Commands, help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

app.command("connect")(cli_connect.connect)
app.command("sweep")(cli_sweep.sweep)
app.command("results")(cli_read.show_results)
app.command("compare")(cli_read.compare)
app.command("page")(cli_read.write_page)

runs = typer.Typer(help="List and remove the trained runs that are kept.")
app.add_typer(runs, name="runs")

Preset = Annotated[str, Option(help="Parameter values: smoke (seconds), default (the book), paper (a GPU).")]
Root = Annotated[Path, Option(help="The checkout to work on.")]


@app.command("list")
def list_notebooks(root: Root = Path()) -> None:
    """List the notebooks and their parameters: type, default, meaning and range."""
    paths = notebooks.chapters(root / "notebooks")
    require(bool(paths), "root", "a checkout of the book with notebooks", str(root.resolve()))
    for path in paths:
        found = notebooks.find(str(path), path.parent).parameters.values()
        typer.echo(typer.style(path.stem, bold=True))
        rows = [
            (each.name, each.type, json.dumps(each.default, default=repr), each.meaning, each.allowed) for each in found
        ]
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for name, kind, default, meaning, allowed in rows:
            said = f"{meaning} [{allowed}]" if allowed else meaning
            typer.echo(f"  {name:{wide[0]}}  {kind:5}  {default:{wide[2]}}  {said}")


@app.command("parameters")
def write_parameters(
    notebook: Annotated[list[str] | None, Argument(help="Stems or paths; all chapters by default.")] = None,
    root: Root = Path(),
) -> None:
    """Write the parameters cell and the table of notebooks anew, for whoever changes a record of parameters."""
    folder = root / "notebooks"
    for path in [notebooks.find(name, folder).path for name in notebook or map(str, notebooks.chapters(folder))]:
        if parameter_cells.write(path):
            typer.echo(path)


@app.command()
def run(
    notebook: Annotated[str, Argument(help="A stem such as 02_sibling_forking, or a path.")],
    out: Annotated[Path | None, Option("-o", "--out", help="The result; default STEM.out.ipynb.")] = None,
    parameter: Annotated[
        list[str] | None, Option("-p", "--parameter", metavar="NAME VALUE", help="Set one; the value is YAML.")
    ] = None,
    preset: Preset = "default",
    timeout: Annotated[int, Option(min=1, help="Seconds a single cell may take.")] = notebooks.TIMEOUT,
    html: Annotated[Path | None, Option("--html", help="Also write a page, as `lmc page` does.")] = None,
    check: Annotated[bool, Option(hidden=True, help="Also where no value differs, as a build need not.")] = True,
    as_source: Annotated[
        bool, Option(hidden=True, help="With the prose of the source, for a page of the book.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Execute a notebook with parameters of your own; they are checked before a kernel starts."""
    found = notebooks.find(notebook, root / "notebooks")
    given = found.preset(preset) | dict(_assignment(text) for text in parameter or [])
    if check or given:
        found.check(given)
    target = out or Path(f"{found.path.stem}.out.ipynb")
    require(target.suffix == ".ipynb", "out", "a name that ends in .ipynb", str(target))
    run_page.require_place(html, root)
    notebooks.execute(found, given, target, timeout)
    if not as_source:
        book = {name: each.default for name, each in found.parameters.items()}
        told = readable_notebook.legible(notebook_files.read(target), given, book, found.path)
        write_whole(target, json.dumps(told, indent=1, ensure_ascii=False).encode())
    typer.echo(target)
    if html is not None:
        run_page.write(root, target, html)
        typer.echo(html)


@app.command("build")
def build_book(
    preset: Preset = "default",
    jobs: Annotated[int, Option(min=1, help="Notebooks executed at a time.")] = 2,
    root: Root = Path(),
) -> None:
    """Execute the notebooks that changed, then build and publish the HTML in _build/html."""
    require_choice("preset", preset, PRESET_NAMES)
    require((root / "_config.yml").is_file(), "root", "a checkout of the book with a _config.yml", str(root.resolve()))
    raise typer.Exit(build.build(root, preset, jobs))


@app.command("pdf")
def print_pdf(
    out: Annotated[Path, Option("--out", "-o", help="The file to write.")] = Path("_build/book.pdf"),
    root: Root = Path(),
) -> None:
    """Print the whole book, as its notebooks were executed last, as one PDF."""
    require(out.suffix == ".pdf", "out", "a file that ends in .pdf", str(out))
    pdf.write(root, root / out)
    typer.echo(root / out)


@app.command()
def serve(
    port: Annotated[int, Option(min=0, max=65535, help="On this machine only; 0 picks a free one.")] = 8000,
    root: Root = Path(),
) -> None:
    """Serve the published book to a browser on this machine, until Ctrl-C."""
    html = Site(root.resolve()).html
    if not (html / "index.html").is_file():
        raise ParameterError(f"root: expected a built book in '{html}', found none; run `lmc build` first")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=str(html)))
    except OSError as error:
        raise ParameterError(f"port: expected a free one, got {port} ({error.strerror})") from error
    with server:
        typer.echo(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C stops)")
        server.serve_forever()


@runs.callback(invoke_without_command=True)
def list_runs(
    context: typer.Context, check: Annotated[bool, Option("--check", help="Read every file.")] = False
) -> None:
    """List the trained runs that are kept: their name, size, age, how far they were trained, and what they are."""
    if context.invoked_subcommand is not None:
        return
    from lmc_utils.forking import cached_runs, root

    found = cached_runs.kept(root())
    for each in found:
        sound = f"  {each.check()}" if check else ""
        size, age = readable(each.size), f"{each.age:.1f} days"
        typer.echo(f"{each.path.name}  {size:>10}  {age:>11}  epoch {each.epochs:>10}{sound}  {each.describe()}")
    total = readable(sum(each.size for each in found))
    typer.echo(f"{len(found)} run{'' if len(found) == 1 else 's'}, {total}, in {root()}", err=True)


@runs.command("rm")
def remove_runs(name: Annotated[list[str], Argument(help="Names of runs, or how they begin.")]) -> None:
    """Remove runs; whoever needs one again trains it again."""
    from lmc_utils.forking import cached_runs, root

    for each in list(cached_runs.pick(cached_runs.kept(root()), name)):
        each.remove()
        typer.echo(each.path.name)


@runs.command("gc")
def collect_runs(
    older_than: Annotated[float, Option(min=0, metavar="DAYS", help="Those that were not used for so many days.")],
) -> None:
    """Remove all runs that were not used for some days."""
    from lmc_utils.forking import cached_runs, root

    for each in cached_runs.kept(root()):
        if each.age > older_than:
            try:
                size = readable(each.size)
                each.remove()
                typer.echo(f"{each.path.name}  {size}")
            except (ParameterError, OSError) as error:
                typer.echo(f"lmc: {error}", err=True)


@app.command()
def assign(
    notebook: Annotated[list[str] | None, Argument(help="Stems such as 01_toy_exercises; all by default.")] = None,
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
    folder = root / "notebooks" / "exercises"
    stems = notebook or [path.stem for path in notebooks.chapters(folder)]
    require(bool(stems), "root", "a checkout of the book with exercise notebooks", str(root.resolve()))
    sources = [notebooks.find(stem, folder).path for stem in stems]
    whose = class_list.folders(students) if students else None
    for written in assignments.write(sources, out or root / "_build" / "assignments", force, whose):
        typer.echo(written)
    for exercise, both in class_list.alike(list(whose or ()), assignments.exercises(sources)):
        typer.echo(f"lmc: {exercise}: {both[0]} and {both[1]} have the same answer by chance", err=True)


@app.command()
def grade(
    submission: Annotated[list[Path], Argument(help="Files, or folders of files, one or more of a student.")],
    table: Annotated[Path, Option("--csv", help="The table to write.")] = Path("grades.csv"),
    jobs: Annotated[int, Option(min=1, help="Submissions marked at a time.")] = 2,
    limit: Annotated[int, Option(min=1, help="Seconds a single cell may take.")] = Bounds.limit,
    memory: Annotated[int, Option(min=512, help="MiB of memory a submission may take.")] = Bounds.memory,
    executed: Annotated[Path | None, Option(help="A folder for the submissions as they were executed.")] = None,
    feedback: Annotated[Path | None, Option(help="A folder for a page to hand back to each student.")] = None,
    summary: Annotated[Path | None, Option(help="A page on how each exercise went.")] = None,
    fresh: Annotated[bool, Option("--fresh", help="Mark anew what was marked before.")] = False,
    root: Root = Path(),
) -> None:
    """Mark submissions of exercise notebooks: a CSV with points and with a reason for each that was lost."""
    standalone_page.require_name(summary, "summary")
    others = {name: place for name, place in {"feedback": feedback, "summary": summary}.items() if place}
    graded = grading.grade(submission, table, root, jobs, Bounds(limit, memory), fresh, executed, others)
    typer.echo(f"{table}: {len(graded)} submission{'' if len(graded) == 1 else 's'}")
    if feedback is not None:
        typer.echo(f"{feedback}: {len(handing_back.write(feedback, graded))} pages")
    if summary is not None:
        handing_back.write_summary(summary, graded)
        typer.echo(summary)


def main() -> None:
    """The entry point of `lmc`; exits with 0, 1 (a notebook or the build failed), 2 (a wrong parameter) or 130."""
    # Stopped politely, or the terminal closed: leave nothing running either.
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores the second, and shall
            signal.signal(number, signal.default_int_handler)
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # the one line says it
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files and of numbers may hold anything
    with nullcontext() if sys.stderr.isatty() else progress.hidden():
        app(_join_parameters(sys.argv[1:]))


def _join_parameters(arguments: Sequence[str]) -> list[str]:
    """Write `-p NAME VALUE`, papermill's way, as `-p NAME=VALUE`, which an option with one value can hold.

    >>> _join_parameters(["run", "x", "-p", "widths", "[8, 8]", "-p", "seed=1"])
    ['run', 'x', '-p', 'widths=[8, 8]', '-p', 'seed=1']
    """
    joined: list[str] = []
    for word in arguments:
        named = joined[-2:-1] in (["-p"], ["--parameter"]) and "=" not in joined[-1]
        name = f"{joined.pop()}=" if named and not word.startswith(("--", "-o", "-p")) else ""
        joined.append(name + word)
    return joined


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ParameterError(f"parameter: expected a name and a value after -p, got {shown(text)}")
    return name, yaml_values.parse(name, value)


if __name__ == "__main__":
    main()
