"""Bar chart of the results of a class."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lmc_utils.figures.elements import BLUE, ORANGE
from lmc_utils.figures.theme import FAINT


def bar_chart(counts: Mapping[str, tuple[int, int, int]]) -> Figure:
    """One bar for each exercise: the numbers of correct, wrong and missing answers.

    Args:
        counts: these three, by exercise.
    """
    figure = Figure(figsize=(7.2, 0.32 * len(counts) + 1.1), layout="constrained")
    axis = figure.subplots()
    names, before = list(counts), [0] * len(counts)
    for place, (label, colour) in enumerate({"solved": BLUE, "a mistake": ORANGE, "not answered": FAINT}.items()):
        lengths = [each[place] for each in counts.values()]
        axis.barh(names, lengths, left=before, color=colour, height=0.7, label=label)
        before = [start + length for start, length in zip(before, lengths, strict=True)]
    axis.invert_yaxis()
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("submissions")
    figure.legend(loc="outside lower center", ncols=3)
    return figure
