"""A power law is found where there is one, and `holds` is false where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.measure.power_law import WITHIN, power_law

X = np.array([0.5, 1.0, 2.0, 4.0, 8.0])


def rows(*rows_of_parents: np.ndarray) -> xr.DataArray:
    return xr.DataArray(np.stack(rows_of_parents), dims=["parent", "rate"], coords={"rate": X})


@pytest.mark.parametrize("exponent", [-1.5, 0.5, 2.0])
def test_an_exact_power_law_is_recovered(exponent: float) -> None:
    law = power_law(rows(3 * X**exponent, 3 * X**exponent))
    assert (law.exponent, law.low, law.high) == pytest.approx((exponent, exponent, exponent))
    assert law.factor == pytest.approx(3)
    assert law.worst == pytest.approx(1)
    assert law.holds


def test_the_interval_has_nearly_its_nominal_coverage() -> None:
    draws, covered = np.random.default_rng(0), 0
    for _ in range(100):
        noisy = X * np.exp(draws.normal(0, 0.3, (8, 1)) * np.log(X) + draws.normal(0, 0.1, (8, 5)))
        law = power_law(rows(*noisy), resamples=200)
        covered += law.low <= 1.0 <= law.high
    assert 82 <= covered <= 99, "a bootstrap of eight is a little too narrow"


def test_values_that_deviate_have_no_power_law() -> None:
    law = power_law(rows(np.exp(X), np.exp(X)))
    assert law.worst > WITHIN
    assert not law.holds


def test_constant_values_have_no_power_law() -> None:
    law = power_law(rows(X**0.4, X**-0.4, X**0.3, X**-0.3))
    assert law.low < 0 < law.high
    assert not law.holds
    flat = power_law(rows(X**0.05, X**0.06))
    assert flat.low > 0
    assert not flat.holds, "a constant does as well"


def test_zeros_have_no_power_law_and_missing_values_are_ignored() -> None:
    assert not power_law(rows(X * [0, 1, 1, 1, 1])).holds
    holed = rows(X, X, X)
    holed[0, 4] = np.nan
    holed[:, 0] = np.nan
    assert power_law(holed).exponent == pytest.approx(1)
    moved = rows(X, 2 * X).assign_coords(rate=X - 1)
    assert power_law(moved) == power_law(moved.isel(rate=slice(2, None))), "what is not positive is left out"
    holed[:, 1:3] = np.nan
    assert np.isnan(power_law(holed).exponent)
