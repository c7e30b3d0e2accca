"""Figures that compare numbers and curves of several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import seaborn as sns
from matplotlib.figure import Figure

from lmc_utils.figures import elements, fork_axis


def numbers_by_fork(series: Mapping[str, Mapping[float, Sequence[float | None]]], runs: Sequence[str]) -> Figure:
    """Numbers against the fork epoch: a panel for each quantity, a line for each run.

    Args:
        series: a number of each run, or None, by quantity and fork epoch.
        runs: their names.
    """
    titled = {name.replace("_", " "): forks for name, forks in series.items()}
    figure, panels = elements.panels(titled, (3.2, 2.8))
    for axis, forks in panels:
        for row, (run, colour) in enumerate(zip(runs, sns.color_palette("colorblind"), strict=False)):
            points = [(fork, each[row]) for fork, each in sorted(forks.items()) if each[row] is not None]
            axis.plot(*zip(*points, strict=True) if points else ([], []), "o-", color=colour, ms=4, label=run)
        elements.zero_line(axis)
        if forks:
            fork_axis.scale_forks(axis, sorted(forks))
    elements.legend_below(figure, len(runs))
    return figure


def curves_by_fork(
    curves: Sequence[Mapping[float, tuple[Sequence[float], Sequence[float]]]], runs: Sequence[str]
) -> Figure:
    """Curves of several runs: a panel for each fork epoch, a line for each run that has it.

    Args:
        curves: positions and values for each run, by fork epoch.
        runs: their names.
    """
    titled = {f"fork at epoch {fork}": fork for fork in sorted({fork for each in curves for fork in each})}
    figure, panels = elements.panels(titled, (2.8, 2.8), beside=0.2, shared_axes="y", xlabel=r"$\alpha$")
    for axis, fork in panels:
        for run, each, colour in zip(runs, curves, sns.color_palette("colorblind"), strict=False):
            axis.plot(*each.get(fork, ([], [])), color=colour, lw=1.6, label=run)
    elements.legend_below(figure, len(runs))
    return figure
