"""Figures of the onset of stability: by swept parameter, against noise, and value by value of one sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lmc_utils.figures import elements, fork_axis
from lmc_utils.figures.theme import FAINT, INK
from lmc_utils.measure.statistics import bounds


def onset_by_parameter(axes: Mapping[str, xr.DataArray], unit: str, *, top: float | None = None) -> Figure:
    """Onsets against each swept parameter: a dot for each network, the mean of two or more, and its 95 % interval.

    Values of a parameter are evenly spaced. "×5" at the bottom marks a value at which five networks have no onset.

    Args:
        axes: onsets with the dimensions `parent` and the swept one, by the name of the parameter.
        unit: of the onsets.
        top: upper limit of all panels; by default each has its own.
    """
    figure, panels = elements.panels(
        axes, (3.0, 2.9), beside=0.5, ylabel=unit, key="xlabel", shared_axes="y" if top else ""
    )
    for axis, values in panels:
        (dim,) = set(values.dims) - {"parent"}
        places, labels = np.arange(values.sizes[dim]), values[dim].values
        beside = np.linspace(-0.2, 0.2, values.sizes["parent"])
        for away, (_, row) in zip(beside, values.groupby("parent"), strict=True):
            axis.plot(places + away, row.squeeze(), "o", color=elements.BLUE, ms=3.5, alpha=0.5, mew=0)
        _mean(axis, places, values, str(dim), elements.BLUE)
        for place, gone in zip(places, values.isnull().sum("parent").values, strict=True):
            if gone:
                look: dict[str, Any] = {"ha": "center", "fontsize": "x-small", "color": INK}
                axis.annotate(f"×{gone}", (place, 0.03), xycoords=("data", "axes fraction"), **look)
        axis.set_xticks(places, [f"{label:g}" for label in labels], fontsize="small")
        axis.set_ylim(bottom=0, top=top)
    return figure


def onset_against(groups: Mapping[str, tuple[xr.DataArray, xr.DataArray]], xlabel: str, unit: str) -> Figure:
    """Onsets of several sweeps against one quantity, to see whether they collapse onto one curve.

    Args:
        groups: by the name of each sweep, the quantity (swept dimension) and the onsets (parent, swept dimension).
        xlabel: of the quantity, on a logarithmic scale.
        unit: of the onsets.
    """
    figure, (axis,) = elements.side_by_side(1, (6.0, 3.8))
    marks = zip(groups.items(), (elements.BLUE, elements.ORANGE, elements.GREEN), "os^", strict=False)
    for (name, (number, values)), colour, mark in marks:
        (dim,) = set(values.dims) - {"parent"}
        _mean(axis, number.values, values, str(dim), colour, marker=mark, label=name)
    axis.set(xscale="log", xlabel=xlabel, ylabel=unit, ylim=(0, None))
    ticks = np.unique(np.concatenate([number.values for number, _ in groups.values()]).round(6))
    axis.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
    axis.minorticks_off()
    axis.legend()
    return figure


def barrier_frames(table: xr.Dataset, name: str, *, below: float, unit: str) -> Iterator[Figure]:
    """The barrier against the fork epoch at each value of a swept parameter, over the faint curves of all others.

    Args:
        table: see `chapters.when_stability_begins.onset_along_parameter`.
        name: of the parameter, for the title.
        below: threshold of stability, drawn as a dotted line.
        unit: of the barrier.

    Yields:
        A frame for `widgets.flip_book` for each value.
    """
    (dim,) = set(table.begins.dims) - {"parent"}
    forks, means = table.fork_epoch.values, table.barrier.mean("parent").transpose(dim, "fork_epoch").values
    for row, value in enumerate(table[dim].values):
        figure = elements.frame_figure((6.0, 3.4))
        figure.subplots_adjust(0.12, 0.16, 0.97, 0.89)
        axis = figure.subplots()
        axis.plot(forks, means.T, color=FAINT, lw=0.8)
        here, begins = table.isel({dim: row}), table.begins.isel({dim: row})
        fork_axis.scale_forks(axis, forks)
        fork_axis.draw_pairs(axis, here.barrier.expand_dims("pair"), elements.BLUE)
        axis.plot(forks, means[row], color=elements.BLUE, lw=2.2)
        axis.axhline(below, color=INK, ls=":", lw=1.2)
        if bool(begins.notnull().any()):
            axis.axvline(float(begins.mean()), color=elements.ORANGE, lw=1.5)
            outcome = f"stable from epoch {float(begins.mean()):.1f} on"
        else:
            outcome = "did not learn"
        axis.set_yscale("symlog", linthresh=below)
        axis.set(ylabel=unit, title=f"{name} {value:g}: {outcome}", ylim=(0, 100))
        axis.set_yticks([0, below, 10, 100], ["0", f"{below:g}", "10", "100"])
        yield figure


def _mean(
    axis: Axes, places: np.ndarray, values: xr.DataArray, dim: str, colour: str, *, marker: str = "o", label: str = ""
) -> None:  # fmt: skip
    """Draw the mean over parents at each place, with its confidence interval."""
    rows = [row[np.isfinite(row)] for row in values.transpose(dim, "parent").values]
    several = np.array([len(row) > 1 for row in rows])
    ends = [bounds(xr.DataArray(row[:, None], dims=["parent", "pair"])).values for row in rows if len(row) > 1]
    middle = np.array([row.mean() for row in rows if len(row) > 1])
    away = np.abs(np.transpose(ends) - middle) if ends else None
    style = {"color": colour, "marker": marker, "ms": 4, "lw": 1.5, "label": label or None}
    axis.errorbar(places[several], middle, away, capsize=3, **style)  # type: ignore[arg-type]
