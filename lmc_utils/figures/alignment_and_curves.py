"""Figures of the chapter on permutation symmetry: barriers after alignment, and curves between networks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements
from lmc_utils.figures.theme import INK

__all__ = ["barriers_by_treatment", "along_curves"]


def barriers_by_treatment(
    families: Mapping[str, tuple[xr.DataArray, xr.DataArray]], unit: str, threshold: float
) -> Figure:
    """Barriers of independent networks and of siblings after each treatment, a panel for each family.

    Every pair a dot, side by side; means as bars in the treatment's colour.

    Args:
        families: by title, barriers of independent networks (treatment, pair) and of siblings (treatment, fork_epoch,
            parent, pair).
        unit: of the barriers.
        threshold: of stability, drawn as a dotted line.
    """
    figure, panels = elements.panels(families, (4.8, 3.8), beside=0.4, ylabel=unit, shared_axes="y")
    for axis, (independent, siblings) in panels:
        kinds = ["independently\ninitialised", *(f"fork {fork}" for fork in siblings.fork_epoch.values)]
        treatments = {name: siblings.sel(treatment=name) for name in siblings.treatment.values}
        width = 0.8 / len(treatments)
        for row, (name, own, colour) in enumerate(elements.coloured(treatments)):
            forks = own.transpose("fork_epoch", "parent", "pair").values.reshape(len(kinds) - 1, -1)
            each = [independent.sel(treatment=name).values, *forks]
            places = np.arange(len(kinds)) + (row - (len(treatments) - 1) / 2) * width
            means = [values.mean() for values in each]
            axis.bar(places, means, 0.75 / len(treatments), color=colour, alpha=0.45, label=name)
            for place, values in zip(places, each, strict=True):
                beside = place + width * np.linspace(-0.3, 0.3, len(values)) * (len(values) > 1)
                axis.plot(beside, values, "o", color=colour, ms=4.5, mec="white", mew=0.4)
        axis.axhline(threshold, color=INK, ls=":", lw=1.2, label=f"stable below {threshold:g}")
        axis.set_xticks(range(len(kinds)), kinds)
        elements.zero_line(axis)
    elements.legend_below(figure, 4)
    return figure


def along_curves(shown: Mapping[str, Mapping[str, xr.DataArray]], unit: str) -> Figure:
    """A quantity along several curves between pairs, a panel for each kind of pair, a line for each kind of curve.

    Means over pairs as lines, ranges as bands; the dimension `alpha` is the fraction of the curve's length.
    """
    figure, panels = elements.panels(
        shown, (2.5, 3.5), beside=0.4, ylabel=unit, shared_axes="y", xlabel="fraction of path length"
    )
    for axis, curves in panels:
        for name, values, colour in elements.coloured(curves):
            elements.band(axis, values, "alpha", colour, label=name)
        elements.zero_line(axis)
    elements.legend_below(figure, 3)
    return figure
