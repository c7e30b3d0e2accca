"""What predicts a barrier is read some epochs after the fork, and a barrier where siblings are first so far apart."""

from __future__ import annotations

import numpy as np
import xarray as xr

from lmc_utils.chapters import distance_and_angle as chapter
from lmc_utils.measure.statistics import Bootstrap

COORDS = {"fork_epoch": [0, 2], "parent": [0, 1, 2], "pair": ["0-1"], "epoch": [0, 1, 2, 3, 4]}
NOISE = xr.DataArray(np.random.default_rng(0).normal(size=(2, 3, 1, 5)), coords=COORDS)


def test_a_predictor_equal_to_the_final_barrier_at_one_lag_correlates_only_there() -> None:
    final = NOISE.sel(epoch=0, drop=True)
    known = xr.where(NOISE.epoch == NOISE.fork_epoch + 2, final, NOISE)
    found = chapter.correlations_by_lag({"known": known}, final, Bootstrap(resamples=100), lags=[1, 2])
    assert found["known"][1].estimate == 1
    assert found["known"][0].estimate < 1


def test_the_barrier_at_a_distance_is_at_the_first_crossing() -> None:
    coords = {"fork_epoch": [0, 2], "epoch": [0, 1, 2, 3, 4]}
    nan = np.nan
    distance = xr.DataArray([[0, 4, 2, 5, 6], [nan, nan, 0, nan, nan]], coords=coords)
    barrier = xr.DataArray([[0, 8, 1, 2, 3], [0, 0, 0, 1, 2]], coords=coords)
    found = chapter.barrier_at_distance(barrier, distance, 3.0)
    assert found.sel(fork_epoch=0).item() == 6, "three quarters of the first step, though it comes by again"
    assert np.isnan(found.sel(fork_epoch=2)), "one epoch is no way"
    assert chapter.barrier_at_distance(barrier, distance.sel(fork_epoch=[0]), 3.0).fork_epoch.values.tolist() == [0]


def test_layers_are_counted_from_one() -> None:
    found = chapter.furthest_and_nearest(xr.DataArray([0.2, 0.9, 0.1], dims="layer"))
    assert found == {
        "furthest_layer": 2,
        "nearest_layer": 3,
        "furthest_layer_distance": 0.9,
        "nearest_layer_distance": 0.1,
        "layers": 3,
    }


def test_barriers_are_compared_at_half_the_common_distance() -> None:
    coords = {"fork_epoch": [0, 1, 4], "epoch": [0, 1, 2, 3, 4]}
    nan = np.nan
    distance = xr.DataArray([[0, 2, 4, 6, 8], [nan, 0, 1, 2, 4], [nan, nan, nan, nan, 0]], coords=coords)
    found = chapter.barrier_numbers(10 * distance, distance, xr.DataArray([3, 4, 4], coords={"fork_epoch": [0, 1, 4]}))
    assert found["common_distance"] == 2
    assert found["barrier_at_common_distance"].values.tolist() == [20, 20]
    assert found["barrier_when_settled"].values.tolist() == [60, 40, 0]
    assert found["error_barrier"].values.tolist() == [80, 40, 0]
