"""Figures of measurements between two networks under each convention for batch-norm statistics.

Values are given by the names of the conventions; each has its own colour.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements, fork_axis
from lmc_utils.figures.labels import series_name
from lmc_utils.figures.theme import FAINT


def along_line(curves: Mapping[str, xr.DataArray], unit: str) -> Figure:
    """Curves along the line between one pair of networks: a panel for each fork epoch, a line for each convention.

    Dimensions fork_epoch and alpha, and for kept statistics also `kept`: those of one network are drawn solid, those of
    the other dotted.
    """
    first = next(iter(curves.values()))
    figure, forks = elements.fork_panels(
        first, (2.6, 3.5), beside=0.4, ylabel=unit, shared_axes="y", xlabel=r"$\alpha$"
    )
    for axis, (fork, _, _) in forks:
        for name, values, colour in elements.coloured(curves):
            shown = values.sel(fork_epoch=fork)
            several = shown.transpose("kept", "alpha") if "kept" in shown.dims else [shown]
            for curve, style in zip(several, ("-", ":"), strict=False):
                label = series_name(name) + (f", {curve.kept.item()}" if "kept" in shown.dims else "")
                axis.plot(curve.alpha, curve, style, color=colour, lw=2, label=label)
    elements.legend_below(figure, 4)
    return figure


def midpoint_by_layer(values: Mapping[str, xr.DataArray], unit: str) -> Figure:
    """Values of each layer at the midpoint, on a logarithmic axis: a panel for each fork epoch.

    A line for each convention: means over pairs, with ranges as bands; 1, for correct statistics, is a dashed line.
    Dimensions fork_epoch, parent, pair and layer.
    """
    first = next(iter(values.values()))
    places = np.arange(first.sizes["layer"])
    figure, forks = elements.fork_panels(first, (2.6, 4.0), beside=0.4, ylabel=unit, shared_axes="y", yscale="log")
    for axis, (fork, _, _) in forks:
        for name, shown, colour in elements.coloured(values):
            curves = shown.sel(fork_epoch=fork).assign_coords(layer=places)
            elements.band(axis, curves, "layer", colour, marker="o", ms=3.5, label=series_name(name))
        axis.axhline(1, color=FAINT, ls="--", lw=1, zorder=0)
        axis.set_xticks(places, first.layer.values, rotation=90, fontsize="x-small")
    elements.legend_below(figure, 3)
    return figure


def barrier_by_fork(shown: Mapping[str, xr.DataArray], unit: str) -> Figure:
    """Barriers against the fork epoch under each convention, a panel for each family.

    Dots and lines as in `fork_axis.draw_series`. Dimensions batchnorm, fork_epoch, parent, pair.
    """
    figure, axes = elements.panels(shown, (4.4, 3.6), beside=0.4, ylabel=unit, shared_axes="y")
    for axis, values in axes:
        names = values.batchnorm.values.tolist()
        fork_axis.draw_series(axis, {series_name(name): values.sel(batchnorm=name) for name in names})
        elements.zero_line(axis)
    elements.legend_below(figure, 3)
    return figure
