"""A forest plot shows each estimate, interval and verdict at its place, and shades what the rules allow."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from lmc_utils.figures import elements
from lmc_utils.figures.forest import forest
from lmc_utils.measure.claims import Rule

OUTCOMES = ["holds", "fails", "cannot tell", ""]


def drawn(estimates: list[float], *rules: Rule) -> Axes:
    values = np.array(estimates)
    found = xr.Dataset(
        {
            "estimate": ("recipe", values),
            "low": ("recipe", values - 1),
            "high": ("recipe", values + 2),
            "outcome": ("recipe", OUTCOMES),
        },
        {"recipe": ["MLP", "CNN", "ResNet-8", "other"]},
    )
    return forest({"a claim": found}, {"a claim": rules}, {"a claim": "barrier (points)"}).axes[0]


def test_each_case_has_its_estimate_and_interval_in_the_colour_of_its_verdict() -> None:
    axis = drawn([3.0, -4.0, 0.5, np.nan], Rule("above", 1.0))
    marks = [line for line in axis.lines if line.get_marker() not in ("None", "") and len(line.get_xdata()) == 1]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == [(3.0, 0), (-4.0, 1), (0.5, 2)]
    assert [to_hex(line.get_color()) for line in marks[:2]] == [to_hex(elements.BLUE), to_hex(elements.ORANGE)]
    intervals = [tuple(line.get_xdata()) for line in axis.lines if line.get_ydata() == pytest.approx([1, 1])]
    assert (-5.0, -2.0) in intervals
    assert axis.get_xlabel() == "barrier (points)"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["MLP", "CNN", "ResNet-8", "other"]


@pytest.mark.parametrize(
    ("rules", "inside", "outside"),
    [
        ((Rule("above", 1.0),), [1.5, 4.0], [0.5, -4.0]),
        ((Rule("above", -1.0), Rule("below", 1.0)), [0.0, 0.9], [1.5, -2.0]),
    ],
)
def test_what_the_rules_allow_is_shaded(rules: tuple[Rule, ...], inside: list[float], outside: list[float]) -> None:
    (shade,) = drawn([3.0, -4.0, 0.5, np.nan], *rules).patches
    low, high = shade.get_extents().transformed(shade.axes.transData.inverted()).intervalx
    assert all(low < each < high for each in inside)
    assert not any(low < each < high for each in outside)


def test_only_an_estimate_far_above_the_others_and_the_bound_makes_the_axis_logarithmic() -> None:
    assert drawn([3.0, 1.0, 300.0, np.nan], Rule("above", 0.0)).get_xscale() == "symlog"
    assert drawn([3.0, 1.0, 30.0, np.nan], Rule("above", 0.0)).get_xscale() == "linear"
    assert drawn([0.1, 0.1, 4.0, np.nan], Rule("below", 2.0)).get_xscale() == "linear"
