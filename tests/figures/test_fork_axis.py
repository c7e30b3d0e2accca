"""The axis of fork epochs is to scale, and no dot hides another one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import fork_axis

FORKS = [0, 1, 2, 15]


def test_equal_values_of_all_pairs_and_series_are_drawn_apart_in_the_order_of_forks() -> None:
    dims = {"fork_epoch": FORKS, "parent": list(range(10)), "pair": ["0-1"]}
    same = xr.DataArray(np.ones([len(values) for values in dims.values()]), coords=dims)
    axis = Figure().subplots()
    fork_axis.draw_series(axis, {"one": same, "other": same})
    dots = [np.asarray(line.get_xdata()) for line in axis.lines if line.get_marker() == "o"]
    assert len(np.unique(np.concatenate(dots))) == 2 * same.size
    at_fork = [np.concatenate([one, other]) for one, other in zip(dots[:4], dots[4:], strict=True)]
    for earlier, later in pairwise(at_fork):
        assert earlier.max() < later.min()
    for fork, places in zip(FORKS, at_fork, strict=True):
        np.testing.assert_allclose(np.log1p(places).mean(), np.log1p(fork), atol=1e-12)


def test_ticks_are_the_measured_forks_at_their_logarithmic_places() -> None:
    axis = Figure().subplots()
    fork_axis.scale_forks(axis, FORKS)
    axis.set_xlim(0, 15)
    ticks = axis.transAxes.inverted().transform(axis.transData.transform([(fork, 0) for fork in FORKS]))[:, 0]
    np.testing.assert_allclose(ticks, np.log1p(FORKS) / np.log(16))
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "1", "2", "15"]
