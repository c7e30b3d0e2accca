"""Figures of layers show the means that they were given."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.figures import layer_groups
from lmc_utils.measure.layer_groups import GROUPS

PAIRS = {"parent": [0, 1, 2], "pair": ["0-1"]}


def random(**coords: Any) -> xr.DataArray:
    shape = [len(values) for values in coords.values()]
    return xr.DataArray(np.random.default_rng(0).normal(size=shape), coords)


def test_every_cell_is_a_mean_in_thousandths_and_none_is_minus_zero() -> None:
    rise = random(lag=["1", "end"], fork_epoch=[0, 2], **PAIRS, layer=[1, 2])
    rise[0, 0] = -0.0001
    rise[0, 1] = np.nan
    figure = layer_groups.rise_by_lag(rise)
    for axis, fork in zip(figure.axes, [0, 2], strict=False):
        means = 1000 * rise.sel(fork_epoch=fork).mean(["parent", "pair"]).transpose("layer", "lag")
        expected = [f"{value.round() + 0:.0f}" for value in means.values.flat if not np.isnan(value)]
        assert [text.get_text() for text in axis.texts] == expected
        assert "-0" not in expected


def test_each_group_is_a_line_of_means_for_each_split() -> None:
    rises = random(split=["train", "test"], **PAIRS, group=[*GROUPS], layer=[1, 2])
    figure = layer_groups.rise_by_group({"siblings": rises, "random steps": -rises})
    for axis, sign in zip(figure.axes, (1, -1), strict=True):
        lines: list[Any] = [bars[0] for bars in axis.containers]
        shown = [tuple(np.array(line.get_ydata(), dtype=np.float64).round(9)) for line in lines]
        means = sign * rises.mean(["parent", "pair"])
        assert shown == [
            tuple(means.sel(group=group, split=split).values.round(9))
            for group in GROUPS
            for split in rises.split.values
        ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "one layer",
        "from the input to it",
        "from it to the output",
    ]
