"""The figure of how siblings move apart after differences of several sizes at the fork."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements

__all__ = ["distance_and_error"]


def distance_and_error(distance: xr.DataArray, error: xr.DataArray, fork_epoch: float) -> Figure:
    """The distance between the siblings by epoch, and the error along the line between them at the last epoch.

    Colour for the difference at the fork. It is the static counterpart of `widgets.DifferenceExplorer`.

    Args:
        distance: dimensions difference, fork_epoch and epoch; NaN before the fork. Zeros are not drawn.
        error: training error in percent, the same dimensions and alpha.
        fork_epoch: the fork shown.
    """
    figure, (growth, line) = elements.side_by_side(2, (8.2, 4.2))
    growth.set(yscale="log", xlabel="epoch of training", ylabel="distance between the siblings")
    line.set(xlabel=r"$\alpha$", ylabel="training error (%)", xticks=[0, 0.5, 1])
    apart = distance.sel(fork_epoch=fork_epoch, epoch=distance.epoch >= fork_epoch)
    last = error.sel(fork_epoch=fork_epoch).isel(epoch=-1)
    for name, curve, colour in elements.coloured(
        {str(name): apart.sel(difference=name) for name in apart.difference.values}
    ):
        growth.plot(curve.epoch, curve.where(curve > 0), color=colour, label=name)
        line.plot(last.alpha, last.sel(difference=name), color=colour)
    elements.legend_below(figure, 4)
    return figure
