"""The axis of fork epochs, to scale, and pairs of siblings on it: a dot for each, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from lmc_utils.figures import elements
from lmc_utils.toy import Array

__all__ = ["scale_forks", "lanes", "draw_pairs", "draw_series"]

_ROOM = 0.06  # fraction of the axis that a label needs


def scale_forks(axis: Axes, fork_epochs: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic in 1 + fork epoch, which has a place for 0, with ticks at measured forks.

    Ticks that are too close to another one have no label.
    """
    axis.set_xscale("function", functions=(np.log1p, np.expm1))
    axis.set_xticks(fork_epochs, _labels(fork_epochs))
    axis.set_xlabel("fork epoch")


def lanes(fork_epochs: Sequence[float], count: int) -> Array:
    """Places for several series side by side at each fork epoch, shape (count, forks).

    Together they take at most 70 % of the smallest gap between fork epochs, so that neighbours never overlap, and at
    most 12 % of the axis.

    >>> lanes([0, 1, 15], 1).round(9).tolist()
    [[0.0, 1.0, 15.0]]
    >>> lanes([0, 1, 15], 2).round(2).tolist()
    [[-0.08, 0.84, 13.72], [0.09, 1.17, 16.39]]
    """
    offsets = (np.arange(count) - (count - 1) / 2) * _width(fork_epochs) / count
    return np.expm1(np.log1p(fork_epochs) + offsets[:, None])


def draw_pairs(axis: Axes, values: xr.DataArray, colour: Any, *, places: Array | None = None, count: int = 1) -> None:
    """Draw every pair as a dot, those of one fork epoch side by side, parent by parent.

    Args:
        axis: with the scale of `scale_forks`.
        values: dimensions fork_epoch, parent, pair.
        colour: of the dots, or one for each fork epoch.
        places: of the fork epochs, a row of `lanes`; by default the fork epochs themselves.
        count: number of lanes.
    """
    forks = values.fork_epoch.values
    dots = values.transpose("fork_epoch", "parent", "pair").values.reshape(len(forks), -1)
    spread = np.linspace(-0.4, 0.4, dots.shape[1]) if dots.shape[1] > 1 else np.zeros(1)
    beside = np.log1p(forks if places is None else places)[:, None] + spread * _width(forks) / count
    colours = colour if isinstance(colour, list) else [colour] * len(forks)
    for x, y, shade in zip(np.expm1(beside), dots, colours, strict=True):
        axis.plot(x, y, "o", color=shade, ms=4.5, mec="white", mew=0.4, alpha=0.85, zorder=3)


def draw_series(axis: Axes, series: Mapping[str, xr.DataArray]) -> None:
    """Draw values by fork epoch: each pair as a dot, the mean over parents as a line, with its 95 % interval.

    Args:
        axis: which becomes one of `scale_forks`.
        series: by name, for the legend, with a colour for each; dimensions fork_epoch, parent, pair.
    """
    forks = next(iter(series.values())).fork_epoch.values
    scale_forks(axis, forks)
    for (name, values, colour), places in zip(elements.coloured(series), lanes(forks, len(series)), strict=True):
        elements.means(axis, places, values, color=colour, lw=1.8, elinewidth=1, capsize=3, label=name, zorder=2)
        draw_pairs(axis, values, colour, places=places, count=len(series))


def _width(fork_epochs: Sequence[float]) -> float:
    """The width, on the axis, of all that is drawn for one fork epoch."""
    at = np.log1p(sorted(fork_epochs))
    span = float(at[-1] - at[0]) or 1.0
    return float(min([0.12 * span, *(0.7 * np.diff(at))]))


def _labels(fork_epochs: Sequence[float]) -> list[str]:
    """The labels of ticks, empty where one would overlap the last one before it.

    >>> _labels([0, 1, 2, 15]), _labels([0, 12, 13, 14, 15])
    (['0', '1', '2', '15'], ['0', '12', '', '', '15'])
    """
    at = np.log1p(fork_epochs)
    room, last = _ROOM * (at[-1] - at[0]), -np.inf
    shown = []
    for fork, place in zip(fork_epochs, at, strict=True):
        free = place - last >= room
        shown.append((f"{fork:.2g}" if fork % 1 else f"{fork:g}") if free else "")
        last = place if free else last
    return shown
