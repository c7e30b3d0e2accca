"""Figures of siblings step by step after a fork."""

from __future__ import annotations

from collections.abc import Mapping

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
        (3.3, 3.1),
        beside=0.4,
        ylabel="distance between siblings",
        shared_axes="y",
        xlabel="step since the fork",
    )
    for (title, distance), (axis, _) in zip(panels.items(), drawn, strict=True):
        parts = {str(name): distance.sel(difference=name) for name in distance.difference.values}
        for name, values, colour in elements.coloured(parts):
            lines = values.where(values > 0).transpose("step", "parent")
            drawn_lines = axis.plot(values.step, lines, color=colour, lw=0.9, alpha=0.75)
            drawn_lines[0].set_label(name)
            if events and title in events:
                at = events[title].sel(difference=name).dropna("parent")
                axis.plot(at, values.sel(parent=at.parent, step=at.astype(int)), "o", color=INK, ms=3.5, label=event)
        axis.set_yscale("log")
    elements.legend_below(figure, 3)
    return figure
