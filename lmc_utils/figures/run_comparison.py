"""Numbers of several runs in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import seaborn as sns
from matplotlib.figure import Figure

from lmc_utils.figures import elements
from lmc_utils.figures.theme import FAINT


def numbers_by_fork(
    series: Mapping[str, Mapping[int, Sequence[float | None]]], runs: Sequence[str], columns: int = 2
) -> Figure:
    """Numbers against the fork epoch: a panel for each quantity, a line for each run through the forks that it has.

    Args:
        series: by quantity and fork, a number for each run, None where it has none.
        runs: their names.
        columns: panels side by side.
    """
    rows = -(-len(series) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axis, (name, forks) in zip(axes, series.items(), strict=False):
        for run, colour in zip(range(len(runs)), sns.color_palette("colorblind"), strict=False):
            there = [(fork, each[run]) for fork, each in sorted(forks.items()) if each[run] is not None]
            axis.plot(*zip(*there, strict=True) if there else ([], []), "o-", color=colour, ms=4, label=runs[run])
        axis.axhline(0, color=FAINT, lw=0.8, zorder=0)
        axis.set(title=name.replace("_", " "), xlabel="fork epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
    for axis in axes[len(series) :]:
        axis.set_axis_off()
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(runs))
    return figure


def curves_by_fork(
    curves: Sequence[Mapping[int, tuple[Sequence[float], Sequence[float]]]], runs: Sequence[str]
) -> Figure:
    """Curves of several runs: a panel for each fork epoch that any of them has, a line for each run that has it.

    Args:
        curves: of each run, by fork epoch, where the curve is known and its values there.
        runs: their names.
    """
    titled = {f"fork at epoch {fork}": fork for fork in sorted({fork for each in curves for fork in each})}
    figure, panels = elements.panels(titled, 2.8, 0.2, 2.8, share="y", xlabel=r"$\alpha$")
    for axis, fork in panels:
        for run, each, colour in zip(runs, curves, sns.color_palette("colorblind"), strict=False):
            axis.plot(*each.get(fork, ([], [])), color=colour, lw=1.6, label=run)
    elements.legend_below(figure, figure.axes[0], len(runs))
    return figure
