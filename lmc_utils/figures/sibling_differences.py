"""Figures of what parts siblings: their distance step by step, barriers by difference, and averages of several."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements
from lmc_utils.figures.theme import INK


def distance_by_step(
    panels: Mapping[str, xr.DataArray], events: Mapping[str, xr.DataArray] | None = None, *, event: str = ""
) -> Figure:
    """The distance between siblings against the step since the fork, on a logarithmic axis; a line for each parent.

    Args:
        panels: distances with the dimensions difference, parent and step, by the title of a panel.
        events: steps to mark on the line of each parent, with the dimensions difference and parent; NaN for none.
        event: name of the marks, for the legend.
    """
    figure, drawn = elements.panels(
        panels,
        (3.6, 3.2),
        beside=0.4,
        ylabel="distance between siblings",
        shared_axes="y",
        xlabel="step since the fork",
    )
    for (title, distance), (axis, _) in zip(panels.items(), drawn, strict=True):
        parts = {str(name): distance.sel(difference=name) for name in distance.difference.values}
        for name, values, colour in elements.coloured(parts):
            curves = axis.plot(
                values.step, values.where(values > 0).transpose("step", "parent"), color=colour, lw=0.9, alpha=0.75
            )
            curves[0].set_label(name)
            if events and title in events:
                at = events[title].sel(difference=name).dropna("parent")
                heights = values.sel(parent=at.parent, step=at.astype(int))
                axis.plot(at, heights, "o", color=INK, ms=3.5, zorder=3, label=event)
        axis.set_yscale("log")
    elements.legend_below(figure, 3)
    return figure


def barrier_by_difference(values: xr.DataArray, unit: str, *, threshold: float) -> Figure:
    """Barriers for each kind of difference: a line for each fork epoch, means over parents with 95 % intervals.

    Args:
        values: dimensions difference, fork_epoch, parent and pair.
        unit: of the values.
        threshold: of stability (Frankle et al.), drawn as a horizontal line.
    """
    figure, (axis,) = elements.side_by_side(1, (6.8, 4.0))
    places = np.arange(values.sizes["difference"])
    for fork, colour, each in elements.each_fork(values):
        elements.means(axis, places, each, color=colour, marker="o", ms=4, lw=1.5, capsize=3, label=f"{fork:g}")
    axis.axhline(threshold, color=INK, linestyle=":", linewidth=1.2)
    axis.set_yscale("symlog", linthresh=threshold)
    axis.set_yticks([0, threshold, 10, 40], ["0", f"{threshold:g}", "10", "40"])
    axis.set_xticks(places, [str(name).replace(" ", "\n") for name in values.difference.values], fontsize="small")
    axis.set(ylabel=unit, xlabel="difference between siblings at the fork", ylim=(-0.2, None))
    elements.fork_legend(axis)
    return figure


def averages_by_count(averages: xr.Dataset) -> Figure:
    """The error of averages of several networks, of their ensembles, and of single ones; a panel for each fork epoch.

    Args:
        averages: from `measure.ensembles.average_and_ensemble`, of one split, with the dimensions networks, fork_epoch
            and parent.
    """
    names = {
        "average": "average of the weights",
        "ensemble": "ensemble",
        "best": "best single network, chosen on training data",
        "single": "single network, mean",
    }
    figure, drawn = elements.fork_panels(
        averages.single_error, (3.4, 2.7), beside=0.4, ylabel="test error (%)", shared_axes="y",
        xlabel="number of networks",
    )  # fmt: skip
    for axis, (fork, _, _) in drawn:
        series = {shown: averages[f"{name}_error"].sel(fork_epoch=fork) for name, shown in names.items()}
        for name, each, colour in elements.coloured(series):
            style = {"color": colour, "marker": "o", "ms": 3.5, "lw": 1.4, "capsize": 2, "label": name}
            elements.means(axis, each.networks, each.expand_dims("pair"), **style)
        axis.set_xticks(averages.networks.values)
    elements.legend_below(figure, 2)
    return figure
