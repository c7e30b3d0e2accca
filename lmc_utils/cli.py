"""The `lmc` command: a thin face on the notebooks."""

from __future__ import annotations

import functools
import http.server
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lmc_utils.classroom import assignments, grading
from lmc_utils.classroom.sandbox import Bounds
from lmc_utils.publishing import build as building
from lmc_utils.publishing import pdf
from lmc_utils.publishing.site import Site
from lmc_utils.running import notebooks, parameters, results
from lmc_utils.settings import PRESET_NAMES, ParameterError, require, require_choice

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run, check and publish the notebooks of the book.",
)

Preset = Annotated[str, typer.Option(help="Parameter values: smoke (seconds), default (the book), paper (a GPU).")]
Root = Annotated[Path, typer.Option(help="The checkout to work on.")]


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what a user can mend into one line on standard error."""
    try:
        yield
    except ParameterError as error:
        _leave(error, 2)
    except notebooks.ExecutionError as error:
        _leave(error, 1)
    except KeyboardInterrupt as interrupt:
        _leave(f"interrupted; {str(interrupt) or 'what was finished is kept'}", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that may not be written
        _leave(error, 1)


def _leave(message: object, status: int) -> None:
    sys.stderr.write(f"lmc: {message}\n")
    sys.exit(status)


@app.command("list")
@_clear_errors()
def list_notebooks(root: Root = Path()) -> None:
    """List the notebooks and their parameters: type, default, meaning and range."""
    folder = root / "notebooks"
    paths = notebooks.chapters(folder)
    require(bool(paths), "root", "a checkout of the book with notebooks", str(root.resolve()))
    for path in paths:
        found = notebooks.find(str(path), folder).parameters.values()
        typer.echo(typer.style(path.stem, bold=True))
        name_width = max((len(parameter.name) for parameter in found), default=0)
        default_width = max((len(json.dumps(parameter.default)) for parameter in found), default=0)
        for parameter in found:
            default, allowed = json.dumps(parameter.default), f" [{parameter.allowed}]" if parameter.allowed else ""
            typer.echo(
                f"  {parameter.name:{name_width}}  {parameter.type:5}  {default:{default_width}}  "
                f"{parameter.meaning}{allowed}"
            )


@app.command("parameters")
@_clear_errors()
def write_parameters(
    notebook: Annotated[list[str] | None, typer.Argument(help="Stems or paths; all chapters by default.")] = None,
    root: Root = Path(),
) -> None:
    """Write the parameters cell and the table of notebooks anew, for whoever changes a record of parameters."""
    folder = root / "notebooks"
    for path in [notebooks.find(name, folder).path for name in notebook or map(str, notebooks.chapters(folder))]:
        if parameters.write(path):
            typer.echo(path)


@app.command()
@_clear_errors()
def run(
    notebook: Annotated[str, typer.Argument(help="A stem such as 02_sibling_forking, or a path.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The result; default STEM.out.ipynb.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME VALUE", help="Set one; the value is YAML.")
    ] = None,
    preset: Preset = "default",
    timeout: Annotated[int, typer.Option(min=1, help="Seconds a single cell may take.")] = notebooks.TIMEOUT,
    root: Root = Path(),
) -> None:
    """Execute a notebook with parameters of your own; they are checked before a kernel starts."""
    found = notebooks.find(notebook, root / "notebooks")
    values = found.preset(preset) | dict(_assignment(text) for text in parameter or [])
    found.check(values)
    target = out or Path(f"{found.path.stem}.out.ipynb")
    require(target.suffix == ".ipynb", "out", "a name that ends in .ipynb", str(target))
    notebooks.execute(found, values, target, timeout)
    typer.echo(target)


@app.command()
@_clear_errors()
def build(
    preset: Preset = "default",
    jobs: Annotated[int, typer.Option(min=1, help="Notebooks executed at a time.")] = 2,
    root: Root = Path(),
) -> None:
    """Execute the notebooks that changed, then build and publish the HTML in _build/html."""
    require_choice("preset", preset, PRESET_NAMES)
    config = root / "_config.yml"
    require(config.is_file(), "root", "a checkout of the book with a _config.yml", str(root.resolve()))
    raise typer.Exit(building.build(root, preset, jobs))


@app.command("pdf")
@_clear_errors()
def print_pdf(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path("_build/book.pdf"),
    root: Root = Path(),
) -> None:
    """Print the whole book, as its notebooks were executed last, as one PDF."""
    target = out if out.is_absolute() or root == Path() else root / out
    require(target.suffix == ".pdf", "out", "a file that ends in .pdf", str(out))
    pdf.write(root, target)
    typer.echo(target)


@app.command()
@_clear_errors()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="On this machine only; 0 picks a free one.")] = 8000,
    root: Root = Path(),
) -> None:
    """Serve the published book to a browser on this machine, until Ctrl-C."""
    html = Site(root.resolve()).html
    if not (html / "index.html").is_file():
        raise ParameterError(f"root: expected a built book in '{html}', found none; run `lmc build` first")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(html))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise ParameterError(f"port: expected a free one, got {port} ({error.strerror})") from error
    with server:
        typer.echo(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C stops)")
        server.serve_forever()


@app.command("results")
@_clear_errors()
def show_results(
    notebook: Annotated[Path, typer.Argument(help="An executed notebook.")],
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Print the headline numbers that an executed notebook recorded."""
    numbers = results.read(notebook)
    if as_json:
        typer.echo(json.dumps(numbers, indent=1))
        return
    width = max(map(len, numbers))
    for name, number in numbers.items():
        typer.echo(f"{name:{width}}  {number:.6g}")


@app.command()
@_clear_errors()
def assign(
    notebook: Annotated[
        list[str] | None, typer.Argument(help="Stems such as 01_toy_exercises; all by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write to; default _build/assignments.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files of another content.")] = False,
    root: Root = Path(),
) -> None:
    """Write the student versions of the exercise notebooks: without solutions and hidden tests."""
    folder = root / "notebooks" / "exercises"
    stems = notebook or [path.stem for path in notebooks.chapters(folder)]
    require(bool(stems), "root", "a checkout of the book with exercise notebooks", str(root.resolve()))
    sources = [notebooks.find(stem, folder).path for stem in stems]
    for written in assignments.write(sources, out or root / "_build" / "assignments", force):
        typer.echo(written)


@app.command()
@_clear_errors()
def grade(
    submission: Annotated[list[Path], typer.Argument(help="Files, or folders of files, one or more of a student.")],
    table: Annotated[Path, typer.Option("--csv", help="The table to write.")] = Path("grades.csv"),
    jobs: Annotated[int, typer.Option(min=1, help="Submissions marked at a time.")] = 2,
    limit: Annotated[int, typer.Option(min=1, help="Seconds a single cell may take.")] = Bounds.limit,
    memory: Annotated[int, typer.Option(min=512, help="MiB of memory a submission may take.")] = Bounds.memory,
    executed: Annotated[Path | None, typer.Option(help="A folder for the submissions as they were executed.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Mark anew what was marked before.")] = False,
    root: Root = Path(),
) -> None:
    """Mark submissions of exercise notebooks: a CSV with points and with a reason for each that was lost."""
    bounds = Bounds(limit, memory)
    count = grading.grade(submission, table, root, jobs, bounds, fresh, executed)
    typer.echo(f"{table}: {count} submission{'' if count == 1 else 's'}")


def main() -> None:
    """The entry point of `lmc`; exits with 0, 1 (a notebook or the build failed), 2 (a wrong parameter) or 130."""
    for name in ("SIGTERM", "SIGHUP"):  # stopped politely, or the terminal closed: leave nothing running either
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores the second, and shall
            signal.signal(number, signal.default_int_handler)
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # the one line says it
    app(_join_parameters(sys.argv[1:]))


def _join_parameters(arguments: Sequence[str]) -> list[str]:
    """Write `-p NAME VALUE`, papermill's way, as `-p NAME=VALUE`, which an option with one value can hold.

    >>> _join_parameters(["run", "x", "-p", "widths", "[8, 8]", "-p", "seed=1"])
    ['run', 'x', '-p', 'widths=[8, 8]', '-p', 'seed=1']
    """
    joined: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        joined.append(word)
        if word in ("-p", "--parameter") and rest:
            name = rest.pop(0)
            takes_value = "=" not in name and rest and not rest[0].startswith(("--", "-o", "-p"))
            joined.append(f"{name}={rest.pop(0)}" if takes_value else name)
    return joined


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ParameterError(f"parameter: expected a name and a value after -p, got '{text}'")
    try:
        return name, YAML(typ="safe", pure=True).load(value)  # of version 1.2: 010 is ten, 1:30 a word, 1e-3 a number
    except (YAMLError, ValueError) as error:
        raise ParameterError(f"{name}: expected YAML, got {value!r}") from error


if __name__ == "__main__":
    main()
