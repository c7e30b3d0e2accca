"""Predictors are taken some epochs after the fork, and barriers where siblings first have a given distance."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import distance_and_angle as chapter
from lmc_utils.measure.statistics import correlation

COORDS = {"fork_epoch": [0, 2], "parent": [0, 1, 2], "pair": ["0-1"], "epoch": [0, 1, 2, 3, 4]}
NOISE = xr.DataArray(np.random.default_rng(0).normal(size=(2, 3, 1, 5)), coords=COORDS)


def test_distances_are_means_over_pairs_of_their_ends_and_settle_when_they_stay_near() -> None:
    """Parents whose siblings move for two epochs at speeds 1 and 3, and a null that grows with the square of time."""
    coords = {"fork_epoch": [0, 2], "epoch": range(5)}
    lag = xr.DataArray([[0.0, 1, 2, 3, 4], [np.nan, np.nan, 0, 1, 2]], coords=coords)
    speed = xr.DataArray([[1.0], [3.0]], coords={"parent": [0, 1], "pair": ["0-1"]})
    distance, per_sibling = speed * lag.clip(max=2), xr.DataArray([1.0, 7.0], dims="sibling")
    whole = xr.Dataset(
        {
            "distance": distance,
            "parent_distance": 10 * distance,
            "path_length": 20 * distance,
            "path_ratio": xr.full_like(distance, 20.0),
            "fork_distance": 30 * distance,
            "norm": per_sibling * xr.ones_like(speed.isel(pair=0, drop=True) * lag),
        }
    )
    null = xr.Dataset({"distance": lag**2 * xr.ones_like(speed), "path_ratio": 5 * xr.ones_like(speed * lag)})
    found = chapter.distance_numbers(whole, null)
    expected = {
        "distance": [4, 4],
        "parent_distance": [40, 40],
        "path_length": [80, 80],
        "path_ratio": [20, 20],
        "fork_distance": [120, 120],
        "distance_sd": [2, 2],  # of 2 and 6
        "relative_distance": [0.8, 0.8],  # of 2 and 6 over 5, the quadratic mean of 1 and 7
        "chance_distance": [16, 4],
        "chance_path_ratio": [5, 5],
        "settled": [2, 4],
        "late_first_of_chance": 2,  # of 1 and 3 over 1
        "late_last_of_chance": 1,  # of 2 and 6 over 4
    }
    assert set(found.data_vars) == set(expected)
    for name, values in expected.items():
        assert found[name].values.tolist() == pytest.approx(values), name


def test_angles_of_two_walks_in_space() -> None:
    """From (3, 0, 0), one axis each at first; at the end (2, 1, 0) and (2, 1, 1)."""
    start = np.array([3.0, 0, 0])
    places_by_epoch = np.array([[start, start], [[3, 1, 0], [3, 0, 1]], [[2, 1, 0], [2, 1, 1]]])
    one_family = {"fork_epoch": [0], "parent": [0]}
    siblings = {**one_family, "epoch": range(3), "sibling": [0, 1]}
    pairs = {"apex": ["fork_point", "origin"], **one_family, "epoch": range(3), "pair": ["0-1"]}
    both = np.stack([places_by_epoch - start, places_by_epoch])
    with np.errstate(invalid="ignore"):
        lengths = np.linalg.norm(both, axis=-1)
        cosines = np.einsum("aen,aen->ae", both[:, :, 0], both[:, :, 1]) / lengths.prod(-1)
    cosine = xr.DataArray(cosines[:, None, None, :, None], coords=pairs)
    whole = xr.Dataset(
        {
            "norm": xr.DataArray(lengths[1][None, None], coords=siblings),
            "fork_distance": xr.DataArray(lengths[0][None, None], coords=siblings),
            "cosine": cosine,
            "angle": np.degrees(np.arccos(cosine)),
        }
    )
    found = chapter.angle_numbers(whole, xr.Dataset({"angle": xr.full_like(cosine, 90.0)}))
    walks, places = 2 / np.sqrt(6), 5 / np.sqrt(30)  # (-1, 1, 0) with (-1, 1, 1); (2, 1, 0) with (2, 1, 1)
    expected = {
        "angle": np.degrees(np.arccos([walks, places])),
        "cosine": [walks, places],
        "chance_angle_origin": 90,
        "kept": 2 / 3,
        "cosine_without_start": 1 / np.sqrt(2),  # (1, 0) with (1, 1)
        "walk_share": 1 / 2,  # of the product 2
        "place_share": 4 / 5,
        "first_angle": 90,
        "narrowest_angle": np.degrees(np.arccos(walks)),
    }
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].values.squeeze().tolist() == pytest.approx(values), name


def test_a_predictor_equal_to_the_final_barrier_at_one_lag_correlates_only_there() -> None:
    final = NOISE.sel(epoch=0, drop=True)
    known = xr.where(NOISE.epoch == NOISE.fork_epoch + 2, final, NOISE)
    found = chapter.correlations_by_lag({"known": known}, final, lags=[1, 2])
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


def test_claims_follow_from_walks_that_open_and_close() -> None:
    """Twelve parents whose siblings of fork 0 go twice as far; angles open there and close after the last fork."""
    coords = {"fork_epoch": [0, 2], "parent": range(12), "pair": ["0-1"], "epoch": [0, 1, 2, 3, 4]}
    noise = xr.DataArray(np.random.default_rng(5).normal(size=(2, 12, 1, 5)), coords)
    lag = noise.epoch - noise.fork_epoch
    walked = lag.where(lag >= 0)
    turn = xr.DataArray([5.0, -5.0], {"fork_epoch": [0, 2]})
    angle = (50 + turn * walked + 0.1 * noise).expand_dims(apex=["fork_point"])
    whole = xr.Dataset({"distance": (walked + 0.01 * noise) * xr.where(noise.fork_epoch == 0, 2, 1), "angle": angle})
    barrier = walked * 5 + noise
    found = chapter.ranks(whole, end := barrier.isel(epoch=-1, drop=True))
    outcomes = [each.outcome for each in chapter.claims(whole, barrier, found, xr.full_like(turn, 3)).claims]
    assert outcomes[:3] == ["holds"] * 3
    assert outcomes[-1] == "holds"
    closing = chapter.claims(whole.assign(angle=100 - angle), barrier, found, xr.full_like(turn, 3)).claims[2]
    assert closing.outcome == "fails"
    assert found["final distance"]["fork 0"] == correlation(
        whole.distance.isel(fork_epoch=0, epoch=-1, drop=True), end.isel(fork_epoch=0, drop=True)
    )
