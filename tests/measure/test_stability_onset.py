"""The onset of stability: closed form, brute force, and undefined cases."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.measure import stability_onset


def heights(values: list[float], forks: list[int] | None = None) -> xr.DataArray:
    return xr.DataArray(values, coords={"fork_epoch": forks or list(range(len(values)))})


@pytest.mark.parametrize(
    ("values", "begins"),
    [
        ([10.0, 6.0, 2.5, 1.5, 0.0], 2.5),  # straight from 2.5 to 1.5
        ([1.0, 0.5, 0.0], 0.0),  # stable from the start
        ([1.0, 2.0, 1.0], 1.0),  # the bound itself is not below it
        ([1.0, 9.0, 1.0, 4.0, 0.0], 3.5),  # the last fork above the bound counts
        ([5.0, 5.0, 5.0], np.nan),  # not within these forks
        ([5.0, np.nan, 0.0], np.nan),
    ],
)
def test_the_onset_equals_its_closed_form(values: list[float], begins: float) -> None:
    assert float(stability_onset.stable_from(heights(values))) == pytest.approx(begins, nan_ok=True)


def test_the_onset_is_where_a_fine_grid_stays_below_the_threshold() -> None:
    draws = np.random.default_rng(0)
    forks = [0, 1, 2, 4, 8, 16]
    fine = np.linspace(0, 16, 16_001)
    for _ in range(50):
        drawn = np.append(draws.uniform(0, 5, 5), 0.0)
        high = fine[np.interp(fine, forks, drawn) >= 2.0]
        expected = high[-1] if len(high) else 0.0
        assert float(stability_onset.stable_from(heights(list(drawn), forks))) == pytest.approx(expected, abs=2e-3)


def test_the_onset_is_found_for_each_label() -> None:
    barrier = xr.concat([heights([4.0, 0.0, 0.0]), heights([4.0, 4.0, 0.0])], xr.Variable("parent", [0, 1]))
    begins = stability_onset.stable_from(barrier)
    assert begins.values.tolist() == [0.5, 1.5]
    error = xr.DataArray([[90.0, 50.0, 10.0], [80.0, 40.0, 20.0]], coords=barrier.coords, dims=["parent", "fork_epoch"])
    assert stability_onset.at_fork(error, begins).values.tolist() == [70.0, 30.0]


def test_an_undefined_onset_is_nan() -> None:
    assert np.isnan(stability_onset.at_fork(heights([1.0, 2.0]), xr.DataArray(np.nan)))
