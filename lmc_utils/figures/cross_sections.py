"""Figures of loss and error along the line between siblings, during training and at its end."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from lmc_utils.figures.theme import FAINT, INK, fork_colours

_EPOCH_COLOURS = "flare"  # early epochs pale, late ones dark


def cross_section(values: xr.DataArray, unit: str) -> Figure:
    """The cross-sectional sibling landscape: a curve along the line through the siblings for every epoch of training.

    Args:
        values: dimensions fork_epoch, epoch, alpha; NaN before the fork.
        unit: of the values, for the axis.

    Returns:
        A panel for each fork epoch, side by side; colour tells the epoch; dashed lines mark the siblings.
    """
    forks = values.fork_epoch.values
    figure = Figure(figsize=(2.7 * len(forks) + 1.2, 3.4), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(forks), sharey=True))
    colours, scale = _epoch_scale(values.epoch.values)
    for axis, fork in zip(axes, forks, strict=True):
        for epoch in values.epoch.values[values.epoch.values >= fork]:
            curve = values.sel(fork_epoch=fork, epoch=epoch)
            axis.plot(values.alpha, curve, color=colours(scale(epoch)), linewidth=1.1)
        _dash_siblings(axis)
        axis.set(title=f"fork at epoch {fork}", xlabel=r"$\alpha$")
    axes[0].set_ylabel(unit)
    figure.colorbar(ScalarMappable(scale, colours), ax=axes, label="epoch of training", pad=0.01)
    return figure


def cross_section_until(values: xr.DataArray, unit: str, epoch: int) -> Figure:
    """The cross-sectional sibling landscape as it is at one epoch, over the faint curves of the epochs before.

    The axes are those of all epochs, so that the figures of a run are the frames of one film.

    Args:
        values: dimensions fork_epoch, epoch, alpha; NaN before the fork.
        unit: of the values, for the axis.
        epoch: the last one drawn.

    Returns:
        A panel for each fork epoch, side by side, in that fork's colour; empty before the fork.
    """
    forks = values.fork_epoch.values
    columns = min(2, len(forks))
    rows = -(-len(forks) // columns)
    with mpl.rc_context({"figure.constrained_layout.use": False}):  # nothing may move between frames
        figure = Figure(figsize=(2.7 * columns + 0.7, 2.1 * rows + 0.6))
    width, height = figure.get_size_inches()
    figure.subplots_adjust(0.75 / width, 0.55 / height, 0.98, 1 - 0.35 / height, wspace=0.12, hspace=0.34)
    axes = np.atleast_1d(figure.subplots(rows, columns, sharey=True)).ravel()
    top = 1.05 * max(float(values.max()), 1e-9)
    for axis in axes[len(forks) :]:
        axis.remove()
    for axis, (fork, colour) in zip(axes, fork_colours(list(forks)).items(), strict=False):
        before = values.sel(fork_epoch=fork, epoch=(values.epoch >= fork) & (values.epoch < epoch))
        curves = [np.column_stack([values.alpha, curve]) for curve in before.transpose("epoch", "alpha").values]
        axis.add_collection(LineCollection(curves, colors=FAINT, linewidths=0.6))
        if epoch >= fork:
            axis.plot(values.alpha, values.sel(fork_epoch=fork, epoch=epoch), color=colour, linewidth=2.4)
        else:
            axis.text(0.5, 0.5, "not yet\nparted", ha="center", va="center", color=INK, transform=axis.transAxes)
        _dash_siblings(axis)
        axis.set(title=f"fork at epoch {fork}", ylim=(0, top), xlim=values.alpha.values[[0, -1]])
        axis.set_xticks([0, 0.5, 1])
    figure.supxlabel(r"$\alpha$", y=0.02, fontsize="medium")
    figure.supylabel(unit, x=0.02, fontsize="medium")
    figure.text(0.02, 0.02, f"epoch {epoch}", weight="bold")
    return figure


def final_lines(values: xr.DataArray, unit: str) -> Figure:
    """Curves along the sibling line at one epoch: a line for the mean over parents and pairs, a band for their range.

    Args:
        values: dimensions split, fork_epoch, parent, pair, alpha.
        unit: of the values, for the axis.

    Returns:
        A panel for each split, side by side; colour tells the fork epoch.
    """
    splits = values.split.values
    figure = Figure(figsize=(4.6 * len(splits), 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(splits), sharey=True))
    for axis, split in zip(axes, splits, strict=True):
        for fork, colour in fork_colours(list(values.fork_epoch.values)).items():
            curves = values.sel(split=split, fork_epoch=fork)
            axis.fill_between(
                values.alpha,
                curves.min(["parent", "pair"]),
                curves.max(["parent", "pair"]),
                color=colour,
                alpha=0.2,
                lw=0,
            )
            axis.plot(values.alpha, curves.mean(["parent", "pair"]), color=colour, label=f"{fork}", linewidth=2)
        _dash_siblings(axis)
        axis.set(title=f"{split} set", xlabel=r"$\alpha$")
    axes[0].set_ylabel(unit)
    axes[-1].legend(title="fork epoch", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _dash_siblings(axis: Axes) -> None:
    axis.xaxis.set_major_locator(MultipleLocator(0.5))
    for alpha in (0, 1):
        axis.axvline(alpha, color=FAINT, linestyle="--", linewidth=1, zorder=0)


def _epoch_scale(epochs: np.ndarray[Any, Any]) -> tuple[Colormap, Normalize]:
    return mpl.colormaps[_EPOCH_COLOURS], Normalize(epochs.min(), max(epochs.max(), epochs.min() + 1))
