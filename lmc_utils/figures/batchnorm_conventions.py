"""Figures of what is found between two networks under each convention for batch normalisation.

What is shown stands under the names of the conventions, in their order; each has its own colour.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements
from lmc_utils.figures.theme import FAINT


def along_line(curves: Mapping[str, xr.DataArray], unit: str) -> Figure:
    """Curves along the line through one pair of networks: a panel for each fork epoch, a line for each convention.

    Dimensions fork_epoch and alpha, and where each network's own statistics are kept in turn also `kept`: one is drawn
    solid, the other dotted.
    """
    first = next(iter(curves.values()))
    figure, forks = elements.panels(elements.by_fork(first), 2.6, 0.4, 3.5, unit, share="y", xlabel=r"$\alpha$")
    for axis, (fork, _, _) in forks:
        for (name, values), colour in zip(curves.items(), sns.color_palette("colorblind"), strict=False):
            shown = values.sel(fork_epoch=fork)
            several = shown.transpose("kept", "alpha") if "kept" in shown.dims else [shown]
            for curve, style in zip(several, ("-", ":"), strict=False):
                label = f"{name}, {curve.kept.item()}" if "kept" in shown.dims else name
                axis.plot(curve.alpha, curve, style, color=colour, lw=2, label=label)
    elements.legend_below(figure, figure.axes[0], 4)
    return figure


def midpoint_by_layer(values: Mapping[str, xr.DataArray], unit: str) -> Figure:
    """A number of each layer half-way, on a logarithmic axis: a panel for each fork epoch, a line for each convention.

    Means over pairs as lines, their range as bands; 1, where statistics are right, as a broken line. Dimensions
    fork_epoch, parent, pair and layer.
    """
    first = next(iter(values.values()))
    places = np.arange(first.sizes["layer"])
    figure, forks = elements.panels(elements.by_fork(first), 2.6, 0.4, 4.0, unit, share="y", yscale="log")
    for axis, (fork, _, _) in forks:
        for (name, shown), colour in zip(values.items(), sns.color_palette("colorblind"), strict=False):
            curves = shown.sel(fork_epoch=fork).assign_coords(layer=places)
            elements.band(axis, curves, "layer", colour, marker="o", ms=3.5, label=name)
        axis.axhline(1, color=FAINT, ls="--", lw=1, zorder=0)
        axis.set_xticks(places, first.layer.values, rotation=90, fontsize="x-small")
    elements.legend_below(figure, figure.axes[0], 3)
    return figure


def barrier_by_fork(shown: Mapping[str, xr.DataArray], unit: str) -> Figure:
    """Barriers against the fork epoch under each convention, a panel for each family, under its title.

    Every pair a dot, their means joined by a line. Dimensions batchnorm, fork_epoch, parent, pair.
    """
    figure, axes = elements.panels(shown, 4.4, 0.4, 3.6, unit, share="y", xlabel="fork epoch")
    for axis, values in axes:
        places = np.arange(values.sizes["fork_epoch"])
        for name, colour in zip(values.batchnorm.values, sns.color_palette("colorblind"), strict=False):
            own = values.sel(batchnorm=name).transpose("fork_epoch", "parent", "pair")
            axis.plot(places, own.mean(["parent", "pair"]), "o-", color=colour, lw=2, label=str(name))
            axis.plot(places, own.values.reshape(len(places), -1), ".", color=colour, ms=5, alpha=0.5)
        axis.set_xticks(places, values.fork_epoch.values)
        elements.zero_line(axis)
    elements.legend_below(figure, figure.axes[0], 3)
    return figure
