"""Extent, sharpness and onset of ridges with known shape."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import mountainside_and_ridges as chapter

HEIGHTS = [0.0, 0.25, 0.5, 0.75, 1.0]
PAIRS = {"fork_epoch": [0, 4], "parent": [0, 1, 2], "pair": ["0-1"]}
SCATTER = xr.DataArray([0.9, 1.0, 1.1], coords={"parent": [0, 1, 2]})
HEIGHT = xr.DataArray(HEIGHTS, coords={"height": HEIGHTS})
ONES = xr.DataArray(np.ones((2, 3, 1)), coords=PAIRS)


def test_a_ridge_of_constant_curvature_has_constant_sharpness() -> None:
    ridge = ONES * SCATTER * 3 * (1 - HEIGHT) ** 2
    found = chapter.ridge_shape(ridge)
    for name in ("ridge_height", "sharpness", "sharpest", "high_sharpness"):
        assert found[name].values == pytest.approx([3, 3]), name
    assert found.high.item() == 0.75
    assert found.ridge_top.values.tolist() == [0.75, 0.75], "at the third point there is none"


def test_a_ridge_extends_to_its_first_gap() -> None:
    ridge = ONES * SCATTER * xr.DataArray([1.0, 1.0, -1.0, 4.0, 0.0], coords={"height": HEIGHTS})
    found = chapter.ridge_shape(ridge)
    assert found.ridge_top.values.tolist() == [0.25, 0.25]
    assert found.sharpest_at.values.tolist() == [0.75, 0.75]
    assert chapter.ridge_shape(-ridge).ridge_top.values.tolist() == [-1, -1]


def test_flanks_that_rise_anywhere_are_not_falling() -> None:
    tracks = xr.DataArray(["first", "middle", "second"], coords={"track": ["first", "middle", "second"]})
    loss = ONES * xr.where(tracks == "second", 1 - HEIGHT, HEIGHT)
    assert chapter.falling_flanks(loss, epochs=8) == {"flanks": 12, "falling_flanks": 6}
    assert chapter.falling_flanks(loss, epochs=4) == {"flanks": 6, "falling_flanks": 3}


def test_a_ridge_arises_where_it_begins_to_stand_out() -> None:
    epoch = xr.DataArray(range(7), coords={"epoch": range(7)})
    on_the_line = xr.where(epoch >= 3, 1.0 * epoch, -0.5)
    ridge = ONES * SCATTER * xr.where(HEIGHT == 0, on_the_line, xr.where(HEIGHT == 0.5, 2.0 * epoch, -1.0))
    found = chapter.ridge_growth(ridge)
    assert found.ridge_since.values.tolist() == [3, 3]
    assert found.ridge_since_slope.values.tolist() == [1, 1]
    assert found.trough.values == pytest.approx([1, 1])
    assert found.ridge_first_epoch.values == pytest.approx([-0.5, 5])
    assert found.slope_first_epoch.values == pytest.approx([2, 10])


def test_only_epochs_after_the_fork_count_off_the_plane() -> None:
    epoch = xr.DataArray(range(7), coords={"epoch": range(7)})
    trajectory = xr.DataArray([1.0, 3.0], coords={"trajectory": ["a", "b"]})
    away = xr.where(epoch > 4, 0.5, xr.where(epoch == 3, 0.2, 0.0)) * ONES * trajectory
    found = chapter.off_plane_numbers(away, xr.full_like(away, 0.25))
    assert found["off_plane_fraction"].values == pytest.approx([2 * (0.2 + 0.5 + 0.5) / 6, 2 * 0.5])
    assert found["off_plane_highest"].values == pytest.approx([1.5, 1.5])
    assert float(found["off_plane_chance"]) == 0.25


def outcomes(loss: xr.DataArray, ridge: xr.DataArray, growing: xr.DataArray, points: xr.DataArray) -> list[str]:
    table = chapter.claims(loss, xr.Dataset({"loss": ridge, "error": points}), growing, epochs=6)
    return [claim.outcome for claim in table.claims]


def test_the_claims_follow_the_mountain() -> None:
    epoch = xr.DataArray(range(7), coords={"epoch": range(7)})
    fork = ONES.fork_epoch
    flat = ONES * SCATTER * HEIGHT * 0
    tracks = xr.DataArray([0.0, 1.0, 0.0], coords={"track": ["first", "middle", "second"]})
    falling = ONES * HEIGHT + tracks
    high = ONES * SCATTER * (1 - HEIGHT) * (fork == 0)
    grown = high * xr.where(epoch > fork, 1.0, np.nan)
    assert outcomes(falling, high, grown, 9 * high) == ["holds"] * 5
    assert outcomes(falling, flat, grown * 0, flat) == ["holds", "fails", "holds", "fails", "fails"]
    bump = falling - 2 * HEIGHT * (HEIGHT == 0.5) * (tracks.track == "second") * (falling.parent == 1)
    assert outcomes(bump, high, grown, 9 * high)[0] == "fails"
    at_bound = ONES * (2.0 * (fork == 4)) * (HEIGHT == 0.25)
    assert outcomes(falling, high, grown, at_bound)[2] == "fails", "two points at one height are not stable"
    gap = high * (HEIGHT != 0.5)
    assert outcomes(falling, gap, grown, 9 * high)[1:4] == ["holds", "holds", "fails"]
    late = grown * (epoch != 1)
    assert outcomes(falling, high, late, 9 * high)[4] == "fails"
    on_the_slope = xr.where((grown.height == 0.5) | (epoch > 1), grown, -1.0).where(epoch > fork)
    assert outcomes(falling, high, on_the_slope, 9 * high)[4] == "holds", "one height is enough"
    patched = xr.where((grown.height == 0.5) == (epoch > 1), grown, -1.0).where(epoch > fork)
    assert outcomes(falling, high, patched, 9 * high)[4] == "fails", "but it is one and the same at all epochs"


def test_one_parent_decides_nothing_but_its_own_flanks() -> None:
    ridge = (ONES * SCATTER * (1 - HEIGHT)).isel(parent=[0])
    tracks = xr.DataArray([0.0, 1.0, 0.0], coords={"track": ["first", "middle", "second"]})
    growing = ridge.expand_dims(epoch=range(7))
    assert outcomes((ridge * 0 + HEIGHT) + tracks, ridge, growing, ridge) == ["holds", *["cannot tell"] * 4]
