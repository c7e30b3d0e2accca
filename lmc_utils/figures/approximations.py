"""Figures of the barrier chapter: measured barriers beside what was predicted; one function, one figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lmc_utils.figures.theme import FAINT, INK, fork_colours
from lmc_utils.measure.statistics import Correlation

_LINES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = "osD^vPX*<>"
_PAIRS = ("parent", "pair")


def along_the_line(measured: xr.DataArray, predicted: Mapping[str, xr.DataArray]) -> Figure:
    """The measured barrier along the sibling line, and approximations of it.

    Args:
        measured: dimensions fork_epoch, parent, pair, alpha.
        predicted: the same for each approximation, under the name for the legend.

    Returns:
        A panel for each fork epoch, each with a scale of its own: means over all pairs; a band from the lowest to the
        highest measured pair.
    """
    forks = list(measured.fork_epoch.values)
    figure = Figure(figsize=(2.9 * len(forks) + 0.6, 3.5), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(forks)))
    palette = sns.color_palette("colorblind")
    for axis, (fork, colour) in zip(axes, fork_colours(forks).items(), strict=True):
        curves = measured.sel(fork_epoch=fork)
        axis.fill_between(curves.alpha, curves.min(_PAIRS), curves.max(_PAIRS), color=colour, alpha=0.2, lw=0)
        axis.plot(curves.alpha, curves.mean(_PAIRS), color=colour, lw=2.5)
        for (name, values), style, tone in zip(predicted.items(), _LINES, palette[1:], strict=False):
            axis.plot(values.alpha, values.sel(fork_epoch=fork).mean(_PAIRS), ls=style, color=tone, lw=1.6, label=name)
        axis.axhline(0, color=FAINT, lw=0.8, zorder=0)
        axis.set(title=f"fork at epoch {fork}", xlabel=r"$\alpha$")
    axes[0].set_ylabel("loss barrier (nats)")
    axes[0].plot([], [], color=INK, lw=2.5, label="measured (mean and range)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize="small")
    return figure


def scatter(
    measured: xr.DataArray, predicted: Mapping[str, tuple[xr.DataArray, Correlation]], unit: str = "nats"
) -> Figure:
    """What was predicted for each pair of siblings against what was measured, on logarithmic axes.

    Args:
        measured: dimensions fork_epoch, parent, pair and, for layers, layer; those that are not positive are left out,
            and the title says how many.
        predicted: under its name each prediction, with the correlation to print over it. A prediction in the unit of
            what was measured has that in its attribute `units`, and gets the line on which it would be exact.
        unit: of what was measured.

    Returns:
        A panel for each prediction. Colour tells the fork epoch, the marker the layer.
    """
    figure = Figure(figsize=(3.3 * len(predicted) + 0.9, 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(predicted), sharey=True))
    colours = fork_colours(list(measured.fork_epoch.values))
    layers = list(measured.layer.values) if "layer" in measured.dims else [None]
    for axis, (name, (prediction, correlation)) in zip(axes, predicted.items(), strict=True):
        left_out = int(((measured <= 0) | (prediction <= 0)).sum())
        for fork, colour in colours.items():
            for layer, marker in zip(layers, _MARKERS * len(layers), strict=False):
                label = {"fork_epoch": fork} | ({} if layer is None else {"layer": layer})
                x, y = prediction.sel(label), measured.sel(label)
                x, y = xr.broadcast(x, y)
                seen = ((x > 0) & (y > 0)).values
                axis.plot(x.values[seen], y.values[seen], marker, color=colour, ms=6, alpha=0.85, mew=0)
        axis.set(xscale="log", yscale="log", xlabel=name)
        axis.xaxis.set_minor_formatter(NullFormatter())
        if prediction.attrs.get("units") == unit:
            low, high = axis.get_ylim()
            axis.axline((low, low), (high, high), color=FAINT, lw=1, ls="--", zorder=0)
        note = f"\n({left_out} not positive)" if left_out else ""
        axis.set_title(f"rank correlation {correlation}{note}", fontsize="small")
    axes[0].set_ylabel(f"measured ({unit})")
    for fork, colour in colours.items():
        axes[-1].plot([], [], "o", color=colour, label=f"fork {fork}")
    for layer, marker in zip(layers, _MARKERS * len(layers), strict=False):
        if layer is not None:
            axes[-1].plot([], [], marker, color=INK, label=layer)
    axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    return figure


def trend(measured: xr.DataArray, predicted: Mapping[str, xr.DataArray]) -> Figure:
    """The barrier half-way against the fork epoch, measured and predicted, on a logarithmic axis.

    Args:
        measured: dimensions fork_epoch, parent, pair; every pair is a dot where it is positive.
        predicted: the same for each approximation; their means over pairs are drawn.
    """
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    x = np.arange(measured.sizes["fork_epoch"])
    palette = sns.color_palette("colorblind")
    dots = measured.stack(all=_PAIRS).transpose("fork_epoch", "all").values
    axis.plot(x, dots, "o", color=INK, ms=3.5, alpha=0.5)
    axis.plot(x, measured.mean(_PAIRS), color=INK, lw=2.5, label="measured")
    for (name, values), style, tone in zip(predicted.items(), _LINES, palette[1:], strict=False):
        axis.plot(x, values.mean(_PAIRS), ls=style, color=tone, lw=1.8, marker="s", ms=4, label=name)
    axis.set(xticks=x, xticklabels=measured.fork_epoch.values, xlabel="fork epoch", ylabel="barrier half-way (nats)")
    axis.set_yscale("log")
    axis.legend(fontsize="small")
    return figure


def implied(networks: Mapping[str, tuple[xr.DataArray, xr.DataArray]]) -> Figure:
    """Measured barriers, and those that the curvature along the line implies, for each kind of network.

    Args:
        networks: under the title of its panel the measured barrier and the implied one, dimensions fork_epoch, parent,
            pair, alpha.
    """
    figure = Figure(figsize=(4.4 * len(networks) + 0.8, 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(networks), sharey=True))
    for axis, (title, (measured, bent)) in zip(axes, networks.items(), strict=True):
        for fork, colour in fork_colours(list(measured.fork_epoch.values)).items():
            mean, guess = (values.sel(fork_epoch=fork).mean(_PAIRS) for values in (measured, bent))
            axis.plot(mean.alpha, mean, color=colour, lw=2.5, alpha=0.75, label=f"{fork}")
            axis.plot(guess.alpha, guess, "o", color=colour, ms=4, mec="white", mew=0.5)
        axis.axhline(0, color=FAINT, lw=0.8, zorder=0)
        axis.set(title=title, xlabel=r"$\alpha$")
    axes[0].set_ylabel("loss barrier (nats)")
    axes[-1].plot([], [], "o", color=INK, ms=4, label=r"from $\varphi''$")
    axes[-1].legend(title="fork epoch", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def layer_heatmap(measured: xr.DataArray, predicted: xr.DataArray) -> Figure:
    """What one layer's walk half-way costs, measured and predicted: layers against fork epochs.

    Args:
        measured, predicted: dimensions fork_epoch, parent, pair, layer; nats. Means over pairs are shown, on one
            logarithmic colour scale.
    """
    means = [values.mean(_PAIRS).transpose("layer", "fork_epoch") for values in (measured, predicted)]
    positive = np.concatenate([mean.values[mean.values > 0] for mean in means])
    norm = LogNorm(positive.min(), positive.max()) if len(positive) else None
    figure = Figure(figsize=(9.2, 0.55 * measured.sizes["layer"] + 1.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, mean, title in zip(axes, means, ("measured", "predicted from the curvature at both ends"), strict=True):
        _heat(axis, mean, norm=norm, cmap="viridis_r", fmt=".2g")
        axis.set(title=title, xlabel="fork epoch", ylabel="")
    figure.colorbar(axes[-1].collections[0], ax=axes, label="rise of the loss (nats)", pad=0.01)
    return figure


def layer_matrix(curvature: xr.DataArray) -> Figure:
    """Every two layers' share of the curvature along delta: delta_l^T H delta_k over delta^T H delta.

    Args:
        curvature: dimensions fork_epoch, layer, with_layer; the means to compare.

    Returns:
        A panel for each fork epoch; blue adds curvature, red takes it away; the shares of a panel sum to 1.
    """
    total = curvature.sum(["layer", "with_layer"])
    shares = curvature / total.where(total != 0)
    forks = list(curvature.fork_epoch.values)
    figure = Figure(figsize=(2.8 * len(forks) + 1, 3.2), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(forks), sharey=True))
    most = float(abs(shares).max().fillna(1))
    for axis, fork in zip(axes, forks, strict=True):
        share = shares.sel(fork_epoch=fork).transpose("layer", "with_layer")
        _heat(axis, share, norm=TwoSlopeNorm(0, -most, most), cmap="RdBu", fmt=".2f")
        axis.set(title=f"fork at epoch {fork}", xlabel="", ylabel="")
        axis.tick_params(axis="x", rotation=60)
    figure.colorbar(axes[-1].collections[0], ax=axes, label=r"share of $\delta^\top H \delta$", pad=0.01)
    return figure


def sweep(ratio: xr.DataArray, loss: xr.DataArray) -> Figure:
    """How the approximation's magnitude depends on weight decay, beside the siblings' own final loss.

    Args:
        ratio: predicted over measured barrier half-way, dimensions weight_decay, fork_epoch.
        loss: of the siblings on the training set, nats, the same dimensions.
    """
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = np.arange(ratio.sizes["weight_decay"])
    for fork, colour in fork_colours(list(ratio.fork_epoch.values)).items():
        left.plot(x, ratio.sel(fork_epoch=fork), "o-", color=colour, label=f"{fork}")
        right.plot(x, loss.sel(fork_epoch=fork), "o-", color=colour)
    left.axhline(1, color=INK, ls=":", lw=1.2)
    left.set(ylabel="predicted / measured", title="second-order barrier half-way")
    right.set(ylabel="train loss (nats)", yscale="log", title="the siblings' own loss")
    for axis in (left, right):
        axis.set(xticks=x, xticklabels=[f"{value:g}" for value in ratio.weight_decay.values], xlabel="weight decay")
    figure.legend(*left.get_legend_handles_labels(), title="fork epoch", loc="outside right center")
    return figure


def _heat(axis: Axes, values: xr.DataArray, **options: object) -> None:
    labels = {"xticklabels": values[values.dims[1]].values, "yticklabels": values[values.dims[0]].values}
    sns.heatmap(
        values.values, annot=True, annot_kws={"size": 8}, cbar=False, linewidths=0.5, ax=axis, **labels, **options
    )
    axis.tick_params(axis="y", rotation=0)
