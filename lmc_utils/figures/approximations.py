"""Figures of the barrier chapter: measured and predicted barriers.

Measurements and predictions have the dimensions fork_epoch, parent and pair, and those named below. Predictions are
given by their names, which the legend or the axis shows as `TITLES` has them.
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

from lmc_utils.figures import elements, fork_axis
from lmc_utils.figures.theme import FAINT, INK, fork_colours
from lmc_utils.measure.statistics import Correlation

TITLES = {  # of predictions, by the names that chapters give them; others are shown as they are
    "second_order": "second order (poster)",
    "gradient": "with the gradient term",
    "quintic": "quintic Hermite",
    "distance": r"$|\delta|^2$",
    "distance_baseline": r"$|\delta|^2$",
    "given_distance": r"second order, given $|\delta|^2$",
    "distance_given": r"$|\delta|^2$, given second order",
    "layerwise": "second order",
    "layerwise_gradient": "with the gradient term",
    "layerwise_distance": r"$|\delta_l|^2$",
}
_LINES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = "osD^vPX*<>"
_PAIRS = ("parent", "pair")


def barrier_along_line(measured: xr.DataArray, predicted: Mapping[str, xr.DataArray]) -> Figure:
    """The measured barrier along the sibling line, and approximations of it; further dimension: alpha.

    A panel for each fork epoch, with its own scale: means over pairs, and a band for the range of measured pairs.
    """
    label = "loss barrier (nats)"
    figure, forks = elements.fork_panels(measured, (2.9, 3.5), beside=0.6, ylabel=label, xlabel=r"$\alpha$")
    for axis, (fork, colour, curves) in forks:
        elements.band(axis, curves, "alpha", colour, lw=2.5)
        for mean, look in _styled(predicted):
            axis.plot(mean.alpha, mean.sel(fork_epoch=fork), lw=1.6, **look)
        elements.zero_line(axis)
    figure.axes[0].plot([], [], color=INK, lw=2.5, label="measured (mean and range)")
    elements.legend_below(figure, 4)
    return figure


def predicted_against_measured(
    measured: xr.DataArray,
    predicted: Mapping[str, xr.DataArray],
    correlations: Mapping[str, Correlation],
    *,
    unit: str = "nats",
) -> Figure:
    """Scatter plot of measured against predicted values of each pair of siblings, on logarithmic axes.

    A panel for each prediction; colour for the fork epoch, marker for the layer, where that is a dimension. Numbers
    that are not positive are left out and counted in the title.

    Args:
        measured: values in `unit`.
        predicted: one with the same `units` gets the identity line.
        correlations: of each prediction with the measured values, for its title.
        unit: of the measured values.
    """
    options = {"key": "xlabel", "shared_axes": "y", "xscale": "log", "yscale": "log", "ylabel": f"measured ({unit})"}
    shown = {TITLES.get(name, name): (values, correlations[name]) for name, values in predicted.items()}
    figure, axes = elements.panels(shown, (3.3, 3.6), beside=0.9, **options)
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
    """The barrier at the midpoint against the fork epoch, measured and predicted, on a logarithmic axis.

    Every positive measured pair is a dot; lines are means over pairs.
    """
    figure, (axis,) = elements.side_by_side(1, (6.4, 3.8), yscale="log", ylabel="barrier at the midpoint (nats)")
    fork_axis.scale_forks(axis, measured.fork_epoch.values)
    fork_axis.draw_pairs(axis, measured, INK)
    axis.plot(measured.fork_epoch, measured.mean(_PAIRS), color=INK, lw=2, label="measured (dots: pairs)", zorder=2)
    for mean, look in _styled(predicted):
        axis.plot(mean.fork_epoch, mean, lw=1.8, **look)
    axis.legend(fontsize="small")
    return figure


def correlations_by_fork(found: Mapping[str, Mapping[str, Correlation]]) -> Figure:
    """Rank correlations within forks and across them, with intervals where there are any.

    Args:
        found: by name of the prediction, the correlations from `statistics.by_fork`.
    """
    figure, (axis,) = elements.side_by_side(
        1, (7.2, 3.8), ylabel="rank correlation\nwith the barrier", ylim=(-1.05, 1.05)
    )
    apart = 0.6 / len(found)
    for place, (name, each, colour) in enumerate(elements.coloured(found)):
        x = np.arange(len(each)) + apart * (place - (len(found) - 1) / 2)
        estimate, low, high = np.array([*each.values()]).T
        axis.vlines(x, low, high, color=colour, lw=1.5)
        axis.plot(x, estimate, _MARKERS[place], color=colour, ms=5, label=TITLES.get(name, name))
    axis.set_xticks(range(len(each)), [label.replace(" forks", "\nforks") for label in each])
    elements.zero_line(axis)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    return figure


def barrier_from_curvature(networks: Mapping[str, tuple[xr.DataArray, xr.DataArray]]) -> Figure:
    """Measured barriers, and barriers integrated from the curvature along the line.

    Args:
        networks: by title, the measured barrier and the integrated one; further dimension: alpha.
    """
    label = "loss barrier (nats)"
    figure, shown = elements.panels(networks, (4.4, 3.6), beside=0.8, ylabel=label, shared_axes="y", xlabel=r"$\alpha$")
    for axis, (measured, integrated) in shown:
        for fork, colour, mean in elements.each_fork(measured.mean(_PAIRS)):
            guess = integrated.sel(fork_epoch=fork).mean(_PAIRS)
            axis.plot(mean.alpha, mean, color=colour, lw=2.5, alpha=0.75, label=f"{fork}")
            axis.plot(guess.alpha, guess, "o", color=colour, ms=4, mec="white", mew=0.5)
        elements.zero_line(axis)
    figure.axes[-1].plot([], [], "o", color=INK, ms=4, label=r"from $\varphi''$")
    elements.fork_legend(figure.axes[-1])
    return figure


def rise_by_layer(measured: xr.DataArray, predicted: xr.DataArray) -> Figure:
    """Rise of the loss when one layer is moved to the midpoint, measured and predicted: layers against fork epochs.

    Means over pairs in thousandths of a nat, so that numbers are short, on one logarithmic colour scale; further
    dimension: layer.
    """
    means = [1000 * values.mean(_PAIRS).transpose("layer", "fork_epoch") for values in (measured, predicted)]
    positive = np.concatenate([mean.values[mean.values > 0] for mean in means])
    norm = LogNorm(positive.min(), positive.max()) if len(positive) else None
    shown = dict(zip(("measured", "predicted from curvature"), means, strict=True))
    figure, axes = elements.panels(shown, (2.5, 0.32 * measured.sizes["layer"] + 1.6), shared_axes="y")
    for axis, mean in axes:
        elements.heat_map(axis, mean, size=9, norm=norm, cmap="viridis_r", fmt=".3g")
        axis.tick_params(axis="y", labelsize="small")
        axis.set_xlabel("fork epoch")
    bar: dict[str, Any] = {
        "location": "bottom",
        "aspect": 40,
        "pad": 0.02,
        "label": "rise of the loss (thousandths of a nat)",
    }
    figure.colorbar(figure.axes[-1].collections[0], ax=figure.axes, **bar)
    return figure


def curvature_by_layer_pair(curvature: xr.DataArray) -> Figure:
    """Fraction of the curvature along delta for every two layers: delta_l^T H delta_k over delta^T H delta.

    A panel for each fork epoch, whose fractions sum to 1; blue is positive, red is negative. Dimensions fork_epoch,
    layer, with_layer.
    """
    total = curvature.sum(["layer", "with_layer"])
    fractions = (curvature / total.where(total != 0)).transpose("fork_epoch", "layer", "with_layer")
    most = float(abs(fractions).max().fillna(1))
    figure, forks = elements.fork_panels(fractions, (2.8, 3.2), beside=1, shared_axes="y")
    for axis, (_, _, part) in forks:
        elements.heat_map(axis, part, norm=TwoSlopeNorm(0, -most, most), cmap="RdBu", fmt=".2f")
        axis.tick_params(axis="x", rotation=60)
    colours = figure.axes[-1].collections[0]
    figure.colorbar(colours, ax=figure.axes, label=r"fraction of $\delta^\top H \delta$", pad=0.01)
    return figure


def weight_decay_sweep(ratio: xr.DataArray, loss: xr.DataArray) -> Figure:
    """Predicted over measured barrier against weight decay, and the siblings' final loss beside it.

    Args:
        ratio: of the barriers at the midpoint, dimensions weight_decay, fork_epoch.
        loss: of the siblings on the training set, in nats; the same dimensions.
    """
    x = np.arange(ratio.sizes["weight_decay"])
    ticks: dict[str, Any] = {"xticks": x, "xticklabels": [f"{value:g}" for value in ratio.weight_decay.values]}
    figure, (left, right) = elements.side_by_side(2, (9.6, 3.6), xlabel="weight decay", **ticks)
    for fork, colour, curve in elements.each_fork(ratio):
        left.plot(x, curve, "o-", color=colour, label=f"{fork}")
        right.plot(x, loss.sel(fork_epoch=fork), "o-", color=colour)
    left.axhline(1, color=INK, ls=":", lw=1.2)
    left.set(ylabel="predicted / measured", title="second-order barrier at the midpoint")
    right.set(ylabel="training loss (nats)", yscale="log", title="loss of the siblings")
    figure.legend(*left.get_legend_handles_labels(), title="fork epoch", loc="outside right center")
    return figure


def _styled(predicted: Mapping[str, xr.DataArray]) -> Iterator[tuple[xr.DataArray, dict[str, Any]]]:
    """The mean of each approximation over pairs, and the style of its line."""
    tones = sns.color_palette("colorblind")[1:]
    for (name, values), style, tone in zip(predicted.items(), _LINES, tones, strict=False):
        yield values.mean(_PAIRS), {"ls": style, "color": tone, "label": TITLES.get(name, name)}
