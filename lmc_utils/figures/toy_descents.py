"""Figures of the toy chapter's siblings: their trajectories, and how often a barrier separates them.

`trajectories` come from `descent.descend` with `every_step`, shape (steps + 1, 1 + forks, pairs, n), n = 1 on a line or
2 in the plane; one `pair` of them is drawn. `roots` have the shape (m, n), and `fork_times` are fractions of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from lmc_utils.figures import elements
from lmc_utils.figures.elements import BLUE, ORANGE  # of the first and the second sibling
from lmc_utils.figures.theme import FAINT, INK, ON_MAP
from lmc_utils.toy import Array, multidimensional
from lmc_utils.toy.descent import wilson_interval

_COLOURS = "YlGnBu_r"  # deep valleys dark, high ground pale
_TOP = 2.5  # height at which the surface is cut off, in units of the median barrier
_PLANE = {"xlabel": r"$\theta_1$", "ylabel": r"$\theta_2$"}


def trajectories_on_line(
    trajectories: Array, roots: ArrayLike, fork_times: Sequence[float], *, pair: int = 0
) -> Figure:
    """One pair of siblings against time, for each fork: one shared trajectory, then two."""
    figure, axes = _fork_panels(fork_times, 3.4, r"$\theta$", xlabel="time")
    times = np.linspace(0, 1, len(trajectories))
    for row, (axis, fork) in enumerate(axes, start=1):
        for root in np.asarray(roots).ravel():
            axis.axhline(root, color=FAINT, lw=1, zorder=0)
        after = times >= fork
        for part, sibling, colour in ((after, 0, BLUE), (after, row, ORANGE), (~after, 0, INK)):
            axis.plot(times[part], trajectories[part, sibling, pair, 0], color=colour, lw=0.9)
        axis.axvline(fork, color=INK, ls=":", lw=1.4)
        axis.plot([1, 1], trajectories[-1, [0, row], pair, 0], "o", color=INK, ms=5, zorder=5, clip_on=False)
        axis.xaxis.set_major_formatter(PercentFormatter(1))
    return figure


def landscape_in_plane(roots: ArrayLike, n_points: int = 201) -> Figure:
    """The isotropic product in the plane: side view, cut off above, and top view with contour lines.

    Heights are in units of the median barrier; there are `n_points` along each side of the map.
    """
    roots = np.asarray(roots, dtype=np.float64)
    east, north, heights, reach = _map(roots, n_points)
    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    left = figure.add_subplot(1, 2, 1, projection="3d")
    right = figure.add_subplot(1, 2, 2)
    x, y, z = _surface(roots, reach)
    left.plot_surface(x, y, z, cmap=_COLOURS, vmin=0, vmax=_TOP, rcount=120, ccount=181, lw=0, antialiased=False,
                      rasterized=True)  # fmt: skip
    left.view_init(elev=56, azim=-72)
    left.set(**_PLANE, zlim=(0, _TOP), xticks=[], yticks=[], zticks=[0, 1, 2], title="side view")
    left.tick_params(pad=-2, labelsize="small")
    left.xaxis.labelpad = left.yaxis.labelpad = -12
    for pane in (left.xaxis.pane, left.yaxis.pane, left.zaxis.pane):
        pane.set_visible(False)
    left.grid(False)
    colours = _contours(right, east, north, heights)
    right.plot(*roots.T, "o", color="white", mec=ON_MAP, ms=6)
    right.set(**_PLANE, title="top view")
    figure.colorbar(colours, ax=right, label="height / barrier", shrink=0.85)
    return figure


def trajectories_in_plane(
    trajectories: Array, roots: ArrayLike, fork_times: Sequence[float], *, pair: int = 0, n_points: int = 201
) -> Figure:
    """One pair of siblings on the map of the isotropic product in the plane, a panel for each fork."""
    east, north, heights, _ = _map(np.asarray(roots, dtype=np.float64), n_points)
    figure, axes = _fork_panels(fork_times, 3.6, **_PLANE)
    for row, (axis, fork) in enumerate(axes, start=1):
        _contours(axis, east, north, heights, alpha=0.55)
        at = round(fork * (len(trajectories) - 1))
        together, first, second = (
            trajectories[: at + 1, 0, pair],
            trajectories[at:, 0, pair],
            trajectories[at:, row, pair],
        )
        for path, colour in ((together, ON_MAP), (first, BLUE), (second, ORANGE)):
            axis.plot(*path[::3].T, color=colour, lw=0.7, alpha=0.85)
        axis.plot(*np.stack([first[-1], second[-1]]).T, color=ON_MAP, ls=":", lw=1.6)
        for path, colour in ((first, BLUE), (second, ORANGE)):
            axis.plot(*path[-1], "o", color=colour, mec="white", ms=9, zorder=6)
        axis.plot(*first[0], "X", color=ON_MAP, mec="white", ms=10, zorder=6)
    return figure


def barrier_frequency(shown: Mapping[str, Mapping[str, ArrayLike]], fork_times: Sequence[float], pairs: int) -> Figure:
    """Fraction of sibling pairs with a barrier, against the fork time, with 95 % Wilson intervals.

    Args:
        shown: the fractions at each fork time, by the title of the panel and by label.
        fork_times: fractions of the run.
        pairs: number of pairs.
    """
    label, xlabel = "fraction of pairs with a barrier", "fork time, as a fraction of the run"
    figure, axes = elements.panels(
        shown, (8.6 / elements.column_count(len(shown)), 3.7), ylabel=label, shared_axes="y", xlabel=xlabel
    )
    for axis, curves in axes:
        colours = [BLUE, ORANGE] if len(curves) <= 2 else sns.color_palette("viridis", len(curves))
        for (label, fractions), colour, marker in zip(curves.items(), colours, "os^Dv<>", strict=False):
            axis.fill_between(fork_times, *wilson_interval(fractions, pairs), color=colour, alpha=0.2, lw=0)
            axis.plot(fork_times, fractions, f"{marker}-", color=colour, ms=5, lw=1.8, label=label)
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.legend(fontsize="small")
    axis.set_ylim(-0.02, None)
    figure.axes[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def barriers_between_random_solutions(ranks: Sequence[int], fractions: ArrayLike, heights: ArrayLike) -> Figure:
    """Barriers between random solutions of degenerate landscapes, against the rank of their factors.

    A dot for each draw of the degenerate directions, a line through their medians.

    Args:
        ranks: of the A_i, increasing; the largest is the dimension.
        fractions: of pairs with a barrier, shape (ranks, draws).
        heights: median barrier over the typical height of the landscape, shape (ranks, draws).
    """
    figure, (left, right) = elements.side_by_side(2, (8.6, 3.5), xlabel="rank of the factors", xticks=ranks)
    for axis, values in ((left, np.asarray(fractions)), (right, np.asarray(heights))):
        axis.plot(ranks, values, "o", color=BLUE, ms=4, alpha=0.35, mew=0)
        axis.plot(ranks, np.median(values, axis=1), color=BLUE, lw=2)
    left.set(ylim=(0, 1), ylabel="fraction of pairs with a barrier", title="frequency")
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set(yscale="log", ylabel="median barrier / typical height", title="height")
    return figure


def _fork_panels(
    fork_times: Sequence[float], height: float, ylabel: str, xlabel: str
) -> tuple[Figure, list[tuple[Axes, float]]]:
    titled = {f"fork at {fork:.0%} of the run": fork for fork in fork_times}
    return elements.panels(
        titled, (8.6 / elements.column_count(len(fork_times)), height), ylabel=ylabel, shared_axes="xy", xlabel=xlabel
    )


def _map(roots: Array, n_points: int) -> tuple[Array, Array, Array, float]:
    """A square grid around solutions in the plane, the landscape on it in units of the barrier, and its half-width."""
    centre = roots.mean(axis=0)
    reach = 1.45 * float(np.linalg.norm(roots - centre, axis=1).max())
    side = np.linspace(-reach, reach, min(n_points, 201))
    east, north = np.meshgrid(centre[0] + side, centre[1] + side)
    heights = multidimensional.value(np.stack([east, north], axis=-1), roots) / multidimensional.units(roots)[1]
    return east, north, heights, reach


def _surface(roots: Array, reach: float) -> tuple[Array, Array, Array]:
    """The surface in polar coordinates, up to the cut-off height, so that its rim is smooth."""
    angles = np.linspace(0, 2 * np.pi, 361)
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    radii = np.linspace(0, reach, 1001)[:, None]
    centre, height = roots.mean(axis=0), multidimensional.units(roots)[1]
    inside = multidimensional.value(centre + radii[..., None] * rays, roots) <= _TOP * height
    rim = radii[len(radii) - 1 - inside[::-1].argmax(axis=0), 0]
    places = centre + (np.linspace(0, 1, 120)[:, None] * rim)[..., None] * rays
    return places[..., 0], places[..., 1], np.minimum(multidimensional.value(places, roots) / height, _TOP)


def _contours(axis: Axes, east: Array, north: Array, heights: Array, alpha: float = 1.0) -> QuadContourSet:
    levels = np.linspace(0, _TOP, 11)
    filled = axis.contourf(east, north, heights, levels, cmap=_COLOURS, alpha=alpha, vmin=0, vmax=_TOP)
    lines = axis.contour(east, north, heights, levels[1:-1:2], colors="white", linewidths=0.6)
    for drawn in (filled, lines):
        drawn.set_rasterized(True)  # as vectors, three such maps would be a megabyte
    axis.set_aspect("equal")
    return filled
