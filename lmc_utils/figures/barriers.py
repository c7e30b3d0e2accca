"""Figures of barriers: by fork epoch, and during training. Values come with their `unit`, for the axis."""

from __future__ import annotations

import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements
from lmc_utils.figures.theme import INK


def barrier_by_fork(
    values: xr.DataArray, unit: str, *, threshold: float | None = None, colour: str = "split"
) -> Figure:
    """A barrier against the fork epoch: every pair a dot, mean and standard deviation over pairs joined by a line.

    Args:
        values: dimensions `colour`, fork_epoch, parent, pair; fork epochs are evenly spaced on the axis.
        unit: of the values.
        threshold: of stability (Frankle et al.), drawn as a horizontal line.
        colour: the dimension that colours distinguish.
    """
    figure, (axis,) = elements.side_by_side(1, (6.4, 3.8))
    table = values.to_dataframe("barrier").reset_index()
    shown = {"data": table, "x": "fork_epoch", "y": "barrier", "hue": colour, "ax": axis}
    sns.pointplot(**shown, errorbar="sd", dodge=0.8 * (1 - 1 / values.sizes[colour]), capsize=0.06)
    sns.stripplot(**shown, dodge=True, size=3.5, alpha=0.55, legend=False, jitter=False)
    if threshold is not None:
        axis.axhline(threshold, color=INK, linestyle=":", linewidth=1.2)
        axis.annotate(
            f"stable below {threshold:g}", (0, threshold), (4, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="left", va="bottom", fontsize="small",
        )  # fmt: skip
    elements.zero_line(axis)
    axis.set(xlabel="fork epoch", ylabel=unit)
    axis.legend(title=None)
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
