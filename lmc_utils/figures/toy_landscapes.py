"""Figures of the toy chapter, from the roots of a landscape; curves are drawn at `n_points` points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import ArrayLike

from lmc_utils import toy
from lmc_utils.figures import elements
from lmc_utils.figures.elements import BLUE, GREEN, ORANGE
from lmc_utils.figures.theme import FAINT, INK

_HEIGHTS = "viridis_r"  # low ridges pale, high ones dark
_THETA: dict[str, Any] = {"xlabel": r"$\theta$", "ylabel": r"$f(\theta)$"}
_SIZE = (8.6, 3.6)


def barrier_on_segment(
    roots: ArrayLike, theta_1: float, theta_2: float, *, n_points: int = 401, second_order: bool = False
) -> Figure:
    """The landscape around a segment, with the chord between its endpoints, and the loss barrier along it.

    The endpoints are at alpha = 0 and 1, the second larger than the first. `second_order` adds the poster's
    approximation, and the two parabolas that it combines.
    """
    figure, (left, right) = elements.side_by_side(2, _SIZE)
    ends, middle, beyond = np.array([theta_1, theta_2]), (theta_1 + theta_2) / 2, 0.25 * (theta_2 - theta_1)
    alphas = np.linspace(0, 1, n_points)
    wide, inside = np.linspace(theta_1 - beyond, theta_2 + beyond, n_points), theta_1 + alphas * (theta_2 - theta_1)
    chord = np.interp(inside, ends, toy.value(ends, roots))
    barrier = toy.barrier_curve(theta_1, theta_2, alphas, roots)

    left.fill_between(inside, chord, toy.value(inside, roots), color=BLUE, alpha=0.15, lw=0)
    left.plot(wide, toy.value(wide, roots), color=BLUE, lw=2, label="exact")
    left.plot(inside, chord, color=INK, ls=":", lw=1.4, label="chord between the endpoints")
    right.fill_between(alphas, barrier, color=BLUE, alpha=0.15, lw=0)
    right.plot(alphas, barrier, color=BLUE, lw=2)
    elements.zero_line(right)
    if second_order:
        for end, side in ((theta_1, inside <= middle), (theta_2, inside >= middle)):
            parabola = toy.value(end, roots) + toy.curvature(end, roots) / 2 * (inside - end) ** 2
            left.plot(inside[side], parabola[side], color=ORANGE, ls="--", lw=1.6)
        guess = toy.second_order_barrier(theta_1, theta_2, alphas, roots)
        right.plot(alphas, guess, color=ORANGE, ls="--", lw=1.6, label="second order, from the endpoints' curvature")
    left.plot(ends, toy.value(ends, roots), "o", color=INK, ms=7, zorder=5)
    left.set(**_THETA, title="landscape")
    right.set(xlabel=r"$\alpha$", ylabel=r"$\mathcal{B}(\alpha)$", title="barrier on the segment")
    figure.legend(loc="outside lower center", ncols=3, fontsize="small")
    return figure


def barrier_from_curvature(roots: ArrayLike, theta_1: float, theta_2: float, *, n_points: int = 401) -> Figure:
    """The barrier at the midpoint of a segment as an integral over the curvature along it.

    Left: phi''(s) and its weight, the tent function; right: their product -G phi'', whose area is B(1/2).
    """
    figure, (left, right) = elements.side_by_side(2, _SIZE, xlabel="$s$, from one endpoint to the other")
    s = np.linspace(0, 1, n_points)
    second = (theta_2 - theta_1) ** 2 * toy.curvature(theta_1 + s * (theta_2 - theta_1), roots)
    weight = toy.tent_function(0.5, s)
    for axis, curve in ((left, second), (right, -weight * second)):
        axis.axhline(0, color=INK, lw=0.8)
        axis.fill_between(s, curve, where=second >= 0, color=ORANGE, alpha=0.35, lw=0)
        axis.fill_between(s, curve, where=second <= 0, color=BLUE, alpha=0.3, lw=0)
        axis.plot(s, curve, color=INK, lw=1.6)
    left.plot(s, weight / weight.max() * second.max(), color=INK, ls=":", lw=1.4)
    left.set(ylabel=r"$\varphi''(s)$", title="curvature, and the tent (dotted)")
    right.set(ylabel=r"$-G(\frac{1}{2}, s)\,\varphi''(s)$", title="the barrier is blue minus orange")
    return figure


def ridges(roots: ArrayLike, n_points: int = 401) -> Figure:
    """The landscape over all its minima, on a linear and a logarithmic axis; darker tops are higher."""
    figure, (left, right) = elements.side_by_side(2, _SIZE, xlabel=r"$\theta$")
    low, tops, heights = toy.minima(roots), toy.maxima(roots), toy.neighbour_barriers(roots)
    beyond = 0.3 * np.diff(low).mean()
    for axis in (left, right):
        axis.plot(*_curve(roots, low[0] - beyond, low[-1] + beyond, n_points), color=BLUE, lw=1.8)
        axis.vlines(tops, 0, heights, color=FAINT, lw=1.2, zorder=0)
        axis.scatter(tops, heights, c=heights, cmap=_HEIGHTS, norm=_log_norm(heights), s=55, edgecolor=INK, zorder=4)
    left.plot(low, np.zeros_like(low), "o", color=INK, ms=6, zorder=5, clip_on=False)
    left.set(ylim=(0, 1.5 * heights.max()), ylabel=r"$f(\theta)$", title="linear axis")
    right.set(yscale="log", ylim=(heights.min() / 30, 5 * heights.max()), title="logarithmic axis")
    return figure


def pairwise_barriers(roots: ArrayLike) -> Figure:
    """Heat map of the barrier between any two minima; darker is higher."""
    table = toy.pairwise_barriers(roots)
    apart = ~np.eye(len(table), dtype=bool)
    figure, (axis,) = elements.side_by_side(1, (5.4, 4.2))
    norm = _log_norm(table[apart])
    sns.heatmap(table, mask=~apart, cmap=_HEIGHTS, norm=norm, rasterized=True, cbar_kws={"label": "barrier"}, ax=axis)
    axis.invert_yaxis()
    axis.set(xlabel="first minimum, from the left", ylabel="second minimum")
    axis.tick_params(length=0, rotation=0, labelsize="small")
    return figure


def ridges_by_count(counts: Sequence[int], n_points: int = 401) -> Figure:
    """Landscapes of equally spaced minima on [-1, 1], a panel for each number of minima, on one logarithmic axis."""
    titled = {f"m = {m}": toy.on_interval(m) for m in counts}
    size = (8.6 / elements.column_count(len(counts)), 2.6)
    figure, axes = elements.panels(titled, size, shared_axes="xy", yscale="log", **_THETA)
    for axis, roots in axes:
        axis.plot(*_curve(roots, -1.25, 1.25, n_points), color=BLUE, lw=1.1)
        axis.plot(toy.maxima(roots), toy.neighbour_barriers(roots), "o-", color=ORANGE, ms=4, lw=1.4)
    axis.set_ylim(toy.neighbour_barriers(toy.on_interval(max(counts))).min() / 30, 10)
    return figure


def barriers_by_count(m_max: int, spacing: float) -> Figure:
    """Barriers against the number of minima, 2 to `m_max`, on [-1, 1] and at a fixed `spacing`.

    Left: the barriers; right: the barriers divided by the height of the mountainside.
    """
    figure, (left, right) = elements.side_by_side(2, _SIZE, yscale="log")
    counts = range(2, m_max + 1)
    shared = [toy.neighbour_barriers(toy.on_interval(m)) for m in counts]
    spaced = [toy.neighbour_barriers(toy.equally_spaced(m, spacing)).max() for m in counts]
    largest, smallest = np.array([np.max(ridge) for ridge in shared]), np.array([np.min(ridge) for ridge in shared])
    slopes = np.array([toy.outer_height(toy.on_interval(m)) for m in counts])
    names = ("largest, minima share $[-1, 1]$", "smallest, minima share $[-1, 1]$")
    _two_by_count(left, counts, (largest, smallest), BLUE, names)
    _two_by_count(right, counts, (largest / slopes, smallest / slopes), BLUE, names)
    left.plot(counts, spaced, "s:", color=GREEN, ms=5, label=f"largest, minima {spacing:g} apart")
    left.set(ylim=(smallest.min() / 10, 300 * largest.max()), ylabel="barrier", title="barrier")
    right.set(ylabel="barrier / mountainside", title="fraction of the mountainside")
    elements.legend_below(figure, 3)
    return figure


def spacing_comparison(m: int, m_max: int, n_points: int = 401) -> Figure:
    """Equally spaced minima against minima at the Chebyshev points of the same interval.

    Left: both landscapes of `m` minima; right: largest and smallest barriers of 2 to `m_max` minima.
    """
    figure, (left, right) = elements.side_by_side(2, _SIZE, yscale="log")
    counts = range(2, m_max + 1)
    placements = (("equally spaced", toy.on_interval, BLUE), ("Chebyshev points", toy.chebyshev, ORANGE))
    for label, place, colour in placements:
        roots = place(m)
        left.plot(*_curve(roots, -1.1, 1.1, n_points), color=colour, lw=1.2)
        left.plot(toy.maxima(roots), toy.neighbour_barriers(roots), "o", color=colour, ms=6, label=label)
        barriers = [toy.neighbour_barriers(place(count)) for count in counts]
        _two_by_count(right, counts, ([max(each) for each in barriers], [min(each) for each in barriers]), colour)
    left.set(**_THETA, ylim=(toy.neighbour_barriers(toy.on_interval(m)).min() / 100, 10), title=f"{m} solutions")
    right.set(ylabel="barrier", title="largest (filled) and smallest")
    elements.legend_below(figure, 2)
    return figure


def approximation_errors(m_max: int) -> Figure:
    """The second-order approximation against the exact barrier, for all neighbours on [-1, 1] of 2 to `m_max` minima.

    Left: every pair of neighbours; right: approximation over barrier, at the edge and in the middle.
    """
    figure, (left, right) = elements.side_by_side(2, _SIZE)
    counts = range(2, m_max + 1)
    barriers = [toy.neighbour_barriers(toy.on_interval(m)) for m in counts]
    factors = [toy.approximation_factors(toy.on_interval(m)) for m in counts]
    colours = sns.color_palette(_HEIGHTS, len(counts))
    for m, barrier, factor, colour in zip(counts, barriers, factors, colours, strict=True):
        left.plot(barrier, barrier * factor, "o", color=colour, ms=5, label=f"{m}" if m in (2, m_max) else None)
    reach = np.array([min(map(np.min, barriers)), 10 * max(map(np.max, barriers))])
    left.plot(reach, reach, color=INK, ls=":", lw=1.2)
    left.set(xscale="log", yscale="log", xlabel="barrier", ylabel="second-order approximation", title="all neighbours")
    left.xaxis.set_major_locator(LogLocator(numticks=6))
    left.legend(title="$m$", fontsize="small")
    edge, middle = [factor[0] for factor in factors], [factor[(len(factor) - 1) // 2] for factor in factors]
    _two_by_count(right, counts, (edge, middle), BLUE, ("outermost neighbours", "middle neighbours"))
    right.axhline(np.pi**2 / 4, color=ORANGE, ls="--", lw=1.6, label=r"$\pi^2/4$")
    right.set(ylabel="approximation / barrier", title="ratio", ylim=(0, None))
    right.legend(fontsize="small")
    return figure


def merging_minima(gaps: Sequence[float], n_points: int = 401) -> Figure:
    """Landscape of two minima, their barrier and their curvature, for decreasing `gaps` between them."""
    figure, (left, right) = elements.side_by_side(2, _SIZE)
    pairs = [(-gap / 2, gap / 2) for gap in gaps]
    grid = np.linspace(-0.75 * gaps[0], 0.75 * gaps[0], n_points)
    for gap, pair, colour in zip(gaps, pairs, sns.color_palette("flare", len(gaps)), strict=True):
        left.plot(grid, toy.value(grid, pair), color=colour, lw=1.8, label=f"gap {gap:g}")
    left.plot(grid, toy.value(grid, (0, 0)), color=INK, ls=":", lw=1.6, label="merged")
    left.set(**_THETA, ylim=(0, 1.6 * (gaps[0] / 2) ** 4), title="two minima move closer")
    curvatures, barriers = (
        [toy.curvature(pair[0], pair) for pair in pairs],
        [toy.neighbour_barriers(pair) for pair in pairs],
    )
    right.plot(gaps, curvatures, "s-", color=GREEN, ms=5, label="curvature at the minima")
    right.plot(gaps, barriers, "o-", color=BLUE, ms=5, label="barrier")
    right.set(xscale="log", yscale="log", xlabel="gap", title="curvature and barrier")
    right.set_xticks(gaps, [f"{gap:g}" for gap in gaps])
    right.minorticks_off()
    right.legend(fontsize="small")
    elements.legend_below(figure, len(gaps) + 1)
    return figure


def _two_by_count(
    axis: Axes,
    counts: range,
    curves: tuple[ArrayLike, ArrayLike],
    colour: str,
    labels: Sequence[str | None] = (None,) * 2,
) -> None:
    """Draw two curves against the number of minima, the first with filled dots."""
    for curve, label, style, fill in zip(curves, labels, ("o-", "o--"), (colour, "white"), strict=True):
        axis.plot(counts, curve, style, color=colour, ms=5, mfc=fill, label=label)
    axis.set_xlabel("number of minima, $m$")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _curve(roots: ArrayLike, low: float, high: float, n_points: int) -> tuple[toy.Array, toy.Array]:
    """Points of the landscape from low to high, every stationary point among them."""
    grid = np.union1d(np.linspace(low, high, n_points), toy.stationary_points(roots))
    return grid, toy.value(grid, roots)


def _log_norm(heights: toy.Array) -> LogNorm:
    return LogNorm(heights.min() / 1.5, heights.max() * 1.5)
