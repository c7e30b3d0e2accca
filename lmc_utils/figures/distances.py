"""Figures of the distance chapter: how far siblings are apart, at which angle, and what that predicts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures.theme import FAINT, INK, fork_colours
from lmc_utils.measure.statistics import Correlation


def during_training(
    panels: Mapping[str, xr.DataArray], chance: Mapping[str, xr.DataArray] | None = None, sharey: bool = False
) -> Figure:
    """Curves over the epochs of training: the mean over parents and siblings or pairs as a line, the range as a band.

    Args:
        panels: under the label of its vertical axis what to draw in each panel, dimensions fork_epoch, epoch and any
            others; NaN where there is nothing, as before the fork.
        chance: under the same labels, where there is one, what chance would give: means are drawn, dotted.
        sharey: one scale for all panels.
    """
    figure = Figure(figsize=(4.6 * len(panels) + 0.8, 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=sharey))
    for axis, (label, values) in zip(axes, panels.items(), strict=True):
        for fork, colour in fork_colours(list(values.fork_epoch.values)).items():
            curves = values.sel(fork_epoch=fork)
            axis.fill_between(*_range(curves), color=colour, alpha=0.2, lw=0)
            axis.plot(curves.epoch, curves.mean(_others(curves)), color=colour, lw=2, label=f"{fork}")
            if chance and label in chance:
                guess = chance[label].sel(fork_epoch=fork)
                axis.plot(guess.epoch, guess.mean(_others(guess)), color=colour, ls=":", lw=1.6)
        axis.set(xlabel="epoch of training", ylabel=label)
    if chance:
        axes[-1].plot([], [], color=INK, ls=":", lw=1.6, label="chance")
    axes[-1].legend(title="fork epoch", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def final_angles(angles: xr.DataArray, chance: xr.DataArray) -> Figure:
    """The angle between siblings at the end, as seen from each apex, against the fork epoch.

    Args:
        angles: degrees, dimensions fork_epoch, parent, pair, apex.
        chance: what random walks would give, for those apexes for which it is known.

    Returns:
        A panel for each apex: every pair a dot, their means a line, chance dotted.
    """
    apexes = list(angles.apex.values)
    figure = Figure(figsize=(3.1 * len(apexes) + 0.9, 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(apexes), sharey=True))
    forks = list(angles.fork_epoch.values)
    x = np.arange(len(forks))
    for axis, apex in zip(axes, apexes, strict=True):
        seen = angles.sel(apex=apex)
        axis.plot(x, seen.mean(["parent", "pair"]), color=INK, lw=2, label="siblings, mean")
        for place, colour in zip(x, fork_colours(forks).values(), strict=True):
            dots = seen.isel(fork_epoch=place).values.ravel()
            axis.plot(np.full(len(dots), place), dots, "o", color=colour, ms=6, mew=0.6, mec="white")
        if apex in chance.apex.values:
            guess = chance.sel(apex=apex).mean(["parent", "pair"])
            axis.plot(x, guess, color=INK, ls=":", lw=1.6, label="random walks")
        axis.set(title=f"from the {apex.replace('_', ' ')}", xlabel="fork epoch", xticks=x, xticklabels=forks)
    axes[0].set(ylabel="angle between siblings (degrees)", ylim=(0, 95))
    axes[0].legend(fontsize="small")
    return figure


def by_layer(panels: Mapping[str, xr.DataArray]) -> Figure:
    """Heat maps of layers against fork epochs: means over parents and siblings or pairs.

    Args:
        panels: under its title what to show in each, dimensions fork_epoch, layer and any others.
    """
    sizes = [values.sizes["layer"] for values in panels.values()]
    figure = Figure(figsize=(4.4 * len(panels), 0.5 * max(sizes) + 1.4), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    for axis, (title, values) in zip(axes, panels.items(), strict=True):
        mean = values.mean([name for name in values.dims if name not in ("fork_epoch", "layer")])
        mean = mean.transpose("layer", "fork_epoch")
        largest = float(abs(mean).max())
        sns.heatmap(
            mean.values,
            annot=True,
            fmt=".0f" if largest >= 10 else ".2f",
            annot_kws={"size": 9},
            cmap="viridis_r",
            vmin=0,
            cbar=False,
            linewidths=0.5,
            xticklabels=mean.fork_epoch.values,
            yticklabels=mean.layer.values,
            ax=axis,
        )
        axis.tick_params(axis="y", rotation=0)
        axis.set(title=title, xlabel="fork epoch", ylabel="")
    return figure


def prediction_by_lag(
    correlations: Mapping[str, Sequence[Correlation]], lags: Sequence[int], fork_alone: float
) -> Figure:
    """How well what is known some epochs after the fork ranks the final barriers.

    Args:
        correlations: under its name each quantity's rank correlation with the final barrier, one for each lag; the
            intervals are drawn as bands.
        lags: epochs since the fork.
        fork_alone: the correlation that knowing nothing but the fork epoch gives, drawn as a dotted line.
    """
    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axis = figure.subplots()
    markers = "osD^v"
    for (name, found), colour, marker in zip(
        correlations.items(), sns.color_palette("colorblind"), markers, strict=False
    ):
        axis.fill_between(lags, [each.low for each in found], [each.high for each in found], color=colour, alpha=0.12)
        axis.plot(lags, [each.estimate for each in found], marker, ls="-", color=colour, ms=3.5, lw=1.8, label=name)
    axis.axhline(fork_alone, color=INK, ls=":", lw=1.6, label="fork epoch alone")
    axis.axhline(0, color=FAINT, lw=0.8, zorder=0)
    axis.set(xlabel="epochs since the fork", ylabel="rank correlation with\nthe final barrier", ylim=(-1.05, 1.05))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def barrier_by_distance(distance: xr.DataArray, barrier: xr.DataArray, unit: str) -> Figure:
    """The barrier half-way against the siblings' distance, epoch after epoch: one way for each pair.

    Args:
        distance: dimensions fork_epoch, parent, pair, epoch; NaN before the fork.
        barrier: with its sign, the same dimensions.
        unit: of the barrier.

    Returns:
        Thin lines are pairs, thick ones means over them; a dot marks the last epoch.
    """
    figure = Figure(figsize=(6.8, 4.2), layout="constrained")
    axis = figure.subplots()
    for fork, colour in fork_colours(list(distance.fork_epoch.values)).items():
        far, high = (values.sel(fork_epoch=fork).stack(each=["parent", "pair"]) for values in (distance, barrier))
        axis.plot(far.transpose("epoch", "each"), high.transpose("epoch", "each"), color=colour, lw=0.7, alpha=0.5)
        axis.plot(far.mean("each"), high.mean("each"), color=colour, lw=2.4, label=f"{fork}")
        axis.plot(far.isel(epoch=-1), high.isel(epoch=-1), "o", color=colour, ms=6, mec="white", mew=0.6)
    axis.axhline(0, color=FAINT, lw=0.8, zorder=0)
    axis.set(xlabel="distance between the siblings", ylabel=unit)
    axis.legend(title="fork epoch", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _others(values: xr.DataArray) -> list[Hashable]:
    return [name for name in values.dims if name != "epoch"]


def _range(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    return values.epoch, values.min(_others(values)), values.max(_others(values))
