"""Ridges whose shape is known: how far up they reach, how sharp they are, when they arise."""

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
    walker = xr.DataArray([1.0, 3.0], coords={"walker": ["a", "b"]})
    away = xr.where(epoch > 4, 0.5, xr.where(epoch == 3, 0.2, 0.0)) * ONES * walker
    found = chapter.off_plane_numbers(away, xr.full_like(away, 0.25))
    assert found["off_plane_fraction"].values == pytest.approx([2 * (0.2 + 0.5 + 0.5) / 6, 2 * 0.5])
    assert found["off_plane_highest"].values == pytest.approx([1.5, 1.5])
    assert float(found["off_plane_chance"]) == 0.25
