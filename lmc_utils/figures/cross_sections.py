"""Figures of loss and error along the line between siblings, during training and at its end.

Values come with their `unit`, for the axis. During training they have the dimensions fork_epoch, epoch and alpha, and
are NaN before the fork.
"""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from lmc_utils.figures import elements
from lmc_utils.figures.theme import FAINT, INK


def cross_section(values: xr.DataArray, unit: str) -> Figure:
    """The cross-sectional sibling landscape: a curve along the line through the siblings for every epoch of training.

    A panel for each fork epoch, side by side; colour tells the epoch; dashed lines mark the siblings.
    """
    figure, forks = elements.panels(elements.by_fork(values), 2.7, 1.2, 3.4, unit, share="y", xlabel=r"$\alpha$")
    first, last = values.epoch.values[[0, -1]]
    scale = ScalarMappable(Normalize(first, max(last, first + 1)), "flare")  # early epochs pale, late ones dark
    for axis, (fork, _, curves) in forks:
        for curve in curves.sel(epoch=curves.epoch >= fork).transpose("epoch", "alpha"):
            axis.plot(curve.alpha, curve, color=scale.to_rgba(curve.epoch), linewidth=1.1)
        _dash_siblings(axis)
    figure.colorbar(scale, ax=figure.axes, label="epoch of training", pad=0.01)
    return figure


def cross_section_frames(values: xr.DataArray, unit: str) -> Iterator[Figure]:
    """The cross-sectional sibling landscape epoch by epoch, each over the faint curves of the epochs before.

    A panel for each fork epoch, in that fork's colour; empty before the fork. The axes are those of all epochs, and
    drawn once; what changes is animated, as matplotlib calls artists that are left out of a figure's ground. So the
    same figure, changed, comes for each epoch: a frame for `widgets.flip_book`.
    """
    forks, alphas, epochs = values.sizes["fork_epoch"], values.alpha.values, values.epoch.values
    columns = min(2, forks)
    rows = -(-forks // columns)
    with mpl.rc_context({"figure.constrained_layout.use": False}):  # nothing may move between frames
        figure = Figure(figsize=(2.7 * columns + 0.7, 2.1 * rows + 0.6))
    width, height = figure.get_size_inches()
    figure.subplots_adjust(0.75 / width, 0.55 / height, 0.98, 1 - 0.35 / height, wspace=0.12, hspace=0.34)
    axes = np.atleast_1d(figure.subplots(rows, columns, sharey=True)).ravel()
    top = 1.05 * max(float(values.max()), 1e-9)
    for axis in axes[forks:]:
        axis.remove()
    panels = []
    for axis, (fork, colour, curves) in zip(axes, elements.each_fork(values), strict=False):
        before = axis.add_collection(LineCollection([], colors=FAINT, linewidths=0.6, animated=True))
        (now,) = axis.plot([], [], color=colour, linewidth=2.4, animated=True)
        waiting = axis.text(
            *(0.5, 0.5, "not yet\nparted"), ha="center", va="center", color=INK, transform=axis.transAxes, animated=True
        )
        panels.append((fork, curves.transpose("epoch", "alpha").values, before, now, waiting))
        _dash_siblings(axis)
        axis.set(title=f"fork at epoch {fork}", ylim=(0, top), xlim=alphas[[0, -1]], xticks=[0, 0.5, 1])
    figure.supxlabel(r"$\alpha$", y=0.02, fontsize="medium")
    figure.supylabel(unit, x=0.02, fontsize="medium")
    name = figure.text(0.02, 0.02, "", weight="bold", animated=True)
    for row, epoch in enumerate(epochs):
        name.set_text(f"epoch {epoch}")
        for fork, rows_of_epochs, before, now, waiting in panels:
            past = rows_of_epochs[:row][epochs[:row] >= fork]
            before.set_segments([np.column_stack([alphas, curve]) for curve in past])
            now.set_data(*((alphas, rows_of_epochs[row]) if epoch >= fork else ([], [])))
            waiting.set_visible(epoch < fork)
        yield figure


def final_lines(values: xr.DataArray, unit: str) -> Figure:
    """Curves along the sibling line at one epoch: a line for the mean over parents and pairs, a band for their range.

    A panel for each split, side by side; colour tells the fork epoch. Dimensions: split, fork_epoch, parent, pair,
    alpha.
    """
    splits = {f"{split} set": values.sel(split=split) for split in values.split.values}
    figure, axes = elements.panels(splits, 4.6, 0, 3.6, unit, share="y", xlabel=r"$\alpha$")
    for axis, curves in axes:
        elements.fork_bands(axis, curves, "alpha")
        _dash_siblings(axis)
    elements.fork_legend(axis)
    return figure


def _dash_siblings(axis: Axes) -> None:
    axis.xaxis.set_major_locator(MultipleLocator(0.5))
    for alpha in (0, 1):
        axis.axvline(alpha, color=FAINT, linestyle="--", linewidth=1, zorder=0)
