"""`lmc sweep`: execute a notebook for many combinations of its parameters."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from lmc_utils.cli.options import CellTimeout, HtmlFile, NotebookName, Preset, Root
from lmc_utils.formatting import one_line
from lmc_utils.output_files import require_writable, require_writable_folder
from lmc_utils.publishing import standalone_page
from lmc_utils.running import notebooks
from lmc_utils.settings import ParameterError

if TYPE_CHECKING:
    import xarray as xr


def sweep(
    notebook: NotebookName,
    *,
    out: Annotated[Path, Option("-o", "--out", help="Output folder for executed notebooks and tables.")],
    grid: Annotated[
        list[str] | None,
        Option(
            "--grid", metavar="NAME=V1,V2", help="Values of a parameter, or a range START:STOP[:STEP]; may be repeated."
        ),
    ] = None,
    points: Annotated[Path | None, Option(help="YAML file with a list of points, instead of --grid.")] = None,
    preset: Preset = "default",
    jobs: Annotated[
        int | None,
        Option(min=1, help="Number of points executed in parallel here; default: as many as cores and memory allow."),
    ] = None,
    scheduler: Annotated[str | None, Option(help="Address of a running Dask scheduler.")] = None,
    cluster: Annotated[Path | None, Option(help="Scheduler file of Dask, or YAML file with a cluster class.")] = None,
    resources: Annotated[
        list[str] | None, Option(metavar="NAME=COUNT", help="Dask resources that each point needs.")
    ] = None,
    timeout: CellTimeout = notebooks.TIMEOUT,
    html: HtmlFile = None,
    show: Annotated[
        list[str] | None, Option(help="Recorded number that the page plots against the parameters; may be repeated.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Execute a notebook over a grid of parameters. Finished points are skipped unless the code has changed."""
    from lmc_utils.running import recorded_names, sweep_grid

    found = notebooks.find(notebook, root / "notebooks")
    if bool(grid) == bool(points):
        raise ParameterError(f"give either --grid or --points{', not both' if grid else ''}")
    if bool(html) != bool(show):
        raise ParameterError("--html and --show go together: give both or neither")
    if scheduler and cluster:
        raise ParameterError("choose --scheduler or --cluster, not both")
    asked = (
        sweep_grid.read_points(points)
        if points
        else sweep_grid.grid_points([sweep_grid.parse_axis(text) for text in grid or []])
    )
    wanted = [found.preset(preset) | point for point in asked]
    sweep_grid.check_points(found, wanted)
    require_writable_folder(out, "out")
    if html is not None:
        require_writable(html, "html", ".html")
    known = recorded_names.require_recorded(show or [], found, out)
    needed = dict(_resource(text) for text in resources or [])
    from lmc_utils.running import clusters, sweep_tables, sweeps  # after the checks, because xarray is slow to import
    from lmc_utils.running.progress_bars import job_progress

    report = sweeps.Report(len(wanted), existing=len(wanted))
    if todo := sweeps.unfinished(found, wanted, out):
        if cluster:
            started = clusters.cluster_from_file(cluster)
        elif scheduler:
            started = clusters.connect_to_scheduler(scheduler)
        else:
            count = jobs or clusters.worker_count(found, list(todo.values()))
            started = clusters.local_cluster(count, dashboard=True)
        with started as client, job_progress() as progress:
            if client.dashboard_link:
                progress.console.print(f"dashboard: {client.dashboard_link}")
            bar = progress.add_task("points", total=len(wanted))
            for report in sweeps.steps(found, wanted, client, out=out, timeout=timeout, resources=needed):
                progress.update(bar, completed=report.existing + report.done + len(report.failed))
                if report.done and not known:
                    known = recorded_names.require_recorded(show or [], found, out)
    table = sweep_tables.gather(found, asked, out, points=wanted, command=shlex.join(["lmc", *sys.argv[1:]]))
    for line in report.failed.values():
        typer.echo(f"lmc: {one_line(line)}", err=True)
    done = report.existing + report.done
    typer.echo(f"{out / 'results.csv'}: {done} of {report.total} points done, {report.existing} reused")
    if html is not None:
        _write(html, found.path.stem, table, show or [])
        typer.echo(html)
    raise typer.Exit(1 if report.failed else 0)


def _write(page: Path, title: str, table: xr.Dataset, show: list[str]) -> None:
    from lmc_utils.figures import elements, sweep_numbers, theme

    theme.use_theme()
    drawn = sweep_numbers.numbers_by_parameter(table, show)
    standalone_page.write(page, title, elements.svg(drawn, f"{', '.join(show)} against what was swept"))


def _resource(text: str) -> tuple[str, float]:
    name, _, count = text.partition("=")
    try:
        return name.strip(), float(count)
    except ValueError as error:
        raise ParameterError(f"resources must be NAME=COUNT, e.g. GPU=1 (got '{one_line(text)}')") from error
