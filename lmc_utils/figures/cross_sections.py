"""Figures of loss and error along the line between siblings, during training and at its end."""

from __future__ import annotations

from collections.abc import Iterator
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


def cross_section_film(values: xr.DataArray, unit: str) -> Iterator[Figure]:
    """The cross-sectional sibling landscape epoch by epoch, each over the faint curves of the epochs before.

    The axes are those of all epochs, and drawn once: what changes from one epoch to the next is animated, as matplotlib
    calls artists that are left out of a figure's ground.

    Args:
        values: dimensions fork_epoch, epoch, alpha; NaN before the fork.
        unit: of the values, for the axis.

    Yields:
        The same figure, changed, for each epoch, a frame for `widgets.flip_book`: a panel for each fork epoch, side by
        side, in that fork's colour; empty before the fork.
    """
    forks, alphas = values.fork_epoch.values, values.alpha.values
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
    panels = []
    for axis, (fork, colour) in zip(axes, fork_colours(list(forks)).items(), strict=False):
        before = axis.add_collection(LineCollection([], colors=FAINT, linewidths=0.6, animated=True))
        (now,) = axis.plot([], [], color=colour, linewidth=2.4, animated=True)
        where = {"ha": "center", "va": "center", "transform": axis.transAxes}
        waiting = axis.text(0.5, 0.5, "not yet\nparted", color=INK, animated=True, **where)
        panels.append((fork, values.sel(fork_epoch=fork).transpose("epoch", "alpha").values, before, now, waiting))
        _dash_siblings(axis)
        axis.set(title=f"fork at epoch {fork}", ylim=(0, top), xlim=alphas[[0, -1]])
        axis.set_xticks([0, 0.5, 1])
    figure.supxlabel(r"$\alpha$", y=0.02, fontsize="medium")
    figure.supylabel(unit, x=0.02, fontsize="medium")
    name = figure.text(0.02, 0.02, "", weight="bold", animated=True)
    epochs = values.epoch.values
    for row, epoch in enumerate(epochs):
        name.set_text(f"epoch {epoch}")
        for fork, curves, before, now, waiting in panels:
            past = curves[:row][epochs[:row] >= fork]
            before.set_segments([np.column_stack([alphas, curve]) for curve in past])
            now.set_data(*((alphas, curves[row]) if epoch >= fork else ([], [])))
            waiting.set_visible(epoch < fork)
        yield figure


def cross_section_until(values: xr.DataArray, unit: str, epoch: int) -> Figure:
    """The frame of `cross_section_film` at one epoch."""
    film = zip(values.epoch.values, cross_section_film(values, unit), strict=True)
    return next(figure for at, figure in film if at == epoch)


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
