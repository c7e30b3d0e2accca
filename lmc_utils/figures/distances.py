"""Figures of the distance chapter: distances and angles between siblings, and what they predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import elements, fork_axis
from lmc_utils.figures.theme import INK, fork_colours
from lmc_utils.measure.statistics import Correlation


def curves_during_training(
    shown: Mapping[str, xr.DataArray], baseline: Mapping[str, xr.DataArray] | None = None, *, sharey: bool = False
) -> Figure:
    """Curves over the epochs of training: the mean over parents and siblings or pairs as a line, the range as a band.

    Args:
        shown: values for each panel, by the label of its vertical axis; dimensions fork_epoch, epoch and any others;
            NaN before the fork.
        baseline: by the same labels, a random baseline, whose mean is drawn dotted.
        sharey: one scale for all panels.
    """
    options = {"key": "ylabel", "shared_axes": "y" if sharey else "", "xlabel": "epoch of training"}
    figure, axes = elements.panels(shown, (4.6, 3.6), beside=0.8, **options)
    for label, (axis, values) in zip(shown, axes, strict=True):
        for fork, colour, curves in elements.each_fork(values):
            elements.band(axis, curves, "epoch", colour, label=f"{fork}")
            if baseline and label in baseline:
                null = baseline[label].sel(fork_epoch=fork)
                axis.plot(null.epoch, null.mean({*null.dims} - {"epoch"}), color=colour, ls=":", lw=1.6)
    if baseline:
        axis.plot([], [], color=INK, ls=":", lw=1.6, label="random baseline")
    elements.fork_legend(axis)
    return figure


def final_angles(angles: xr.DataArray, baseline: xr.DataArray) -> Figure:
    """The angle between siblings at the end, as seen from each apex, against the fork epoch.

    A panel for each apex: every pair a dot, means as a line; the `baseline` of random walks, if known, as a dotted
    line. Degrees, dimensions fork_epoch, parent, pair, apex.
    """
    forks, label = angles.fork_epoch.values, "angle between siblings (degrees)"
    colours = list(fork_colours(forks).values())
    apexes = {f"from the {apex.replace('_', ' ')}": apex for apex in angles.apex.values}
    figure, axes = elements.panels(apexes, (3.1, 3.6), beside=0.9, shared_axes="y", ylabel=label, ylim=(0, 95))
    for axis, apex in axes:
        seen = angles.sel(apex=apex)
        fork_axis.scale_forks(axis, forks)
        axis.plot(forks, seen.mean(["parent", "pair"]), color=INK, lw=1.6, label="siblings, mean", zorder=2)
        fork_axis.draw_pairs(axis, seen, colours)
        if apex in baseline.apex.values:
            null = baseline.sel(apex=apex).mean(["parent", "pair"])
            axis.plot(forks, null, color=INK, ls=":", lw=1.6, label="random walks")
    figure.axes[0].legend(fontsize="small")
    return figure


def heat_map_by_layer(shown: Mapping[str, xr.DataArray]) -> Figure:
    """Heat maps of layers against fork epochs: means over parents and siblings or pairs.

    Args:
        shown: values for each panel, by title; dimensions fork_epoch, layer and any others.
    """
    rows = max(values.sizes["layer"] for values in shown.values())
    figure, axes = elements.panels(shown, (4.4, 0.5 * rows + 1.4), shared_axes="y")
    for axis, values in axes:
        mean = values.mean({*values.dims} - {"fork_epoch", "layer"}).transpose("layer", "fork_epoch")
        form = ".0f" if float(abs(mean).max()) >= 10 else ".2f"
        elements.heat_map(axis, mean, size=9, fmt=form, cmap="viridis_r", vmin=0)
        axis.set_xlabel("fork epoch")
    return figure


def prediction_by_lag(
    correlations: Mapping[str, Sequence[Correlation]], lags: Sequence[int], fork_alone: float
) -> Figure:
    """Rank correlation with the final barriers of quantities measured some epochs after the fork.

    Args:
        correlations: of each quantity, by name, one for each lag; intervals are drawn as bands.
        lags: epochs since the fork.
        fork_alone: the correlation of the fork epoch alone, drawn as a dotted line.
    """
    figure, (axis,) = elements.side_by_side(1, (7.2, 3.8))
    looks = zip(correlations.items(), sns.color_palette("colorblind"), "osD^v", strict=False)
    for (name, found), colour, marker in looks:
        axis.fill_between(lags, [each.low for each in found], [each.high for each in found], color=colour, alpha=0.12)
        axis.plot(lags, [each.estimate for each in found], marker, ls="-", color=colour, ms=3.5, lw=1.8, label=name)
    axis.axhline(fork_alone, color=INK, ls=":", lw=1.6, label="fork epoch alone")
    elements.zero_line(axis)
    axis.set(xlabel="epochs since the fork", ylabel="rank correlation with\nthe final barrier", ylim=(-1.05, 1.05))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def barrier_by_distance(distance: xr.DataArray, barrier: xr.DataArray, unit: str) -> Figure:
    """The signed barrier at the midpoint against the siblings' distance over training: one curve for each pair.

    Thin lines are pairs, thick ones means over them; a dot marks the last epoch. Dimensions: fork_epoch, parent, pair,
    epoch; NaN before the fork.
    """
    figure, (axis,) = elements.side_by_side(1, (6.8, 4.2))
    pairs = (values.stack(each=["parent", "pair"]) for values in (distance, barrier))
    for (fork, colour, far), (_, _, high) in zip(*map(elements.each_fork, pairs), strict=True):
        axis.plot(far.transpose("epoch", "each"), high.transpose("epoch", "each"), color=colour, lw=0.7, alpha=0.5)
        axis.plot(far.mean("each"), high.mean("each"), color=colour, lw=2.4, label=f"{fork}")
        axis.plot(far.isel(epoch=-1), high.isel(epoch=-1), "o", color=colour, ms=6, mec="white", mew=0.6)
    elements.zero_line(axis)
    axis.set(xlabel="distance between the siblings", ylabel=unit)
    elements.fork_legend(axis)
    return figure
