"""Gather the recorded numbers of all points of a sweep into one table."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.provenance import digest, write_whole
from lmc_utils.running import comparison, notebook_files, recorded_numbers, sweep_grid
from lmc_utils.running.notebook_dependencies import of_sweep
from lmc_utils.running.notebooks import Notebook

_ENVIRONMENT = ("commit", "versions", "machine")


def gather(
    notebook: Notebook,
    varied: Sequence[Mapping[str, Any]],
    out: Path,
    *,
    points: Sequence[Mapping[str, Any]] | None = None,
    command: str = "",
) -> xr.Dataset:
    """Write `results.csv` and `results.nc` for the points executed with the current code; return the latter.

    Args:
        notebook: the source.
        varied: the parameters that vary, for each point; points not executed with the current code are skipped.
        out: the folder of the sweep.
        points: the points including parameters that all share, such as those of a preset.
        command: the command of the sweep.

    Returns:
        The numbers, see `dataset`, with their provenance in its attributes.
    """
    points = varied if points is None else points
    present = digest(of_sweep(notebook))
    rows = [_row(out / "points" / f"{sweep_grid.point_name(point)}.ipynb", point, present) for point in points]
    write_whole(out / "results.csv", _as_csv(rows, list(notebook.parameters)).encode())
    table = dataset([row["numbers"] for row in rows], varied)
    table.attrs |= {
        "title": f"What {notebook.path.stem} recorded over a sweep",
        "command": command or "lmc_utils.running.sweeps.sweep",
        "points": len(points),
        "missing": sum(not row["numbers"] for row in rows),
        **_provenance([row["metadata"] for row in rows if row["metadata"]]),
    }
    write_whole(out / "results.nc", bytes(table.to_netcdf(engine="scipy")))
    return table


def dataset(recorded: Sequence[Mapping[str, float]], points: Sequence[Mapping[str, Any]]) -> xr.Dataset:
    """The numbers of all points as a labelled dataset.

    If the points are a full grid, each parameter is a dimension, in the order of the first point; else there is one
    dimension `point`, with the parameters along it. Values other than numbers and strings are given as JSON. Missing
    numbers are NaN.

    >>> found = dataset([{"b": 1.0}, {"b": 2.0}], [{"seed": 0}, {"seed": 1}])
    >>> found.b.dims, found.b.sel(seed=1).item()
    (('seed',), 2.0)
    """
    names = comparison.order_names(list(recorded))
    table = {name: [each.get(name, np.nan) for each in recorded] for name in names}
    parameters = list(dict.fromkeys(name for point in points for name in point))
    labels_by_name = {name: [_label(point.get(name)) for point in points] for name in parameters}
    axes = {name: list(dict.fromkeys(values)) for name, values in labels_by_name.items()}
    shape = tuple(map(len, axes.values()))
    full = len(points) == int(np.prod(shape)) == len(set(zip(*labels_by_name.values(), strict=True)))
    if not full:
        coords = {name: ("point", values) for name, values in labels_by_name.items()}
        return xr.Dataset({name: ("point", values) for name, values in table.items()}, coords)
    places = tuple([axes[name].index(label) for label in labels] for name, labels in labels_by_name.items())
    grids = {name: np.empty(shape) for name in names}
    for name, values in table.items():
        grids[name][places] = values
    return xr.Dataset({name: (parameters, grid) for name, grid in grids.items()}, axes)


def _label(value: Any) -> Any:
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else json.dumps(value)


def _row(path: Path, point: Mapping[str, Any], present: str) -> dict[str, Any]:
    if notebook_files.digest_in(path) != present:
        return {"point": path.stem, "parameters": dict(point), "numbers": {}, "metadata": {}}
    notebook = notebook_files.read(path)
    numbers, parameters = recorded_numbers.recorded(notebook), comparison.parameters(path) | dict(point)
    return {"point": path.stem, "parameters": parameters, "numbers": numbers, "metadata": notebook["metadata"]}


def _provenance(executed: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Commits, versions, machines, dates and total run time, from the metadata of executed notebooks."""
    environments = [each["lmc"]["environment"] for each in executed]
    timed = [each["papermill"] for each in executed if each.get("papermill", {}).get("duration") is not None]
    days = sorted({datetime.datetime.fromisoformat(each["start_time"]).date() for each in timed})
    seconds = sum(each["duration"] for each in timed)
    return {
        **{name: "; ".join(dict.fromkeys(each[name] for each in environments)) for name in _ENVIRONMENT},
        "date": ", ".join(f"{day:%d %B %Y}" for day in days),
        "wall_time": f"{seconds:.0f} s, all points one after the other; what was trained before is not trained again",
    }


def _as_csv(rows: Sequence[Mapping[str, Any]], parameters: Sequence[str]) -> str:
    """A row for each finished point: its name, all parameters, all numbers."""
    present = [row for row in rows if row["numbers"]]
    names = comparison.order_names([row["numbers"] for row in present])
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["point", *parameters, *names])
    for row in present:
        used = [row["parameters"].get(name) for name in parameters]
        texts = [value if isinstance(value, str) else json.dumps(value) for value in used]
        table.writerow([row["point"], *texts, *(row["numbers"].get(name, "") for name in names)])
    return text.getvalue()
