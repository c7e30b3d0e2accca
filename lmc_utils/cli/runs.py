"""`lmc runs`: list, check and remove cached training runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from lmc_utils.cli.text_tables import aligned
from lmc_utils.resources import format_bytes
from lmc_utils.settings import ParameterError

if TYPE_CHECKING:
    from lmc_utils.forking.cached_runs import CachedRun

app = typer.Typer(help="List, check and remove cached training runs.")


@app.callback(invoke_without_command=True)
def list_runs(
    context: typer.Context,
    check: Annotated[bool, Option("--check", help="Verify the integrity of every file.")] = False,
) -> None:
    """List the cached training runs of networks: name, size, last use, epochs trained, and parameters."""
    if context.invoked_subcommand is not None:
        return
    from lmc_utils.forking import cached_runs, runs_folder

    found = cached_runs.list_runs(runs_folder())
    rows = [
        [
            each.path.name,
            format_bytes(each.size),
            f"{each.age:.1f} days ago",
            each.epochs,
            *([each.check()] if check else []),
            each.describe(),
        ]
        for each in found
    ]
    if rows:
        head = ["run", "size", "last used", "epochs", *(["state"] if check else []), "parameters other than defaults"]
        typer.echo(aligned([head, *rows], left=(0, *range(4, len(head)))))
    typer.echo(f"{_runs(len(found))}, {format_bytes(sum(each.size for each in found))}, in {runs_folder()}", err=True)


@app.command("rm")
def remove(name: Annotated[list[str], Argument(help="Names of runs, or their beginnings.")]) -> None:
    """Remove runs. Runs that are needed later are trained again."""
    from lmc_utils.forking import cached_runs, runs_folder

    _remove(list(cached_runs.pick(cached_runs.list_runs(runs_folder()), name)))


@app.command("gc")
def remove_unused(
    older_than: Annotated[float, Option(min=0, metavar="DAYS", help="Minimum number of days since the last use.")],
) -> None:
    """Remove all runs that were not used recently."""
    from lmc_utils.forking import cached_runs, runs_folder

    _remove([each for each in cached_runs.list_runs(runs_folder()) if each.age > older_than])


def _remove(runs: Sequence[CachedRun]) -> None:
    """Remove runs and print which; a run that cannot be removed does not stop the others."""
    removed, failed = 0, False
    for each in runs:
        size = each.size
        try:
            each.remove()
        except (ParameterError, OSError) as error:
            typer.echo(f"lmc: {error}", err=True)
            failed = True
            continue
        typer.echo(f"{each.path.name}  {format_bytes(size)}")
        removed += size
    typer.echo(f"removed {format_bytes(removed)}" if runs else "nothing to remove", err=True)
    raise typer.Exit(2 if failed else 0)


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
