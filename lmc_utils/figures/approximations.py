"""Figures of the barrier chapter: measured barriers beside what was predicted; one function, one figure.

What was measured has the dimensions fork_epoch, parent and pair, and those named below; so has each prediction.
Predictions stand under the names that the legend or the axis gives them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lmc_utils.figures import elements
from lmc_utils.figures.theme import FAINT, INK, fork_colours
from lmc_utils.measure.statistics import Correlation

_LINES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = "osD^vPX*<>"
_PAIRS = ("parent", "pair")


def barrier_along_line(measured: xr.DataArray, predicted: Mapping[str, xr.DataArray]) -> Figure:
    """The measured barrier along the sibling line, and approximations of it; one more dimension, alpha.

    A panel for each fork epoch, each with a scale of its own: means over all pairs; a band from the lowest to the
    highest measured pair.
    """
    label = "loss barrier (nats)"
    figure, forks = elements.panels(elements.by_fork(measured), 2.9, 0.6, 3.5, label, xlabel=r"$\alpha$")
    for axis, (fork, colour, curves) in forks:
        elements.band(axis, curves, "alpha", colour, lw=2.5)
        for mean, look in _styled(predicted):
            axis.plot(mean.alpha, mean.sel(fork_epoch=fork), lw=1.6, **look)
        elements.zero_line(axis)
    figure.axes[0].plot([], [], color=INK, lw=2.5, label="measured (mean and range)")
    elements.legend_below(figure, figure.axes[0], 4)
    return figure


def predicted_against_measured(
    measured: xr.DataArray, predicted: Mapping[str, tuple[xr.DataArray, Correlation]], unit: str = "nats"
) -> Figure:
    """What was predicted for each pair of siblings against what was measured, on logarithmic axes.

    A panel for each prediction. Colour tells the fork epoch, the marker the layer, where that is a dimension. Numbers
    that are not positive are left out, and the title says how many.

    Args:
        measured: in the `unit` named.
        predicted: each with the correlation to print over it. A prediction whose attribute `units` is the unit of what
            was measured gets the line on which it would be exact.
        unit: of what was measured.
    """
    options = {"key": "xlabel", "share": "y", "xscale": "log", "yscale": "log"}
    figure, axes = elements.panels(predicted, 3.3, 0.9, 3.6, f"measured ({unit})", **options)
    colours = fork_colours(measured.fork_epoch.values)
    layers = measured.layer.values if "layer" in measured.dims else []
    markers = dict(zip(layers, _MARKERS * len(layers), strict=False))
    for axis, (prediction, correlation) in axes:
        left_out = int(((measured <= 0) | (prediction <= 0)).sum())
        for fork, colour in colours.items():
            for layer, marker in markers.items() or [(None, "o")]:
                label = {"fork_epoch": fork} | ({"layer": layer} if layer is not None else {})
                x, y = xr.broadcast(prediction.sel(label), measured.sel(label))
                seen = ((x > 0) & (y > 0)).values
                axis.plot(x.values[seen], y.values[seen], marker, color=colour, ms=6, alpha=0.85, mew=0)
        axis.xaxis.set_minor_formatter(NullFormatter())
        if prediction.attrs.get("units") == unit:
            low, high = axis.get_ylim()
            axis.axline((low, low), (high, high), color=FAINT, lw=1, ls="--", zorder=0)
        note = f"\n({left_out} not positive)" if left_out else ""
        axis.set_title(f"rank correlation\n{correlation}{note}", fontsize="small")
    for fork, colour in colours.items():
        axis.plot([], [], "o", color=colour, label=f"fork {fork}")
    for layer, marker in markers.items():
        axis.plot([], [], marker, color=INK, label=layer)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    return figure


def barrier_by_fork(measured: xr.DataArray, predicted: Mapping[str, xr.DataArray]) -> Figure:
    """The barrier half-way against the fork epoch, measured and predicted, on a logarithmic axis.

    Every measured pair is a dot where it is positive; lines are means over pairs.
    """
    figure, (axis,) = elements.side_by_side(1, 6.4, 3.8)
    x = np.arange(measured.sizes["fork_epoch"])
    dots = measured.stack(all=_PAIRS).transpose("fork_epoch", "all").values
    axis.plot(x, dots, "o", color=INK, ms=3.5, alpha=0.5)
    axis.plot(x, measured.mean(_PAIRS), color=INK, lw=2.5, label="measured")
    for mean, look in _styled(predicted):
        axis.plot(x, mean, lw=1.8, marker="s", ms=4, **look)
    axis.set(xticks=x, xticklabels=measured.fork_epoch.values, xlabel="fork epoch", ylabel="barrier half-way (nats)")
    axis.set_yscale("log")
    axis.legend(fontsize="small")
    return figure


def barrier_from_curvature(networks: Mapping[str, tuple[xr.DataArray, xr.DataArray]]) -> Figure:
    """Measured barriers, and those that the curvature along the line implies, for each kind of network.

    Under the title of its panel the measured barrier and the implied one; one more dimension, alpha.
    """
    label = "loss barrier (nats)"
    figure, shown = elements.panels(networks, 4.4, 0.8, 3.6, label, share="y", xlabel=r"$\alpha$")
    for axis, (measured, bent) in shown:
        for fork, colour, mean in elements.each_fork(measured.mean(_PAIRS)):
            guess = bent.sel(fork_epoch=fork).mean(_PAIRS)
            axis.plot(mean.alpha, mean, color=colour, lw=2.5, alpha=0.75, label=f"{fork}")
            axis.plot(guess.alpha, guess, "o", color=colour, ms=4, mec="white", mew=0.5)
        elements.zero_line(axis)
    figure.axes[-1].plot([], [], "o", color=INK, ms=4, label=r"from $\varphi''$")
    elements.fork_legend(figure.axes[-1])
    return figure


def rise_by_layer(measured: xr.DataArray, predicted: xr.DataArray) -> Figure:
    """What one layer's walk half-way costs, measured and predicted: layers against fork epochs.

    Means over pairs, in nats, on one logarithmic colour scale; one more dimension, layer.
    """
    means = [values.mean(_PAIRS).transpose("layer", "fork_epoch") for values in (measured, predicted)]
    positive = np.concatenate([mean.values[mean.values > 0] for mean in means])
    norm = LogNorm(positive.min(), positive.max()) if len(positive) else None
    shown = dict(zip(("measured", "predicted from the curvature at both ends"), means, strict=True))
    figure, axes = elements.panels(shown, 4.6, 0, 0.55 * measured.sizes["layer"] + 1.4, share="y")
    for axis, mean in axes:
        elements.heat_map(axis, mean, norm=norm, cmap="viridis_r", fmt=".2g")
        axis.set_xlabel("fork epoch")
    figure.colorbar(figure.axes[-1].collections[0], ax=figure.axes, label="rise of the loss (nats)", pad=0.01)
    return figure


def curvature_by_layer_pair(curvature: xr.DataArray) -> Figure:
    """Every two layers' share of the curvature along delta: delta_l^T H delta_k over delta^T H delta.

    A panel for each fork epoch; blue adds curvature, red takes it away; the shares of a panel sum to 1. What is
    compared are means, dimensions fork_epoch, layer, with_layer.
    """
    total = curvature.sum(["layer", "with_layer"])
    shares = (curvature / total.where(total != 0)).transpose("fork_epoch", "layer", "with_layer")
    most = float(abs(shares).max().fillna(1))
    figure, forks = elements.panels(elements.by_fork(shares), 2.8, 1, 3.2, share="y")
    for axis, (_, _, share) in forks:
        elements.heat_map(axis, share, norm=TwoSlopeNorm(0, -most, most), cmap="RdBu", fmt=".2f")
        axis.tick_params(axis="x", rotation=60)
    colours = figure.axes[-1].collections[0]
    figure.colorbar(colours, ax=figure.axes, label=r"share of $\delta^\top H \delta$", pad=0.01)
    return figure


def weight_decay_sweep(ratio: xr.DataArray, loss: xr.DataArray) -> Figure:
    """How the approximation's magnitude depends on weight decay, beside the siblings' own final loss.

    `ratio` is the predicted over the measured barrier half-way, `loss` that of the siblings on the training set, in
    nats; both have the dimensions weight_decay, fork_epoch.
    """
    x = np.arange(ratio.sizes["weight_decay"])
    ticks: dict[str, Any] = {"xticks": x, "xticklabels": [f"{value:g}" for value in ratio.weight_decay.values]}
    figure, (left, right) = elements.side_by_side(2, 9.6, 3.6, xlabel="weight decay", **ticks)
    for fork, colour, curve in elements.each_fork(ratio):
        left.plot(x, curve, "o-", color=colour, label=f"{fork}")
        right.plot(x, loss.sel(fork_epoch=fork), "o-", color=colour)
    left.axhline(1, color=INK, ls=":", lw=1.2)
    left.set(ylabel="predicted / measured", title="second-order barrier half-way")
    right.set(ylabel="train loss (nats)", yscale="log", title="the siblings' own loss")
    figure.legend(*left.get_legend_handles_labels(), title="fork epoch", loc="outside right center")
    return figure


def _styled(predicted: Mapping[str, xr.DataArray]) -> Iterator[tuple[xr.DataArray, dict[str, Any]]]:
    """The mean of each approximation over pairs, and how its line looks."""
    tones = sns.color_palette("colorblind")[1:]
    for (name, values), style, tone in zip(predicted.items(), _LINES, tones, strict=False):
        yield values.mean(_PAIRS), {"ls": style, "color": tone, "label": name}
