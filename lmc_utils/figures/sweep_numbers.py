"""Figure of the numbers of a sweep against its parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements
from lmc_utils.settings import require_choice


def numbers_by_parameter(table: xr.Dataset, show: Sequence[str]) -> Figure:
    """A panel for each number, against the first swept parameter, with colours for the second.

    A line is the mean over all other parameters, a band the range. A sweep over listed points is drawn against the
    index of the point.

    Args:
        table: of a sweep, see `running.sweep_tables`.
        show: names of numbers in it.

    Raises:
        ParameterError: there is no such number.
    """
    for name in show:
        require_choice("number", name, [str(each) for each in table])
    swept = [str(name) for name in table.dims if table.sizes[name] > 1] or [str(name) for name in table.dims][:1]
    axis, hue = swept[0], next((name for name in swept[1:] if name != "seed"), None)
    figure, panels = elements.panels({name: table[name] for name in show}, (4.2, 3.4), beside=0.6, xlabel=axis)
    for panel, values in panels:
        curves = {f"{hue} {label}": values.sel({hue: label}) for label in table[hue].values} if hue else {"": values}
        places = table[axis].values if axis in table.coords else np.arange(table.sizes[axis])
        at = places if np.issubdtype(np.asarray(places).dtype, np.number) else np.arange(len(places))
        for (label, curve), colour in zip(curves.items(), sns.color_palette("viridis", len(curves)), strict=True):
            elements.band(panel, curve.assign_coords({axis: at}), axis, colour, marker="o", ms=4, label=label)
        if at is not places:
            panel.set_xticks(at, [str(each) for each in places])
    if hue:
        elements.legend_below(figure, 4)
    return figure
