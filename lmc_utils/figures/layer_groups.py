"""Figures of single layers and groups of layers that move between two siblings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from lmc_utils.figures import elements
from lmc_utils.measure.statistics import bounds

_LABELS = {"single": "one layer", "from_input": "from the input to it", "from_output": "from it to the output"}
_THOUSANDTHS = 1000
_LINEAR = 10  # thousandths of a nat up to which the colour scale is linear


def rise_by_lag(rise: xr.DataArray) -> Figure:
    """Rise of the loss with one layer at the midpoint, by layer and epochs after the fork: a panel for each fork.

    Means over pairs in thousandths of a nat, red where the loss rises and blue where it falls.

    Args:
        rise: dimensions lag, fork_epoch, parent, pair, layer, in nats.
    """
    means = (_THOUSANDTHS * rise.mean(["parent", "pair"])).transpose("fork_epoch", "layer", "lag")
    most = max(float(abs(means).max().fillna(0)), 2.0 * _LINEAR)
    figure, forks = elements.fork_panels(means, (3.4, 0.34 * means.sizes["layer"] + 1.5), shared_axes="y")
    for axis, (_, _, part) in forks:
        rounded = part.round() + 0.0  # no negative zero
        elements.heat_map(
            axis, rounded, size=9, norm=SymLogNorm(_LINEAR, vmin=-most, vmax=most), cmap="RdBu_r", fmt=".0f"
        )
        axis.set(xlabel="epochs after the fork", ylabel="layer")
    label = "rise of the loss (thousandths of a nat)"
    colours = figure.axes[0].collections[0]
    figure.colorbar(colours, ax=figure.axes, location="bottom", aspect=40, pad=0.02, label=label)
    return figure


def rise_by_group(panels: Mapping[str, xr.DataArray]) -> Figure:
    """Rise of the loss if a group of layers moves, against the layer at which the group ends; a line for each group.

    Means over parents with 95 % intervals; solid on training samples, dashed on test samples.

    Args:
        panels: by title, rises in nats with the dimensions split, parent, pair, group, layer.
    """
    figure, drawn = elements.panels(
        panels, (3.5, 3.6), beside=0.4, ylabel="rise of the loss (nats)", xlabel="layer", key="title"
    )
    for axis, rises in drawn:
        groups = {str(name): rises.sel(group=name) for name in rises.group.values}
        for place, (name, values, colour) in enumerate(elements.coloured(groups)):
            for split, style in zip(rises.split.values, ("-", "--"), strict=False):
                each = values.sel(split=split)
                middle = each.mean(["parent", "pair"])
                away = abs(bounds(each).transpose("bound", "layer").values - middle.values)
                label = _LABELS[name] if style == "-" else None
                x = np.arange(len(middle)) + 0.08 * (place - 1)
                axis.errorbar(x, middle, away, color=colour, ls=style, marker="o", ms=4, capsize=2, label=label)
        axis.set_xticks(range(rises.sizes["layer"]), [str(layer) for layer in rises.layer.values])
        elements.zero_line(axis)
    elements.legend_below(figure, 3)
    return figure
