"""Approximations are exact where theory predicts it, and do not confuse the ends."""

import numpy as np
import pytest
import xarray as xr
from numpy.polynomial import Polynomial
from scipy.interpolate import BPoly

from lmc_utils.measure import approximations, barriers

ALPHA = np.linspace(-0.5, 1.5, 41).round(12)


def ends(polynomial: Polynomial, order: int) -> xr.DataArray:
    """A derivative of a polynomial at both endpoints."""
    return xr.DataArray(polynomial.deriv(order)(np.array([0.0, 1.0])), coords={"alpha": [0.0, 1.0]})


def barrier_of(polynomial: Polynomial) -> np.ndarray:
    return polynomial(INSIDE) - (1 - INSIDE) * polynomial(0.0) - INSIDE * polynomial(1.0)


INSIDE = np.linspace(0, 1, 21)
QUADRATIC, QUINTIC = Polynomial([0.4, -2.0, 3.0]), Polynomial([0.4, -2.0, 3.0, 1.5, -4.0, 2.5])


def test_a_quadratic_loss_makes_the_form_with_gradients_exact() -> None:
    found = approximations.second_order(ends(QUADRATIC, 2), INSIDE, slope=ends(QUADRATIC, 1))
    np.testing.assert_allclose(found, barrier_of(QUADRATIC), atol=1e-14)


def test_without_gradients_the_barrier_of_a_quadratic_has_the_wrong_sign() -> None:
    # phi'' = q everywhere: B = -q a (1 - a) / 2, while the poster's formula says +q a (1 - a) / 2.
    found = approximations.second_order(ends(QUADRATIC, 2), INSIDE)
    np.testing.assert_allclose(found, -barrier_of(QUADRATIC), atol=1e-14)


def test_the_printed_weights_pair_alpha_with_the_first_endpoint() -> None:
    curvature = xr.DataArray([8.0, 0.0], coords={"alpha": [0.0, 1.0]})
    np.testing.assert_allclose(approximations.second_order(curvature, INSIDE), 4 * INSIDE**2 * (1 - INSIDE))


def test_a_quintic_is_interpolated_exactly_and_anything_as_scipy_does() -> None:
    at_ends = [ends(QUINTIC, order) for order in range(3)]
    np.testing.assert_allclose(approximations.quintic_hermite(*at_ends, INSIDE), barrier_of(QUINTIC), atol=1e-13)
    values = np.random.default_rng(0).normal(size=(2, 3))
    theirs = BPoly.from_derivatives([0, 1], values)
    ours = approximations.quintic_hermite(
        *(xr.DataArray(one, coords={"alpha": [0.0, 1.0]}) for one in values.T), INSIDE
    )
    chord = (1 - INSIDE) * values[0, 0] + INSIDE * values[1, 0]
    np.testing.assert_allclose(ours, theirs(INSIDE) - chord, atol=1e-13)


def test_the_quintic_weighs_endpoint_curvature_a_quarter_of_the_posters_formula() -> None:
    nothing = xr.DataArray([0.0, 0.0], coords={"alpha": [0.0, 1.0]})
    curvature = xr.DataArray([3.0, 5.0], coords={"alpha": [0.0, 1.0]})
    assert approximations.quintic_hermite(nothing, nothing, curvature, [0.5]).item() == pytest.approx(8 / 64)
    assert approximations.second_order(curvature, [0.5]).item() == pytest.approx(8 / 16)


def test_arrays_of_different_pairs_are_rejected() -> None:
    values = ends(QUINTIC, 2)
    here, there = values.expand_dims(parent=[0, 1]), values.expand_dims(parent=[1, 2])
    for approximation in (
        lambda: approximations.second_order(here, INSIDE, slope=there),
        lambda: approximations.second_order_rise(here, slope=there),
        lambda: approximations.quintic_hermite(here, here, there, INSIDE),
    ):
        with pytest.raises(ValueError, match="parent"):
            approximation()


def test_approximations_have_the_attributes_of_barriers() -> None:
    curvature = ends(QUINTIC, 2).assign_attrs(units="nats", long_name="second derivative in alpha")
    assert approximations.second_order(curvature, INSIDE).attrs == {"units": "nats", "long_name": "loss barrier"}


def test_the_identity_is_exact_for_polynomials_and_converges_for_anything_smooth() -> None:
    nodes = approximations.gauss_legendre(4)
    bent = xr.DataArray(QUINTIC.deriv(2)(nodes), coords={"alpha": nodes})
    np.testing.assert_allclose(approximations.from_curvature(bent, INSIDE), barrier_of(QUINTIC), atol=1e-13)
    errors = []
    for count in (8, 16, 32):
        nodes = approximations.gauss_legendre(count)
        u = 10 * (nodes - 0.4)
        wave = xr.DataArray(100 * (4 * u**2 - 2) * np.exp(-(u**2)), coords={"alpha": nodes})  # of exp(-u^2)
        bump = np.exp(-((10 * (INSIDE - 0.4)) ** 2))
        chord = (1 - INSIDE) * bump[0] + INSIDE * bump[-1]
        errors.append(float(abs(approximations.from_curvature(wave, INSIDE) - (bump - chord)).max()))
    assert errors[1] < errors[0] / 10
    assert errors[2] < errors[1] / 100


def test_the_identity_requires_gauss_legendre_nodes() -> None:
    with pytest.raises(ValueError, match="alpha: expected the curvature at the nodes of gauss_legendre"):
        approximations.from_curvature(xr.DataArray(ALPHA, coords={"alpha": ALPHA}), INSIDE)


def test_approximations_keep_all_other_dimensions_and_put_alpha_last() -> None:
    values = ends(QUINTIC, 2).expand_dims(parent=[0, 1], layer=["a", "b", "c"])
    nodes = approximations.gauss_legendre(5)
    at_nodes = xr.DataArray(nodes, coords={"alpha": nodes}).expand_dims(parent=[0, 1], layer=["a", "b", "c"])
    assert approximations.second_order(values, INSIDE).dims == ("parent", "layer", "alpha")
    assert approximations.quintic_hermite(values, values, values, INSIDE).dims == ("parent", "layer", "alpha")
    assert approximations.from_curvature(at_nodes, INSIDE).dims == ("parent", "layer", "alpha")


def test_midpoint_rises_equal_those_of_a_quadratic() -> None:
    # From each end the loss along the layer is g a + q a^2 / 2 in its own direction: at end 1 the slope changes sign.
    slope = xr.DataArray([0.3, -0.7], coords={"alpha": [0.0, 1.0]})
    curvature = xr.DataArray([2.0, 6.0], coords={"alpha": [0.0, 1.0]})
    half = np.array([0.0, 0.5])
    home = np.array([1.0, 2.0])[:, None]
    walked = home + np.array([0.3, 0.7])[:, None] * half + np.array([2.0, 6.0])[:, None] * half**2 / 2
    measured = xr.DataArray(walked, coords={"end": [0, 1], "alpha": half})
    assert float(barriers.layer_rise(measured)) == pytest.approx(
        float(approximations.second_order_rise(curvature, slope=slope))
    )
    assert float(approximations.second_order_rise(curvature)) == pytest.approx(0.5)


def test_approximations_without_both_endpoints_are_rejected() -> None:
    half = xr.DataArray([1.0], coords={"alpha": [0.0]})
    for approximation in (approximations.second_order_rise, lambda values: approximations.second_order(values, INSIDE)):
        with pytest.raises(ValueError, match=r"it lacks \[1.0\]"):
            approximation(half)
