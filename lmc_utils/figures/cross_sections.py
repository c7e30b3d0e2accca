"""Figures of loss and error along the line between siblings, during training and at its end.

During training, values have the dimensions fork_epoch, epoch and alpha, and are NaN before the fork; `unit` is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from lmc_utils.figures import elements
from lmc_utils.figures.labels import series_name
from lmc_utils.figures.theme import FAINT, INK


def cross_section(values: xr.DataArray, unit: str) -> Figure:
    """The cross-sectional sibling landscape: a curve along the line through the siblings for every epoch of training.

    A panel for each fork epoch; colour for the epoch; dashed lines mark the siblings.
    """
    figure, forks = elements.fork_panels(
        values, (2.7, 3.4), beside=1.2, ylabel=unit, shared_axes="y", xlabel=r"$\alpha$"
    )
    first, last = values.epoch.values[[0, -1]]
    scale = ScalarMappable(Normalize(first, max(last, first + 1)), "flare")  # early epochs pale, late ones dark
    for axis, (fork, _, curves) in forks:
        for curve in curves.sel(epoch=curves.epoch >= fork).transpose("epoch", "alpha"):
            axis.plot(curve.alpha, curve, color=scale.to_rgba(curve.epoch), linewidth=1.1)
        _dash_siblings(axis)
    figure.colorbar(scale, ax=figure.axes, label="epoch of training", pad=0.01)
    return figure


def cross_section_frames(values: xr.DataArray, unit: str) -> Iterator[Figure]:
    """The cross-sectional sibling landscape epoch by epoch, over the faint curves of the epochs before.

    A panel for each fork epoch, empty before the fork. Axes are drawn once; artists that change are `animated`.

    Yields:
        The same figure, changed, for each epoch: frames for `widgets.flip_book`.
    """
    forks, alphas, epochs = values.sizes["fork_epoch"], values.alpha.values, values.epoch.values
    columns = min(2, forks)
    rows = -(-forks // columns)
    figure = elements.frame_figure((2.7 * columns + 0.7, 2.1 * rows + 0.6))
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
            *(0.5, 0.5, "not yet\nforked"), ha="center", va="center", color=INK, transform=axis.transAxes, animated=True
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


def final_cross_sections(values: xr.DataArray, unit: str) -> Figure:
    """Curves along the sibling line at one epoch: mean over parents and pairs as a line, range as a band.

    A panel for each split; colour for the fork epoch. Dimensions: split, fork_epoch, parent, pair, alpha.
    """
    splits = {series_name(split): values.sel(split=split) for split in values.split.values}
    figure, axes = elements.panels(splits, (4.6, 3.6), ylabel=unit, shared_axes="y", xlabel=r"$\alpha$")
    for axis, curves in axes:
        elements.fork_bands(axis, curves, "alpha")
        _dash_siblings(axis)
    elements.fork_legend(axis)
    return figure


def _dash_siblings(axis: Axes) -> None:
    axis.xaxis.set_major_locator(MultipleLocator(0.5))
    for alpha in (0, 1):
        axis.axvline(alpha, color=FAINT, linestyle="--", linewidth=1, zorder=0)
