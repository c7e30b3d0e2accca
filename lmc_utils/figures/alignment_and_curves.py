"""Figures of the chapter on symmetry and detours: barriers under other names, and ways around."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements
from lmc_utils.figures.theme import INK

__all__ = ["barriers_by_treatment", "along_curves"]


def barriers_by_treatment(
    families: Mapping[str, tuple[xr.DataArray, xr.DataArray]], unit: str, threshold: float
) -> Figure:
    """Barriers of strangers and of siblings after each treatment: a panel for each family, under its title.

    Every pair a dot, means as bars of the treatment's colour. The `threshold` is drawn as a dotted line.

    Args:
        families: barriers of strangers, dimensions treatment and pair, and those of siblings, dimensions treatment,
            fork_epoch, parent, pair.
        unit: of the barriers, for the axis.
        threshold: below it siblings count as stable.
    """
    figure, panels = elements.panels(families, 4.8, 0.4, 3.8, unit, share="y")
    for axis, (strangers, siblings) in panels:
        kinds = ["strangers", *(f"fork {fork}" for fork in siblings.fork_epoch.values)]
        names = siblings.treatment.values
        for row, (name, colour) in enumerate(zip(names, sns.color_palette("colorblind"), strict=False)):
            own = siblings.sel(treatment=name).transpose("fork_epoch", "parent", "pair")
            each = [strangers.sel(treatment=name).values, *own.values.reshape(len(kinds) - 1, -1)]
            places = np.arange(len(kinds)) + (row - (len(names) - 1) / 2) * 0.8 / len(names)
            axis.bar(
                places, [values.mean() for values in each], 0.75 / len(names), color=colour, alpha=0.45, label=name
            )
            for place, values in zip(places, each, strict=True):
                axis.plot(np.full(len(values), place), values, ".", color=colour, ms=6)
        axis.axhline(threshold, color=INK, ls=":", lw=1.2)
        axis.set_xticks(range(len(kinds)), kinds)
        elements.zero_line(axis)
    elements.legend_below(figure, figure.axes[0], 3)
    return figure


def along_curves(shown: Mapping[str, Mapping[str, xr.DataArray]], unit: str) -> Figure:
    """A quantity along the ways of several kinds of pairs: a panel for each kind, a line for each way, under its name.

    Means over pairs as lines, their range as bands; the dimension `alpha` is the share of the way behind.
    """
    figure, panels = elements.panels(shown, 2.5, 0.4, 3.5, unit, share="y", xlabel="share of the way")
    for axis, ways in panels:
        for (name, values), colour in zip(ways.items(), sns.color_palette("colorblind"), strict=False):
            elements.band(axis, values, "alpha", colour, label=name)
        elements.zero_line(axis)
    elements.legend_below(figure, figure.axes[0], 3)
    return figure
