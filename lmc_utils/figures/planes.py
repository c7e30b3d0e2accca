"""Figures of the ridge chapter: planes through siblings as maps, profiles of the ridge, and its growth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from lmc_utils.figures import elements
from lmc_utils.figures.labels import axis_label
from lmc_utils.figures.theme import INK, ON_MAP

__all__ = ["plane_maps", "height_profiles", "ridge_growth"]

TERRAIN = "viridis"  # valleys dark, peaks bright

_ALONG, _AWAY = "distance along the sibling line", "distance from that line"
_THIRD_NAMES = {"fork_point": "fork"}


def plane_maps(planes: xr.Dataset, trajectories: xr.Dataset, *, show: str = "loss", lowest: float = 0.0) -> Figure:
    """Maps of the plane through both siblings of a pair and a third point, one for each fork epoch.

    One logarithmic colour scale and one set of contours for all; each panel has its own scale of lengths, the same in
    both directions. White: trajectories.

    Args:
        planes: of one pair, from `measure.planes.plane`: `loss` and `error` with dimensions fork_epoch, row, column,
            and `x`, `y`, `corner`; NaN where the three points lie on one line.
        trajectories: of the same pair, from `measure.trajectory_projection.project`: `position` with dimensions
            fork_epoch, trajectory, epoch, axis.
        show: `loss` or `error`.
        lowest: the smallest value that colours distinguish.
    """
    shown = planes[show].clip(lowest, None)
    figure, forks = elements.fork_panels(shown, (3.2, 3.5), xlabel=_ALONG, ylabel=_AWAY)
    low, high = log_range(shown)
    scale = LogNorm(low, high)
    levels = np.geomspace(low, high, 13)
    for axis, (fork, _, panel) in forks:
        axis.set(aspect="equal", adjustable="datalim", box_aspect=1)
        axis.locator_params(nbins=4)
        heights = panel.transpose("row", "column").clip(low, None).values
        if not np.isfinite(heights).all():
            axis.text(0.5, 0.5, "on one line:\nno plane", ha="center", va="center", transform=axis.transAxes)
            continue
        plane, steps = (data.sel(fork_epoch=fork) for data in (planes, trajectories))
        x, y = plane.x.values, plane.y.values
        axis.pcolormesh(x, y, heights, norm=scale, cmap=TERRAIN, shading="gouraud", rasterized=True)
        axis.contour(x, y, heights, levels=levels[1:-1], colors="white", linewidths=0.5, alpha=0.45)
        for step in steps.position.transpose("trajectory", "axis", ...).values:
            axis.plot(*step, color="white", lw=1.6, path_effects=[withStroke(linewidth=2.6, foreground=ON_MAP)])
        name_points(axis, plane.corner.transpose("point", "axis").values, ("1", "2", third_point_name(planes)))
    bar: dict[str, Any] = {"location": "bottom", "aspect": 40, "label": axis_label(show, planes[show])}
    figure.colorbar(ScalarMappable(scale, TERRAIN), ax=figure.axes, **bar)
    return figure


def third_point_name(planes: xr.Dataset) -> str:
    """The name of the third point of planes in figures: `fork` for the fork point, else its attribute."""
    third = str(planes.attrs["third"])
    return _THIRD_NAMES.get(third, third.replace("_", " "))


def log_range(values: xr.DataArray) -> tuple[float, float]:
    """The range of a logarithmic scale: of all finite values, but at most the four highest decades.

    >>> log_range(xr.DataArray([0.0, 0.01, 5.0, np.nan]))
    (0.01, 5.0)
    """
    positive = values.values[np.isfinite(values.values) & (values.values > 0)]
    highest = float(positive.max(initial=1e-12))
    lowest = max(float(positive.min(initial=highest)), 1e-4 * highest)
    return lowest, max(highest, lowest * (1 + 1e-6))


def height_profiles(shown: Mapping[str, xr.DataArray]) -> Figure:
    """Curves over the height above the sibling line: means over parents and pairs as lines, ranges as bands.

    Args:
        shown: values for each panel, by the label of its vertical axis; dimensions fork_epoch, parent, pair, height.
    """
    xlabel = "height: sibling line (0) to third point (1)"
    figure, axes = elements.panels(shown, (4.6, 3.7), beside=1, key="ylabel", xlabel=xlabel)
    for axis, values in axes:
        elements.fork_bands(axis, values, "height")
        elements.zero_line(axis)
    elements.fork_legend(figure.axes[-1])
    return figure


def ridge_growth(grown: xr.Dataset, unit: str) -> Figure:
    """Growth of the ridge: height above the sibling line against the epoch of training, a panel for each fork epoch.

    Red above the flanks, blue below; a symmetric scale, linear near 0 and logarithmic beyond.

    Args:
        grown: `ridge`, means over pairs, dimensions fork_epoch, epoch, height, NaN before the fork; and `since`, the
            epoch from which on there is a ridge at that height, dimensions fork_epoch, height, NaN where there is
            none, drawn as dots.
        unit: of the ridge, for the colour bar.
    """
    labels = {"ylabel": "height above the sibling line", "xlabel": "epoch of training"}
    figure, forks = elements.fork_panels(grown.ridge, (2.7, 3.3), beside=1.2, shared_axes="y", **labels)
    most = max(float(abs(grown.ridge).max()), 1e-9)
    colours = ScalarMappable(SymLogNorm(linthresh=most / 30, vmin=-most, vmax=most), "RdBu_r")
    mesh: dict[str, Any] = {"norm": colours.norm, "cmap": colours.cmap, "shading": "nearest", "rasterized": True}
    for axis, (fork, _, ridge) in forks:
        cut, since = ridge.transpose("height", "epoch"), grown.since.sel(fork_epoch=fork)
        axis.pcolormesh(cut.epoch, cut.height, cut.values, **mesh)
        axis.plot(since, since.height, "o", color=INK, ms=5, mec="white", mew=0.8, clip_on=False)
    figure.colorbar(colours, ax=figure.axes, label=unit, pad=0.01)
    return figure


def name_points(axis: Axes, spots: np.ndarray[Any, Any], names: Sequence[str]) -> None:
    """Mark the three points that span a plane, shape (3, 2), with names beside the first two and above the third."""
    places = (((-7, 0), "right", "center"), ((7, 0), "left", "center"), ((0, 6), "center", "bottom"))
    for (x, y), name, (away, ha, va) in zip(spots, names, places, strict=True):
        axis.plot(x, y, "o", color="white", mec=ON_MAP, ms=6)
        axis.annotate(
            name, (x, y), away, textcoords="offset points", ha=ha, va=va, color="white", fontsize="small",
            path_effects=[withStroke(linewidth=2, foreground=ON_MAP)],
        )  # fmt: skip
