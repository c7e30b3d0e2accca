"""Figures of barriers: by fork epoch, and during training."""

from __future__ import annotations

import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures.theme import FAINT, INK, fork_colours


def barrier_by_fork(values: xr.DataArray, unit: str, threshold: float | None = None) -> Figure:
    """A barrier against the fork epoch: every pair a dot, mean and standard deviation over all pairs joined by a line.

    Args:
        values: dimensions split, fork_epoch, parent, pair.
        unit: of the values, for the axis.
        threshold: drawn as a horizontal line, where there is one: Frankle et al.'s bound for stable siblings.

    Returns:
        One panel; colour tells the split; fork epochs are evenly spaced, whatever their distance.
    """
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    table = values.to_dataframe("barrier").reset_index()
    sns.pointplot(table, x="fork_epoch", y="barrier", hue="split", errorbar="sd", dodge=0.2, capsize=0.06, ax=axis)
    sns.stripplot(
        table,
        x="fork_epoch",
        y="barrier",
        hue="split",
        dodge=True,
        size=3.5,
        alpha=0.55,
        legend=False,
        ax=axis,
        jitter=False,
    )
    if threshold is not None:
        axis.axhline(threshold, color=INK, linestyle=":", linewidth=1.2)
        axis.annotate(
            f"stable below {threshold:g}", (0, threshold), (4, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="left", va="bottom", fontsize="small",
        )  # fmt: skip
    axis.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    axis.set(xlabel="fork epoch", ylabel=unit)
    axis.legend(title=None)
    return figure


def barrier_during_training(values: xr.DataArray, unit: str) -> Figure:
    """A signed barrier against the epoch of training: mean over parents and pairs as a line, their range as a band.

    Args:
        values: dimensions fork_epoch, parent, pair, epoch; NaN before the fork.
        unit: of the values, for the axis.
    """
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axis = figure.subplots()
    for fork, colour in fork_colours(list(values.fork_epoch.values)).items():
        curves = values.sel(fork_epoch=fork, epoch=values.epoch >= fork)
        low, high = curves.min(["parent", "pair"]), curves.max(["parent", "pair"])
        axis.fill_between(curves.epoch, low, high, color=colour, alpha=0.2, lw=0)
        axis.plot(curves.epoch, curves.mean(["parent", "pair"]), color=colour, label=f"{fork}", linewidth=2)
    axis.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    axis.set(xlabel="epoch of training", ylabel=unit)
    axis.legend(title="fork epoch")
    return figure
