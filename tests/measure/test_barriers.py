"""Barriers of curves whose barriers are known."""

import numpy as np
import pytest
import xarray as xr

from lmc_utils.measure import barriers

ALPHA = np.linspace(-0.5, 1.5, 41).round(12)


def curve(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, coords={"alpha": ALPHA}, attrs={"units": "nats"})


def test_a_straight_line_has_no_barrier_anywhere() -> None:
    np.testing.assert_allclose(barriers.loss_barrier(curve(3 - 2 * ALPHA)), 0, atol=1e-12)


def test_a_quadratic_has_the_closed_form() -> None:
    # phi(a) = c a^2 + slope: B(a) = -c a (1 - a), as the exact identity with constant phi'' says.
    for curvature in (4.0, -4.0):
        barrier = barriers.loss_barrier(curve(curvature * ALPHA**2 + 0.3 * ALPHA))
        np.testing.assert_allclose(barrier, -curvature * ALPHA * (1 - ALPHA), atol=1e-12)
    assert float(barriers.barrier_height(curve(-4 * ALPHA**2))) == pytest.approx(1)
    assert float(barriers.barrier_height(curve(4 * ALPHA**2))) == 0
    assert float(barriers.midpoint_barrier(curve(4 * ALPHA**2))) == pytest.approx(-1)


def test_only_what_lies_between_the_endpoints_counts() -> None:
    outside = curve(np.where((ALPHA < 0) | (ALPHA > 1), 100.0, 0.0))
    assert float(barriers.barrier_height(outside)) == 0
    assert float(barriers.error_barrier(outside)) == 0


def test_error_barrier_is_the_maximum_over_the_mean_of_the_ends() -> None:
    errors = curve(10 + 30 * ALPHA + 100 * ALPHA * (1 - ALPHA))
    between = np.linspace(0, 1, 21)
    expected = (10 + 30 * between + 100 * between * (1 - between)).max() - 25
    assert float(barriers.error_barrier(errors)) == pytest.approx(expected)
    assert barriers.error_barrier(errors).attrs["units"] == "percentage points"


def test_all_other_dimensions_are_kept() -> None:
    values = (
        curve(-(ALPHA**2)).expand_dims(parent=[0, 1], split=["train", "test"]).transpose("parent", "alpha", "split")
    )
    assert barriers.loss_barrier(values).dims == ("parent", "alpha", "split")
    assert barriers.error_barrier(values).dims == ("parent", "split")


def test_nan_stays_nan() -> None:
    nothing = curve(np.full(41, np.nan))
    one_missing = curve(np.where(np.isclose(ALPHA, 0.3), np.nan, 1.0))
    for barrier in (barriers.barrier_height, barriers.error_barrier, barriers.barrier_position):
        assert np.isnan(barrier(nothing))
        assert np.isnan(barrier(one_missing))
    assert np.isnan(barriers.midpoint_barrier(nothing))


def test_a_line_without_its_endpoints_is_rejected() -> None:
    cut = curve(ALPHA).sel(alpha=slice(0.1, 1.5))
    with pytest.raises(ValueError, match=r"alpha: expected a line through \[0.0, 1.0\], it lacks \[0.0\]"):
        barriers.loss_barrier(cut)
    with pytest.raises(ValueError, match=r"it lacks \[0.5\]"):
        barriers.midpoint_barrier(curve(ALPHA).sel(alpha=[0, 1]))


def test_the_position_is_where_the_barrier_is_highest() -> None:
    lopsided = curve(np.where(np.isclose(ALPHA, 0.3), 5.0, 0.0) + 7 * ALPHA)
    assert float(barriers.barrier_position(lopsided)) == pytest.approx(0.3)


def test_with_kept_statistics_a_barrier_is_the_mean_of_both_and_its_place_that_of_the_higher() -> None:
    alphas = [0.0, 0.25, 0.75, 1.0]
    curves = xr.DataArray([[1.0, 5.0, 2.0, 3.0], [1.0, 2.0, 7.5, 3.0]], coords={"kept": ["a", "b"], "alpha": alphas})
    measured = xr.Dataset({"loss": curves.mean("kept"), "loss_kept": curves})
    found = barriers.of_each_statistics(barriers.barrier_height, measured, "loss")
    assert float(found) == pytest.approx((3.5 + 5.0) / 2)
    assert float(barriers.of_each_statistics(barriers.barrier_height, measured[["loss"]], "loss")) < 3
    assert float(barriers.highest_position(measured, "loss")) == 0.75
    assert np.isnan(barriers.of_each_statistics(barriers.barrier_height, measured.where(curves != 5.0), "loss"))
