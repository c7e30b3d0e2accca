"""Figures of loss and error along the line between two networks of any kind, or several such pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from lmc_utils.figures import elements
from lmc_utils.figures.labels import axis_label
from lmc_utils.figures.planes import TERRAIN, log_range, name_points
from lmc_utils.figures.theme import INK

_LAYERS = "layer (name in the model)"
_ESTIMATES = {"second_order": "second order (poster)", "second_order_with_slope": "with the gradient term"}


def along_line(report: xr.Dataset) -> Figure:
    """Loss and error along the line between two networks, each with its chord, and further measurements.

    These may be the second-order approximation, a Bézier curve, and the rise of the loss when one layer is moved to the
    midpoint, with that of groups of layers. Points that are NaN are left out. Variables: as in `connect.Report`.
    """
    curves = [name for name in ("loss", "error") if name in report]
    layers = ["layer_rise"] if "layer_rise" in report else []
    panels = len(curves) + len(layers)
    figure, axes = elements.side_by_side(panels, (4.2 * panels, 3.4))
    for axis, name in zip(axes, curves, strict=False):
        _curve(axis, report, name)
    elements.legend_below(figure, 2 * panels)
    if layers:
        values = report.layer_rise
        axes[-1].barh([str(layer) for layer in values.layer.values], values.values, color=sns.color_palette()[2])
        _groups(axes[-1], report)
        axes[-1].invert_yaxis()
        axes[-1].axvline(0, color=INK, linewidth=0.8)
        moved = "one layer (bars)\nor a group" if "group_rise" in report else "one\nlayer"
        axes[-1].set(xlabel=axis_label(f"rise of the loss with {moved} at the midpoint", values), ylabel=_LAYERS)
        axes[-1].tick_params(axis="y", labelsize="x-small", pad=6)
    return figure


def _curve(axis: Axes, report: xr.Dataset, name: str) -> None:
    values = report[name].dropna("alpha")
    colour: Any = sns.color_palette()[0 if name == "loss" else 3]
    axis.plot(values.alpha, values, color=colour, marker="o", markersize=3, label="measured")
    ends = report[name].sel(alpha=[0.0, 1.0])
    axis.plot([0, 1], ends, color=INK, alpha=0.5, linestyle="--", label="chord")
    if name == "loss":
        chord = (1 - report.alpha) * ends.values[0] + report.alpha * ends.values[1]
        for row, (estimate, label) in enumerate(_ESTIMATES.items()):
            if estimate in report:
                style = {"color": sns.color_palette()[1 + row], "linestyle": ":"}
                axis.plot(report.alpha, chord + report[estimate], label=label, **style)
    if f"curve_{name}" in report:
        axis.plot(report.fraction, report[f"curve_{name}"], color=sns.color_palette()[4], label="curve")
    axis.set(xlabel=r"$\alpha$ (0: first network, 1: second)", ylabel=axis_label(name, report[name]))


def _groups(axis: Axes, report: xr.Dataset) -> None:
    """Draw the rises of cumulative groups of layers over those of single layers, solid, and of random steps, dashed."""
    if "group_rise" not in report:
        return
    for group, colour in (("from_input", sns.color_palette()[1]), ("from_output", sns.color_palette()[4])):
        for name, style in (("group_rise", "-"), ("random_rise", ":")):
            label = group.replace("_", " ") + ("" if style == "-" else ", random")
            rises = report[name].sel(group=group)
            axis.plot(rises, range(len(rises)), color=colour, ls=style, marker="o", ms=3, label=label)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize="x-small")


def plane_map(plane: xr.Dataset, names: Sequence[str]) -> Figure:
    """Maps of loss and error on the plane through three networks, each with a logarithmic colour scale.

    Args:
        plane: from `connect.plane`: `loss` and, if measured, `error` with the dimensions row and column; `x`, `y` and
            `corner`.
        names: of the three networks.
    """
    shown = [name for name in ("loss", "error") if name in plane]
    figure, axes = elements.side_by_side(len(shown), (5 * len(shown), 4.2), aspect="equal")
    for axis, name in zip(axes, shown, strict=True):
        heights = plane[name].transpose("row", "column")
        low, high = log_range(heights)
        scale = LogNorm(low, high)
        cut = np.ma.masked_invalid(heights.clip(low, None).values)
        axis.pcolormesh(plane.x, plane.y, cut, norm=scale, cmap=TERRAIN, shading="nearest", rasterized=True)
        if high > low * (1 + 1e-5):
            levels = np.geomspace(low, high, 13)[1:-1]
            axis.contour(plane.x, plane.y, cut, levels=levels, colors="white", linewidths=0.5, alpha=0.45)
        name_points(axis, plane.corner.transpose("point", "axis").values, names)
        axis.set(xlabel="distance along the first two networks", ylabel="distance from their line")
        bar = figure.colorbar(ScalarMappable(scale, TERRAIN), ax=axis, location="top", shrink=0.8, format="{x:g}")
        bar.set_label(axis_label(name, plane[name]))
        bar.locator = LogLocator(subs=(1, 2, 5))
        bar.minorticks_off()
    return figure


def along_line_by_start(curves: Mapping[str, xr.DataArray], unit: str) -> Figure:
    """Curves along lines between networks from the same and from different starting points, a panel for each title.

    Dimensions start, family and alpha: a thin line for each family, and their mean.
    """
    figure, panels = elements.panels(curves, (3.2, 3.4), beside=0.6, ylabel=unit, shared_axes="y", xlabel=r"$\alpha$")
    for axis, values in panels:
        for start, colour in zip(values.start.values, (elements.BLUE, elements.ORANGE), strict=False):
            lines = values.sel(start=start)
            axis.plot(lines.alpha, lines.transpose("alpha", "family"), color=colour, lw=0.8, alpha=0.6)
            axis.plot(lines.alpha, lines.mean("family"), color=colour, lw=2.5, label=start.replace("_", " "))
        elements.zero_line(axis)
    elements.legend_below(figure, 2)
    return figure


def predictions_and_layer_rises(estimates: xr.DataArray, barriers: xr.DataArray, rises: xr.DataArray) -> Figure:
    """Measured against predicted loss barriers of pairs; and the rise of the loss with one layer at the midpoint.

    Dimensions: start and family; of the rises: family and layer.
    """
    figure, (left, right) = elements.side_by_side(2, (7.2, 4.4))
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr, call-arg]
    for start, colour in zip(barriers.start.values, (elements.BLUE, elements.ORANGE), strict=False):
        left.scatter(estimates.sel(start=start), barriers.sel(start=start), color=colour, label=start.replace("_", " "))
    left.set(xlabel="barrier predicted from\nendpoint curvature (nats)", ylabel="measured barrier (nats)")
    left.plot([], [], color=INK, ls=":", label="mean barrier (right)")
    elements.legend_below(figure, 3)
    names = rises.layer.values.tolist()
    right.plot(rises.transpose("layer", "family"), range(len(names)), "o", color=elements.ORANGE, ms=4, alpha=0.7)
    right.axvline(float(barriers.sel(start=barriers.start[-1]).mean()), color=INK, ls=":")
    right.set_yticks(range(len(names)), names, fontsize="small")
    right.invert_yaxis()
    right.tick_params(axis="y", length=0, pad=6)
    right.set(xlabel="rise of the loss with one\nlayer at the midpoint (nats)", ylabel=_LAYERS)
    return figure
