"""Parameter sweeps: execute a notebook at many points on Dask, skipping those that are up to date.

Each point becomes `points/NAME.ipynb` in the folder of the sweep, written atomically, with a digest of its
dependencies; `sweep_tables` makes one table of those whose digest is current. The caller may pass a Dask client;
otherwise a local cluster is started.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import xarray as xr

from lmc_utils.provenance import digest, remove_partial_files, write_whole
from lmc_utils.running import clusters, sweep_grid, sweep_point, sweep_tables
from lmc_utils.running.notebook_dependencies import of_sweep
from lmc_utils.running.notebook_files import digest_in
from lmc_utils.running.notebooks import TIMEOUT, ExecutionError, Notebook
from lmc_utils.running.sweep_grid import Point, point_name
from lmc_utils.settings import ParameterError

if TYPE_CHECKING:
    from distributed import Client, Future

_log = logging.getLogger(__name__)
_TRIES = 2
_CHANGED = "code that the notebook uses has changed, or a version of what it imports"


@dataclass
class Report:
    """Progress of a sweep.

    Attributes:
        total: the number of requested points.
        existing: the number of points that were up to date before.
        done: the number of executed points.
        failed: a one-line error for each failed point, by its digest.
    """

    total: int
    existing: int = 0
    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def sweep(
    notebook: Notebook | Path, points: Sequence[Mapping[str, Any]], client: Client | None = None, *,
    out: Path | None = None, timeout: int = TIMEOUT, resources: Mapping[str, float] | None = None,
) -> xr.Dataset:  # fmt: skip
    """Execute a notebook at all missing or outdated points, and gather the recorded numbers of all points.

    Args:
        notebook: the source, or its path.
        points: the points: parameters that differ from the notebook's own. All are checked before one starts.
        client: client of a Dask cluster; by default a local cluster is started, and closed at the end.
        out: the folder of the sweep; by default one that is deleted afterwards.
        timeout: seconds that a single cell may take.
        resources: Dask resources that each point needs, such as GPU=1.

    Returns:
        The recorded numbers, see `sweep_tables.dataset`.

    Raises:
        ParameterError: a point is invalid, or the folder belongs to another notebook.
        ExecutionError: points failed twice; all others are done, and gathered in the folder (lost without `out`). See
            also `steps`.
    """
    if out is None:
        with TemporaryDirectory() as folder:
            return sweep(notebook, points, client, out=Path(folder), timeout=timeout, resources=resources)
    notebook = notebook if isinstance(notebook, Notebook) else Notebook(notebook)
    sweep_grid.check_points(notebook, points)
    report = Report(len(points), existing=len(points))
    if todo := unfinished(notebook, points, out):
        count = clusters.worker_count(notebook, list(todo.values()))
        with clusters.local_cluster(count) if client is None else nullcontext(client) as used:
            for report in steps(notebook, points, used, out=out, timeout=timeout, resources=resources):  # noqa: B007 the last one counts
                pass
    table = sweep_tables.gather(notebook, points, out)
    if report.failed:
        first = next(iter(report.failed.values()))
        raise ExecutionError(f"{len(report.failed)} of {report.total} points failed: {first}")
    return table


def steps(
    notebook: Notebook, points: Sequence[Mapping[str, Any]], client: Client, *, out: Path, timeout: int = TIMEOUT,
    resources: Mapping[str, float] | None = None,
) -> Iterator[Report]:  # fmt: skip
    """As `sweep`, without gathering: yield the progress at the start and after each point.

    The number of points that are executed again because code has changed is logged.

    Raises:
        ExecutionError: the scheduler is gone, or code has changed meanwhile; finished points remain.
    """
    folder, present = points_folder(notebook, out), digest(of_sweep(notebook))
    todo = unfinished(notebook, points, out)
    if outdated := sum((folder / f"{name}.ipynb").exists() for name in todo):
        _log.warning(f"{outdated} of {len(points)} points are executed again: {_CHANGED}")
    report = Report(len(points), existing=len(points) - len(todo))
    yield report
    if not todo:
        return
    source, stem = notebook.path.read_bytes(), notebook.path.stem
    variables = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}

    def submit(point: Point) -> Future[Any]:
        options = {"digest": present, "timeout": timeout, "variables": variables, "started_in": Path.cwd()}
        needed = dict(resources or {}) or None
        return client.submit(sweep_point.run_as_task, source, stem, point, **options, pure=False, resources=needed)

    from distributed import as_completed
    from distributed.comm.core import CommClosedError

    running = {submit(point): (name, 1) for name, point in todo.items()}
    try:
        finished = as_completed(list(running), loop=client.loop)
        for future in finished:
            name, tries = running.pop(future)
            if future.status == "cancelled" or client.status != "running":
                raise ExecutionError("the scheduler has gone; what was done is kept, and the same command goes on")
            outcome = _outcome(future)
            future.release()
            if digest(of_sweep(notebook)) != present:
                raise ExecutionError(f"{_CHANGED} during the sweep; the same command executes again what depends on it")
            if outcome.error is None:
                write_whole(folder / f"{name}.ipynb", outcome.notebook)
                report.done += 1
            elif tries < _TRIES:
                again = submit(todo[name])
                running[again] = (name, tries + 1)
                finished.add(again)
                continue
            else:
                report.failed[name] = f"{outcome.error} ({_format_point(todo[name])})"
                if outcome.notebook:
                    write_whole(folder / f"{name}.partial.ipynb", outcome.notebook)
            yield report
    except (CommClosedError, TimeoutError) as error:
        raise ExecutionError("the scheduler has gone; what was done is kept, and the same command goes on") from error
    finally:
        if client.status == "running":
            client.cancel(list(running), force=True)


def unfinished(notebook: Notebook, points: Sequence[Mapping[str, Any]], out: Path) -> dict[str, Point]:
    """The points, by name, that are missing or outdated; raises as `points_folder`."""
    folder, present = points_folder(notebook, out), digest(of_sweep(notebook))
    by_name = {point_name(point): dict(point) for point in points}
    return {name: point for name, point in by_name.items() if digest_in(folder / f"{name}.ipynb") != present}


def points_folder(notebook: Notebook, out: Path) -> Path:
    """The folder of the points of a sweep, created if it does not exist.

    Raises:
        ParameterError: it holds points of another notebook.
    """
    folder, stamp, mine = out / "points", out / "sweep.json", notebook.path.stem
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial_files(folder)
    if not stamp.exists():
        write_whole(stamp, json.dumps({"notebook": mine}).encode())
    elif (other := json.loads(stamp.read_text())["notebook"]) != mine:
        raise ParameterError(f"'{out}' holds a sweep of '{other}', not of '{mine}'; choose another folder")
    return folder


def _outcome(future: Future[Any]) -> sweep_point.Outcome:
    try:
        outcome: sweep_point.Outcome = future.result()
    except Exception as error:  # such as a worker that was killed too often or ran out of memory
        return sweep_point.Outcome(b"", f"{type(error).__name__}: its worker has gone")
    return outcome


def _format_point(point: Point) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in point.items())
