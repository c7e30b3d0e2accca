"""Forest plots: estimates with their intervals for many recipes, one below the other, against a common bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import SymmetricalLogLocator

from lmc_utils.figures import elements
from lmc_utils.figures.theme import FAINT, INK
from lmc_utils.measure.claims import Rule

_STYLES = {"holds": (elements.BLUE, "o"), "cannot tell": (INK, "D"), "fails": (elements.ORANGE, "X")}
_ROW = 0.24  # inches
_FAR = 20  # times a typical estimate
_ASIDE = 2.4  # inches for the names of the recipes


def forest(panels: Mapping[str, xr.Dataset], rules: Mapping[str, Sequence[Rule]], labels: Mapping[str, str]) -> Figure:
    """A panel for each claim, with a row for each recipe: its estimate, 95 % interval and verdict.

    The side of the bound on which intervals must lie is shaded. Where the largest estimate is far above the
    typical one, the axis is linear near zero only, and logarithmic beyond.

    Args:
        panels: by title, with the dimension recipe: `estimate`, `low`, `high` and `outcome` (holds, fails, cannot tell;
            empty where the claim is not about the recipe). All have the same recipes.
        rules: of each panel.
        labels: of the axis of each panel.
    """
    recipes = next(iter(panels.values())).recipe.values.tolist()
    size = (_ASIDE + 2.2 * len(panels), 1.3 + _ROW * len(recipes))
    figure, axes = elements.side_by_side(len(panels), size, shared_axes="y")
    for axis, (title, found) in zip(axes, panels.items(), strict=True):
        _draw(axis, found)
        _compress(axis, found.estimate.values, rules[title])
        _shade(axis, rules[title])
        axis.set_title(title, fontsize="small")
        axis.set_xlabel(labels[title], fontsize="small")
        axis.tick_params(labelsize="small")
    axes[0].set_yticks(range(len(recipes)), recipes, fontsize="small")
    axes[0].set_ylim(len(recipes) - 0.5, -0.5)
    for outcome, (colour, marker) in _STYLES.items():
        axes[0].plot([], [], color=colour, marker=marker, ls="", label=outcome)
    elements.legend_below(figure, 3)
    return figure


def _draw(axis: Axes, found: xr.Dataset) -> None:
    for place, outcome in enumerate(found.outcome.values):
        if outcome not in _STYLES:
            continue
        colour, marker = _STYLES[outcome]
        one = found.isel(recipe=place)
        axis.plot([one.low, one.high], [place, place], color=colour, lw=1.4)
        axis.plot(one.estimate, place, color=colour, marker=marker, ms=5)
    axis.grid(axis="y", color=FAINT, lw=0.4)


def _compress(axis: Axes, estimates: np.ndarray[Any, Any], rules: Sequence[Rule]) -> None:
    """Make the axis logarithmic far from zero if some estimates are far above the typical one and the bounds."""
    sizes = np.abs(estimates[np.isfinite(estimates)])
    typical = max(float(np.median(sizes)), *(abs(rule.bound) for rule in rules))
    if float(sizes.max()) > _FAR * typical > 0:
        linear = 10 ** np.floor(np.log10(typical))
        axis.set_xscale("symlog", linthresh=linear)
        ticks = SymmetricalLogLocator(base=10, linthresh=linear)
        ticks.set_params(numticks=4)
        axis.xaxis.set_major_locator(ticks)


def _shade(axis: Axes, rules: Sequence[Rule]) -> None:
    """Draw the bounds, and shade what all rules allow."""
    drawn = axis.get_xlim()
    low = max([rule.bound for rule in rules if rule.upwards], default=drawn[0])
    high = min([rule.bound for rule in rules if not rule.upwards], default=drawn[1])
    for rule in rules:
        axis.axvline(rule.bound, color=INK, ls=":", lw=1.2)
    ends = (min(drawn[0], low), max(drawn[1], high))
    axis.axvspan(max(low, ends[0]), min(high, ends[1]), color=elements.GREEN, alpha=0.08, lw=0)
    axis.set_xlim(*ends)
