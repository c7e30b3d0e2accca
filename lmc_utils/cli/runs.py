"""`lmc runs`: list, check and remove cached training runs."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument, Option

from lmc_utils.resources import format_bytes
from lmc_utils.settings import ParameterError

app = typer.Typer(help="List, check and remove cached training runs.")


@app.callback(invoke_without_command=True)
def list_runs(
    context: typer.Context,
    check: Annotated[bool, Option("--check", help="Verify the integrity of every file.")] = False,
) -> None:
    """List the cached training runs: name, size, days since the last use, epochs trained, and parameters."""
    if context.invoked_subcommand is not None:
        return
    from lmc_utils.forking import cached_runs, runs_folder

    found = cached_runs.list_runs(runs_folder())
    for each in found:
        sound = f"  {each.check()}" if check else ""
        size, age = format_bytes(each.size), f"{each.age:.1f} days"
        typer.echo(f"{each.path.name}  {size:>10}  {age:>11}  epoch {each.epochs:>10}{sound}  {each.describe()}")
    total = format_bytes(sum(each.size for each in found))
    typer.echo(f"{len(found)} run{'' if len(found) == 1 else 's'}, {total}, in {runs_folder()}", err=True)


@app.command("rm")
def remove(name: Annotated[list[str], Argument(help="Names of runs, or their beginnings.")]) -> None:
    """Remove runs. Runs that are needed later are trained again."""
    from lmc_utils.forking import cached_runs, runs_folder

    for each in list(cached_runs.pick(cached_runs.list_runs(runs_folder()), name)):
        each.remove()
        typer.echo(each.path.name)


@app.command("gc")
def remove_unused(
    older_than: Annotated[float, Option(min=0, metavar="DAYS", help="Minimum number of days since the last use.")],
) -> None:
    """Remove all runs that were not used recently."""
    from lmc_utils.forking import cached_runs, runs_folder

    for each in cached_runs.list_runs(runs_folder()):
        if each.age > older_than:
            try:
                size = format_bytes(each.size)
                each.remove()
                typer.echo(f"{each.path.name}  {size}")
            except (ParameterError, OSError) as error:
                typer.echo(f"lmc: {error}", err=True)
