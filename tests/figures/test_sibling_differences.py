"""Figures of what parts siblings show the numbers they were given."""

from __future__ import annotations

import numpy as np
import xarray as xr

from lmc_utils.figures import sibling_differences

STEPS = xr.DataArray(
    [[[0.0, 1.0, 2.0], [1.0, 4.0, 5.0]]],
    {"difference": ["noise"], "parent": [0, 1], "step": [0, 1, 2]},
    ["difference", "parent", "step"],
)


def test_a_line_is_a_parent_and_a_dot_its_event() -> None:
    events = xr.DataArray([[np.nan, 1.0]], STEPS.isel(step=0, drop=True).coords, ["difference", "parent"])
    figure = sibling_differences.distance_by_step({"relu": STEPS, "gelu": STEPS + 1}, {"relu": events}, event="switch")
    left, right = figure.axes
    first, second, dot = (line.get_ydata() for line in left.lines)
    np.testing.assert_array_equal(first, [np.nan, 1, 2], "a distance of zero is not on a logarithmic axis")
    np.testing.assert_array_equal(second, [1, 4, 5])
    assert (left.lines[2].get_xdata().tolist(), dot.tolist()) == ([1], [4])
    assert len(right.lines) == 2
    assert [axis.get_yscale() for axis in figure.axes] == ["log", "log"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["noise", "switch"]


def test_barriers_by_difference_are_means_over_parents() -> None:
    values = xr.DataArray(
        np.arange(12.0).reshape(2, 2, 3, 1),
        {"difference": ["noise 1e-6", "one weight"], "fork_epoch": [0, 15], "parent": [0, 1, 2]},
        ["difference", "fork_epoch", "parent", "pair"],
    )
    axis = sibling_differences.barrier_by_difference(values, "points", threshold=2.0).axes[0]
    drawn = [container.lines[0].get_ydata().tolist() for container in axis.containers]
    assert drawn == [[1.0, 7.0], [4.0, 10.0]]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["noise\n1e-6", "one\nweight"]


def test_averages_have_a_panel_for_each_fork() -> None:
    coords = {"networks": [2, 8], "fork_epoch": [0, 15], "parent": [0, 1]}
    error = xr.DataArray(np.arange(8.0).reshape(2, 2, 2), coords, list(coords))
    names = ("average", "ensemble", "best", "single")
    table = xr.Dataset({f"{name}_error": error + number for number, name in enumerate(names)})
    figure = sibling_differences.averages_by_count(table)
    assert [axis.get_title() for axis in figure.axes] == ["fork at epoch 0", "fork at epoch 15"]
    drawn = [container.lines[0].get_ydata().tolist() for container in figure.axes[1].containers]
    assert drawn == [[2.5 + number, 6.5 + number] for number in range(4)]
