"""A panel for each number, a line for each value of the second parameter, the mean over all others."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.figures import sweep_numbers
from lmc_utils.settings import ParameterError

TABLE = xr.Dataset(
    {"barrier": (("rate", "norm", "seed"), np.arange(12.0).reshape(3, 2, 2)), "error": (("rate",), [1.0, 2.0, 3.0])},
    {"rate": [0.1, 0.2, 0.4], "norm": ["none", "batch"], "seed": [0, 1]},
)


def test_a_line_is_the_mean_over_what_is_not_drawn() -> None:
    (axis,) = sweep_numbers.numbers_by_parameter(TABLE[["barrier"]], ["barrier"]).axes
    lines = {line.get_label(): line for line in axis.lines}
    assert list(lines) == ["norm none", "norm batch"]
    for norm in ("none", "batch"):
        wanted = TABLE.barrier.sel(norm=norm).mean("seed")
        assert lines[f"norm {norm}"].get_ydata().tolist() == wanted.values.tolist()
        assert lines[f"norm {norm}"].get_xdata().tolist() == [0.1, 0.2, 0.4]


def test_words_and_listed_points_stand_side_by_side() -> None:
    words = xr.Dataset({"barrier": ("norm", [1.0, 2.0])}, {"norm": ["none", "batch"]})
    (axis,) = sweep_numbers.numbers_by_parameter(words, ["barrier"]).axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["none", "batch"]
    listed = xr.Dataset({"barrier": ("point", [1.0, 2.0, 4.0])}, {"rate": ("point", [0.1, 0.2, 0.3])})
    (axis,) = sweep_numbers.numbers_by_parameter(listed, ["barrier"]).axes
    assert axis.lines[0].get_xdata().tolist() == [0, 1, 2]


def test_an_unknown_number_is_rejected() -> None:
    with pytest.raises(ParameterError, match=r"^unknown number 'barier'; did you mean 'barrier'"):
        sweep_numbers.numbers_by_parameter(TABLE, ["barier"])
