"""Figures of barriers: by fork epoch, and during training. Values come with their `unit`, for the axis."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements, fork_axis
from lmc_utils.figures.labels import series_name
from lmc_utils.figures.theme import INK


def barrier_by_fork(
    values: xr.DataArray, unit: str, *, threshold: float | None = None, colour: str = "split"
) -> Figure:
    """A barrier against the fork epoch: a dot for every pair, a line for the mean over parents, with its 95 % interval.

    Args:
        values: dimensions `colour`, fork_epoch, parent, pair.
        unit: of the values.
        threshold: of stability (Frankle et al.), drawn as a horizontal line.
        colour: the dimension that colours distinguish.
    """
    figure, (axis,) = elements.side_by_side(1, (6.4, 3.8))
    series = {series_name(name): values.sel({colour: name}) for name in values[colour].values.tolist()}
    fork_axis.draw_series(axis, series)
    if threshold is not None:
        axis.axhline(threshold, color=INK, linestyle=":", linewidth=1.2, label=f"stable below {threshold:g}")
    elements.zero_line(axis)
    axis.set_ylabel(unit)
    elements.legend_below(figure, 3)
    return figure


def barrier_during_training(values: xr.DataArray, unit: str) -> Figure:
    """A signed barrier against the epoch of training: mean over parents and pairs as a line, range as a band.

    Dimensions: fork_epoch, parent, pair, epoch; NaN before the fork.
    """
    figure, (axis,) = elements.side_by_side(1, (6.4, 3.6))
    elements.fork_bands(axis, values, "epoch")
    elements.zero_line(axis)
    axis.set(xlabel="epoch of training", ylabel=unit)
    axis.legend(title="fork epoch")
    return figure
