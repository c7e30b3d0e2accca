"""Run, check and publish the notebooks of the book, and compare your own networks."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import metadata
from typing import Annotated, Any

import typer
import typer.core

from lmc_utils import progress
from lmc_utils.cli import book, classroom, connect, extras, notebooks, runs, sweep
from lmc_utils.formatting import one_line
from lmc_utils.running.notebooks import ExecutionError
from lmc_utils.settings import ParameterError

_UsageError: Any = typer.BadParameter.__base__  # click's, of which some versions of typer have a copy


class _Commands(typer.core.TyperGroup):
    """Commands that report errors which the user can fix in one line on standard error."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().make_context(*arguments, **options)
        except _UsageError as error:
            if "NoArgs" in type(error).__name__:  # `lmc` alone prints its help
                raise
            sys.stderr.write(f"lmc: {one_line(_usage(error))}\n")
            sys.exit(2)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except (ParameterError, ExecutionError, OSError) as error:  # the last: a full disk, a locked folder
            message, status = str(error), 2 if isinstance(error, ParameterError) else 1
        except _UsageError as error:
            message, status = _usage(error), 2
        except ModuleNotFoundError as error:
            if (needs := extras.missing(str(ctx.invoked_subcommand), error)) is None:
                raise
            message, status = needs, 2
        except KeyboardInterrupt as interrupt:
            message, status = f"interrupted; {str(interrupt) or 'what was finished is kept'}", 130
        sys.stderr.write(f"lmc: {one_line(message)}\n")
        sys.exit(status)


def _usage(error: Any) -> str:
    """What is wrong with a command line, and where to read how it is used."""
    command = "lmc" if error.ctx is None else " ".join(["lmc", *_path_below_the_program(error.ctx)])
    return f"{error.format_message().rstrip('.')}; see `{command} --help`"


def _path_below_the_program(context: Any) -> list[str]:
    """The names of the command of a context and of those above it, without the program's own."""
    return [*_path_below_the_program(context.parent), context.info_name] if context.parent else []


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"lmc {metadata.version('lmc-utils')}")
        raise typer.Exit


@app.callback(no_args_is_help=True)
def _common(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run, check and publish the notebooks of the book, and compare your own networks."""


app.command("list")(notebooks.list_notebooks)
app.command("run")(notebooks.run)
app.command("results")(notebooks.results)
app.command("compare")(notebooks.compare)
app.command("page")(notebooks.page)
app.command("parameters")(notebooks.write_parameters)
app.command("sweep")(sweep.sweep)
app.command("connect")(connect.connect)
app.add_typer(runs.app, name="runs")
app.command("assign")(classroom.assign)
app.command("grade")(classroom.grade)
app.command("build")(book.build)
app.command("pdf")(book.pdf)
app.command("serve")(book.serve)


def main() -> None:
    """The entry point of `lmc`; exits with 0, 1 (something failed), 2 (a wrong parameter) or 130 (interrupted)."""
    # On SIGTERM, or when the terminal closes, leave nothing running either.
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:  # under nohup SIGHUP is ignored, and stays so
            signal.signal(number, signal.default_int_handler)
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # the one-line error suffices
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names and recorded names may contain anything
    with nullcontext() if sys.stderr.isatty() else progress.hidden():
        app(_join_parameters(sys.argv[1:]))


def _join_parameters(arguments: Sequence[str]) -> list[str]:
    """Write `-p NAME VALUE`, papermill's way, as `-p NAME=VALUE`, which fits an option with one value.

    >>> _join_parameters(["run", "x", "-p", "widths", "[8, 8]", "-p", "seed=1"])
    ['run', 'x', '-p', 'widths=[8, 8]', '-p', 'seed=1']
    """
    joined: list[str] = []
    for word in arguments:
        named = joined[-2:-1] in (["-p"], ["--parameter"]) and "=" not in joined[-1]
        name = f"{joined.pop()}=" if named and not word.startswith(("--", "-o", "-p")) else ""
        joined.append(name + word)
    return joined
