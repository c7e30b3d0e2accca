"""Figures of the Hessian at siblings: its eigenvalues, and how the direction to the other sibling lies in it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements
from lmc_utils.figures.theme import INK
from lmc_utils.measure.spectral_density import Quadrature, smoothed

_WIDTH = 0.02  # of a smoothed eigenvalue, relative to the largest
_FAINTEST = 1e-6  # of the highest density


def spectrum(eigenvalues: xr.DataArray, shares: xr.DataArray, outlier: float) -> Figure:
    """The largest eigenvalues of one network of each fork epoch; and the fraction of all that are at most so large.

    Args:
        eigenvalues: dimensions fork_epoch and number.
        shares: fractions of eigenvalues, with the dimensions fork_epoch, parent and threshold (relative to the largest
            eigenvalue).
        outlier: fraction of the largest eigenvalue, above which an eigenvalue counts as an outlier.
    """
    figure, (largest, below) = elements.side_by_side(2, (8.6, 3.5))
    for fork, colour, values in elements.each_fork(eigenvalues):
        largest.plot(values.number, values, color=colour, lw=1.4, label=f"{fork:g}")
    largest.axhline(
        outlier * float(eigenvalues.max("number").mean()), color=INK, ls=":", lw=1.2, label="outliers are above"
    )
    largest.set(yscale="log", xlabel="number of the eigenvalue", ylabel="eigenvalue (nats)")
    for fork, colour, curves in elements.each_fork(shares):
        below.plot(shares.threshold, curves.transpose("threshold", "parent"), color=colour, lw=1.2)
        below.lines[-1].set_label(f"{fork:g}")
    below.set(xscale="log", xlabel="size, relative to the largest eigenvalue", ylabel="fraction of eigenvalues below")
    for axis in (largest, below):
        axis.legend(title="fork epoch", fontsize="small")
    return figure


def spectral_density(density: xr.Dataset) -> Figure:
    """The density of all eigenvalues, smoothed, on a logarithmic axis; a line for each fork epoch.

    Args:
        density: `node` and `weight` of quadratures, with the dimensions fork_epoch, probe and step.
    """
    figure, (axis,) = elements.side_by_side(1, (6.4, 3.4))
    largest = float(density.node.max())
    grid = np.linspace(float(density.node.min()) - 4 * _WIDTH * largest, (1 + 4 * _WIDTH) * largest, 1000)
    curves = []
    for fork, colour, nodes in elements.each_fork(density.node):
        both = (nodes, density.weight.sel(fork_epoch=fork))
        quadrature = Quadrature(*(each.transpose("probe", "step").values for each in both))
        curves.append(smoothed(quadrature, grid, width=_WIDTH * largest))
        axis.plot(grid, curves[-1], color=colour, lw=1.4, label=f"{fork:g}")
    axis.set(xlabel="eigenvalue (nats)", ylabel="fraction of eigenvalues per nat", yscale="log")
    axis.set_ylim(_FAINTEST * np.max(curves), 3 * np.max(curves))
    axis.legend(title="fork epoch", fontsize="small")
    return figure


def direction_in_spectrum(steep: xr.Dataset, parameters: int, random_curvature: xr.DataArray) -> Figure:
    """How much of the direction to the other sibling, and of the curvature along it, the steepest directions hold.

    Means over parents; a line for each fork epoch.

    Args:
        steep: from `measure.steep_directions`, with the dimensions fork_epoch, parent, pair and number.
        parameters: of the network, for the squared length of a random direction.
        random_curvature: fractions of the curvature along a random direction, with the dimension number.
    """
    figure, axes = elements.side_by_side(2, (8.6, 3.5), xlabel="number of steepest directions", xscale="log")
    named = {"fraction of the squared length": steep.length_share, "fraction of the curvature": steep.curvature_share}
    for axis, (name, values) in zip(axes, named.items(), strict=True):
        for fork, colour, each in elements.each_fork(values):
            axis.plot(each.number, each.mean(["parent", "pair"]), color=colour, lw=1.6, label=f"fork at {fork:g}")
        axis.set_ylabel(name)
    for axis, random in zip(axes, (steep.number / parameters, random_curvature), strict=True):
        axis.plot(steep.number, random, color=INK, ls=":", lw=1.2, label="random direction")
    axes[0].set_yscale("log")
    elements.legend_below(figure, 5)
    return figure


def alignment_after_fork(values: xr.DataArray) -> Figure:
    """The alignment of the direction to the other sibling against the time since the fork: means over pairs, ranges.

    Args:
        values: dimensions after (epochs since the fork), fork_epoch, parent and pair.
    """
    figure, (axis,) = elements.side_by_side(1, (6.4, 3.6))
    for fork, colour, curves in elements.each_fork(values):
        elements.band(axis, curves.dropna("after", how="all"), "after", colour, marker="o", ms=4, label=f"{fork:g}")
    axis.axhline(1, color=INK, ls=":", lw=1.2, label="random direction")
    axis.set(xscale="log", yscale="log", xlabel="epochs since the fork", ylabel="alignment")
    axis.set_xticks(values.after.values, [f"{each:g}" for each in values.after.values], minor=False)
    axis.minorticks_off()
    axis.legend(title="fork epoch", fontsize="small")
    return figure
