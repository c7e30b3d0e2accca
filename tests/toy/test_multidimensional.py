"""Products in n dimensions: closed forms compared with automatic and symbolic differentiation, and invariances."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmc_utils import toy
from lmc_utils.toy import MAX_MINIMA, multidimensional

seeds = st.integers(0, 10_000)


def scattered(m: int, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((m, n))


def rotation(n: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n))).Q


@pytest.mark.parametrize("rank", [None, 1, 2, 5])
@pytest.mark.parametrize("m", [1, 2, 4, 7])
def test_derivatives_equal_automatic_ones(m: int, rank: int | None) -> None:
    roots, theta = scattered(m, 5, seed=m), scattered(6, 5, seed=99)
    theta[0] = roots[0]  # at a solution too
    directions = None if rank is None else multidimensional.random_directions(m, 5, rank=rank, seed=m)

    def f(point: torch.Tensor) -> torch.Tensor:
        gaps = (point - torch.tensor(roots))[..., None]
        seen = gaps if directions is None else torch.tensor(directions) @ gaps
        return seen.square().sum((-1, -2)).prod()

    for point in theta:
        exact = torch.tensor(point)
        # the Hessian's terms are of the order of its largest entry, and each rounds
        bend = torch.autograd.functional.hessian(f, exact).numpy()
        slope = torch.autograd.functional.jacobian(f, exact).numpy()
        assert multidimensional.value(point, roots, directions) == pytest.approx(f(exact).item(), rel=1e-13, abs=1e-25)
        np.testing.assert_allclose(
            multidimensional.gradient(point, roots, directions),
            slope,
            rtol=1e-12,
            atol=1e-13 * (1 + np.abs(slope).max()),
        )
        np.testing.assert_allclose(
            multidimensional.hessian(point, roots, directions), bend, rtol=1e-12, atol=1e-13 * (1 + np.abs(bend).max())
        )


@pytest.mark.parametrize("matrices", [None, [[[1, 0], [0, 0]], [[1, 2], [2, 4]], [[5, 2], [2, 1]]]])
def test_derivatives_equal_the_symbolic_ones(matrices: list[list[list[int]]] | None) -> None:
    x, y = point = sympy.symbols("x y")
    roots = [[0, 1], [2, -1], [-1, -1]]
    directions = (
        None if matrices is None else np.array([[[1, 0], [0, 0]], [[1, 2], [0, 0]], [[1, 0], [2, 1]]], dtype=float)
    )
    f = sympy.Integer(1)
    for i, root in enumerate(roots):
        gap = sympy.Matrix([x - root[0], y - root[1]])
        f *= (gap.T * (sympy.eye(2) if matrices is None else sympy.Matrix(matrices[i])) * gap)[0]
    place = {x: sympy.Rational(1, 4), y: sympy.Rational(-3, 8)}
    theta = [0.25, -0.375]
    assert multidimensional.value(theta, roots, directions) == pytest.approx(float(f.subs(place)), rel=1e-14)
    slope = [float(sympy.diff(f, s).subs(place)) for s in point]
    np.testing.assert_allclose(multidimensional.gradient(theta, roots, directions), slope, rtol=1e-13)
    bend = np.array(sympy.hessian(f, point).subs(place), dtype=float)
    np.testing.assert_allclose(multidimensional.hessian(theta, roots, directions), bend, rtol=1e-13)


@settings(deadline=None)
@given(seed=seeds, m=st.integers(2, 6))
def test_one_dimension_is_the_product_on_a_line(seed: int, m: int) -> None:
    roots, theta = scattered(m, 1, seed), scattered(4, 1, seed + 1)
    value, slope, bend = toy.derivatives(theta[:, 0], roots[:, 0])
    largest = np.abs(bend).max()
    np.testing.assert_allclose(multidimensional.value(theta, roots), value, rtol=1e-12)
    np.testing.assert_allclose(multidimensional.gradient(theta, roots)[:, 0], slope, rtol=1e-9, atol=1e-12 * largest)
    np.testing.assert_allclose(multidimensional.hessian(theta, roots)[:, 0, 0], bend, rtol=1e-9, atol=1e-12 * largest)
    length, height = multidimensional.units(roots)
    assert length == np.median(np.diff(np.sort(roots[:, 0])))
    assert height == np.median(toy.neighbour_barriers(roots[:, 0]))


@settings(deadline=None)
@given(seed=seeds, m=st.integers(1, 6), n=st.integers(2, 5), h=st.floats(0.2, 5))
def test_the_landscape_is_equivariant_under_shift_scale_and_rotation(seed: int, m: int, n: int, h: float) -> None:
    roots, theta, shift = scattered(m, n, seed), scattered(3, n, seed + 1), scattered(1, n, seed + 2)[0]
    turn, directions = rotation(n, seed + 3), multidimensional.random_directions(m, n, rank=1, seed=seed)
    for frame, turned in ((None, None), (directions, directions @ turn.T)):
        f, slope = multidimensional.value(theta, roots, frame), multidimensional.gradient(theta, roots, frame)
        # a degenerate factor may be tiny, and moving its arguments changes it by a few parts in 10^15 of its gap
        loose = {"rtol": 1e-9, "atol": 1e-12 * f.max()}
        np.testing.assert_allclose(multidimensional.value(theta + shift, roots + shift, frame), f, **loose)
        np.testing.assert_allclose(
            multidimensional.value(h * theta, h * roots, frame), h ** (2 * m) * f, rtol=1e-9, atol=1e-12 * h ** (2 * m)
        )
        np.testing.assert_allclose(multidimensional.value(-theta, -roots, frame), f, rtol=1e-13)
        np.testing.assert_allclose(multidimensional.value(theta @ turn.T, roots @ turn.T, turned), f, **loose)
        np.testing.assert_allclose(
            multidimensional.gradient(theta @ turn.T, roots @ turn.T, turned), slope @ turn.T,
            rtol=1e-8, atol=1e-11 * np.abs(slope).max(),
        )  # fmt: skip


def test_identity_frames_are_the_isotropic_product() -> None:
    roots, theta = scattered(4, 3, 0), scattered(5, 3, 1)
    whole = multidimensional.random_directions(4, 3, rank=3, seed=0)  # full rank: A_i is the identity
    np.testing.assert_allclose(
        multidimensional.value(theta, roots, whole), multidimensional.value(theta, roots), rtol=1e-12
    )
    np.testing.assert_allclose(
        multidimensional.hessian(theta, roots, whole), multidimensional.hessian(theta, roots), rtol=1e-10
    )


@settings(deadline=None)
@given(seed=seeds, rank=st.integers(1, 5))
def test_a_degenerate_solution_is_a_flat_of_the_null_directions(seed: int, rank: int) -> None:
    roots, directions = scattered(3, 6, seed), multidimensional.random_directions(3, 6, rank=rank, seed=seed)
    null = np.linalg.svd(directions[0]).Vh[rank:]
    assert null.shape == (6 - rank, 6)
    on_the_flat = roots[0] + scattered(1, 6 - rank, seed + 1)[0] @ null
    typical = multidimensional.value(roots.mean(axis=0), roots, directions)
    assert multidimensional.value(on_the_flat, roots, directions) <= 1e-25 * (
        1 + typical
    )  # the square of a rounded gap
    bends = np.linalg.eigvalsh(multidimensional.hessian(on_the_flat, roots, directions))
    assert np.sum(bends > 1e-9 * bends.max()) == rank
    assert bends.min() > -1e-9 * bends.max()


def test_random_solutions_lie_on_the_flats_and_fill_them() -> None:
    roots, directions = multidimensional.simplex(4, 6), multidimensional.random_directions(4, 6, rank=2, seed=0)
    points = multidimensional.random_solutions(roots, directions, count=200, seed=0)
    assert np.all(multidimensional.value(points, roots, directions) < 1e-28)
    misses = np.linalg.norm(np.einsum("irn,kin->kir", directions, points[:, None] - roots), axis=-1).min(axis=1)
    assert np.all(misses < 1e-14)
    assert np.linalg.matrix_rank(points - points.mean(axis=0)) == 6


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
def test_64_solutions_lose_no_digits(size: float) -> None:
    roots, theta = size * scattered(MAX_MINIMA, 3, 0), size * np.array([0.1, 0.2, -0.4])
    with mpmath.workdps(50):
        squares = [mpmath.fsum((mpmath.mpf(t) - mpmath.mpf(r)) ** 2 for t, r in zip(theta, root, strict=True))
                   for root in roots]  # fmt: skip
        slopes = [mpmath.fsum(2 * (mpmath.mpf(theta[k]) - mpmath.mpf(root[k])) / q
                              for root, q in zip(roots, squares, strict=True)) for k in range(3)]  # fmt: skip
        f = mpmath.fprod(squares)
        slope = [float(f * part) for part in slopes]
    with np.errstate(all="raise", under="ignore"):
        assert multidimensional.value(theta, roots) == pytest.approx(float(f), rel=1e-13, abs=0)
        computed = multidimensional.gradient(theta, roots)
    np.testing.assert_allclose(computed, slope, rtol=0, atol=1e-12 * np.abs(slope).max())


@pytest.mark.parametrize("m", [3, 5, 8])
def test_in_the_plane_the_product_is_a_complex_polynomial_with_no_minimum_but_its_zeros(m: int) -> None:
    theta = scattered(20, 2, 0)
    z = theta[:, 0] + 1j * theta[:, 1]
    roots = multidimensional.on_circle(m)
    np.testing.assert_allclose(multidimensional.value(theta, roots), np.abs(z**m - 1) ** 2, rtol=1e-10)
    # log |p|^2 is harmonic, so that the Hessian of f has the trace |grad f|^2 / f
    trace = np.trace(multidimensional.hessian(theta, roots), axis1=1, axis2=2)
    slope = multidimensional.gradient(theta, roots)
    # near the centre f is 1 and the trace tiny, so that it is left over from entries of order m^2
    expected = np.sum(slope**2, axis=1) / multidimensional.value(theta, roots)
    np.testing.assert_allclose(trace, expected, rtol=1e-9, atol=1e-13 * m**2)


@pytest.mark.parametrize("m", [2, 3, 4, 5, 8])
def test_the_centre_of_a_simplex_is_a_minimum_from_four_corners_on(m: int) -> None:
    roots, middle = multidimensional.simplex(m, m + 1), np.zeros(m + 1)
    radius_2 = (m - 1) / m
    f, bends = radius_2**m, np.linalg.eigvalsh(multidimensional.hessian(middle, roots))
    assert multidimensional.value(middle, roots) == pytest.approx(f, rel=1e-13)
    np.testing.assert_allclose(multidimensional.gradient(middle, roots), 0, atol=1e-14)
    # m - 1 directions within the simplex, two without
    within = 2 * f / radius_2 * m * (m - 3) / (m - 1)
    without = 2 * f / radius_2 * m
    np.testing.assert_allclose(bends, sorted([within] * (m - 1) + [without] * 2), rtol=1e-12, atol=1e-14)


def test_the_barrier_is_above_the_chord_and_zero_at_both_ends() -> None:
    roots, ends = scattered(4, 3, 0), scattered(2, 3, 1)
    alphas = np.linspace(0, 1, 9)
    curve = multidimensional.barrier_curve(ends[:1], ends[1:], alphas, roots)
    chord = (1 - alphas) * multidimensional.value(ends[0], roots) + alphas * multidimensional.value(ends[1], roots)
    line = np.array([multidimensional.value((1 - a) * ends[0] + a * ends[1], roots) for a in alphas])
    assert curve.shape == (1, 9)
    np.testing.assert_allclose(curve[0], line - chord, rtol=0, atol=1e-12 * line.max())


@pytest.mark.parametrize(
    ("ask", "line"),
    [
        (
            lambda: multidimensional.random_directions(2, 3, rank=4, seed=0),
            "rank must be between 1 and the dimension, 3 (got 4)",
        ),
        (
            lambda: multidimensional.random_directions(2, 3, rank=0, seed=0),
            "rank must be between 1 and the dimension, 3 (got 0)",
        ),
        (lambda: multidimensional.simplex(4, 3), "m must be <= the dimension, 3 (got 4)"),
        (lambda: multidimensional.units([[0.0, 0.0]]), "roots must be at least two (got 1)"),
        (lambda: multidimensional.value([0.0], [0.0, 1.0]), "roots must have the shape (m, n) (got (2,))"),
        (lambda: multidimensional.value([0.0], [[0.0, 1.0]]), "theta must have a last axis of 2 (got the shape (1,))"),
        (
            lambda: multidimensional.value([0.0, 0.0], [[0.0, 1.0]], [[1.0, 0.0]]),
            "directions must have the shape (1, rank, 2) (got (1, 2))",
        ),
        (
            lambda: multidimensional.units([[0.0, 0.0], [0.0, 0.0]]),
            "roots must be solutions with barriers between them (got median distance 0 and median barrier 0)",
        ),
    ],
)
def test_invalid_landscapes_are_one_line_errors(ask: object, line: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        ask()  # type: ignore[operator]
    assert str(error.value) == line
