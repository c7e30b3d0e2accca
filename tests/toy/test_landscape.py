"""The product of local quadratics: closed forms compared with symbolic and high-precision results, and invariances."""

from __future__ import annotations

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from lmc_utils import toy

M = toy.MAX_MINIMA
EPSILON = np.finfo(float).eps


@st.composite
def distinct_roots(draw: st.DrawFn, most: int = 8) -> np.ndarray:
    """Two or more numbers, neighbours between 1/20 and 2 apart, in any order."""
    gaps = draw(st.lists(st.floats(0.05, 2.0), min_size=1, max_size=most - 1))
    return np.array(draw(st.permutations((draw(st.floats(-3, 3)) + np.cumsum([0.0, *gaps])).tolist())))


def symbolic(roots: list[str]) -> tuple[sympy.Symbol, sympy.Expr]:
    theta = sympy.Symbol("theta")
    return theta, sympy.prod([(theta - sympy.Rational(root)) ** 2 for root in roots])


def many_digits(theta: float, roots: np.ndarray) -> list[tuple[mpmath.mpf, mpmath.mpf]]:
    """f, f' and f'' to 50 digits, each with the sum of the magnitudes of its terms, the scale of its rounding error."""
    with mpmath.workdps(50):
        signed = [mpmath.mpf(theta) - mpmath.mpf(root) for root in roots.tolist()]
        results = []
        for gaps in (signed, [abs(gap) for gap in signed]):
            p, slope, bend = mpmath.mpf(1), mpmath.mpf(0), mpmath.mpf(0)
            for gap in gaps:
                p, slope, bend = p * gap, slope * gap + p, bend * gap + 2 * slope
            results.append((p**2, 2 * p * slope, 2 * (slope**2 + p * bend)))
        return list(zip(*results, strict=True))


@pytest.mark.parametrize(
    "roots", [["1/2"], ["-1", "1"], ["-1", "1/4", "3"], ["0", "0", "2"], ["-2", "-1", "1/8", "1", "5"]]
)
def test_value_and_derivatives_equal_the_symbolic_ones(roots: list[str]) -> None:
    theta, f = symbolic(roots)
    points = [*(float(sympy.Rational(root)) for root in roots), -1.7, 0.3, 2.0]
    exact = [[float(sympy.diff(f, theta, order).subs(theta, sympy.Rational(x))) for x in points] for order in range(3)]
    numbers = [float(sympy.Rational(root)) for root in roots]
    np.testing.assert_allclose(toy.derivatives(points, numbers), exact, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(
        toy.derivatives(points, numbers),
        [toy.value(points, numbers), toy.gradient(points, numbers), toy.curvature(points, numbers)],
    )


@pytest.mark.parametrize("roots", [["-1", "1"], ["-1", "0", "1"], ["-2", "-1/2", "1/3", "4"]])
def test_stationary_points_and_barriers_equal_the_symbolic_ones(roots: list[str]) -> None:
    theta, f = symbolic(roots)
    numbers = [float(sympy.Rational(root)) for root in roots]
    exact = sorted({float(sympy.re(point)) for point in sympy.Poly(sympy.diff(f, theta)).nroots(n=30)})
    np.testing.assert_allclose(toy.stationary_points(numbers), exact, rtol=0, atol=1e-14)
    ridges = [float(f.subs(theta, point)) for point in exact[1::2]]
    np.testing.assert_allclose(toy.neighbour_barriers(numbers), ridges, rtol=1e-13)


def test_two_solutions_have_barrier_one_and_the_approximation_says_four() -> None:
    alphas = np.linspace(0, 1, 11)
    np.testing.assert_allclose(toy.barrier_curve(-1, 1, alphas, [-1, 1]), 16 * (alphas * (1 - alphas)) ** 2, atol=1e-15)
    np.testing.assert_allclose(toy.second_order_barrier(-1, 1, alphas, [-1, 1]), 16 * alphas * (1 - alphas), atol=1e-15)
    assert toy.neighbour_barriers([-1, 1])[0] == 1
    assert toy.approximation_factors([-1, 1])[0] == pytest.approx(4, abs=1e-12)


def test_three_solutions_have_a_barrier_of_four_twentysevenths() -> None:
    # theta^2 (theta^2 - 1)^2 has its maxima at theta^2 = 1/3
    np.testing.assert_allclose(toy.neighbour_barriers([-1, 0, 1]), [4 / 27] * 2, rtol=1e-14)


@pytest.mark.parametrize("spacing", [2 / (M - 1), 1.0])
def test_64_minima_lose_no_digits(spacing: float) -> None:
    roots = toy.equally_spaced(M, spacing)
    beside = roots[::9] + 1e-12 * spacing
    points = np.concatenate([roots, beside, roots[:-1] + 0.3 * spacing, toy.maxima(roots), [2 * roots[-1]]])
    computed = np.transpose(toy.derivatives(points, roots))
    for theta, row in zip(points.tolist(), computed.tolist(), strict=True):
        for number, (exact, scale) in zip(row, many_digits(theta, roots), strict=True):
            # every one of the m steps may round a few times, and squaring doubles the relative error
            assert abs(mpmath.mpf(number) - exact) <= 8 * M * EPSILON * scale
        value, (exact, _) = row[0], many_digits(theta, roots)[0]
        assert value == pytest.approx(float(exact), rel=8 * M * EPSILON, abs=0)


def test_intermediate_results_do_not_overflow() -> None:
    far, near = np.full(20, 1e20), np.full(20, 1e-20)  # their running product leaves the range of float64 either way
    for roots in (np.concatenate([far, near]), np.concatenate([near, far])):
        with np.errstate(all="raise"):
            assert toy.value(0.0, roots) == pytest.approx(1.0, rel=1e-13)


def test_the_tops_of_64_minima_are_stationary_to_the_last_digits() -> None:
    roots = toy.on_interval(M)
    tops = toy.maxima(roots)
    steps = np.abs(toy.gradient(tops, roots) / toy.curvature(tops, roots))  # Newton's next step, were there one
    assert steps.max() < 4 * EPSILON  # positions are of order 1
    assert np.all((roots[:-1] < tops) & (tops < roots[1:]))
    assert np.all(toy.curvature(tops, roots) < 0)
    assert np.all(toy.curvature(roots, roots) > 0)


def test_barriers_far_from_the_origin_are_as_precise_as_the_roots() -> None:
    roots = toy.equally_spaced(5, 2.0**-20)
    moved = toy.neighbour_barriers(roots + 2.0**20)  # a shift that rounds nothing
    np.testing.assert_allclose(moved, toy.neighbour_barriers(roots), rtol=1e-13)


def test_crowded_and_isolated_roots_are_distinguished() -> None:
    roots = [0.0, 1e-9, 2e-9, 1.0, 1e4]
    tops = toy.maxima(roots)
    assert np.all(np.diff(toy.stationary_points(roots)) > 0)
    assert tops[0] == pytest.approx(1e-9 * (1 - 1 / np.sqrt(3)), rel=1e-6)  # three roots alone, the others too far off


@settings(deadline=None)
@given(roots=distinct_roots(), alphas=st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_a_barrier_is_negative_curvature_between_any_two_minima(roots: np.ndarray, alphas: list[float]) -> None:
    highest = toy.pairwise_barriers(roots).max()
    first, second = np.meshgrid(np.sort(roots), np.sort(roots))
    direct = toy.barrier_curve(first, second, alphas, roots)
    by_curvature = toy.barrier_from_curvature(first, second, alphas, roots)
    assert direct.shape == (len(roots), len(roots), len(alphas))
    np.testing.assert_allclose(by_curvature, direct, rtol=0, atol=1e-8 * highest)


@settings(deadline=None)
@given(roots=distinct_roots(most=5), ends=st.tuples(st.floats(-3, 3), st.floats(-3, 3)), alpha=st.floats(0, 1))
def test_a_barrier_is_negative_curvature_between_any_two_points(
    roots: np.ndarray, ends: tuple[float, float], alpha: float
) -> None:
    direct = toy.barrier_curve(*ends, [alpha], roots)
    largest = toy.value(np.linspace(*ends, 33), roots).max()
    # a hair away from a minimum, where f itself is nearly zero, the rounding of theta is all there is
    tolerance = 1e-8 * largest + 1e-20
    np.testing.assert_allclose(toy.barrier_from_curvature(*ends, [alpha], roots), direct, rtol=0, atol=tolerance)


def test_a_barrier_is_negative_curvature_among_64_minima() -> None:
    roots, alphas = toy.on_interval(M), np.linspace(0, 1, 41)
    for first, second in ((0, 1), (M // 2, M // 2 + 1), (10, 14)):
        highest = toy.pairwise_barriers(roots)[first, second]
        direct = toy.barrier_curve(roots[first], roots[second], alphas, roots)
        by_curvature = toy.barrier_from_curvature(roots[first], roots[second], alphas, roots)
        np.testing.assert_allclose(by_curvature, direct, rtol=0, atol=1e-8 * highest)


@settings(deadline=None)
@given(roots=distinct_roots())
def test_neighbour_barriers_are_the_highest_points_of_a_fine_grid(roots: np.ndarray) -> None:
    low = toy.minima(roots)
    grid = toy.value(np.linspace(low[:-1], low[1:], 2001), roots).max(axis=0)
    # near a maximum the loss is quadratic, so that a grid of 2000 steps misses its top by a few parts in 10^6
    np.testing.assert_allclose(toy.neighbour_barriers(roots), grid, rtol=1e-4)
    assert np.all(toy.neighbour_barriers(roots) >= grid * (1 - 1e-12))


@settings(deadline=None)
@given(roots=distinct_roots())
def test_the_barrier_between_two_minima_is_the_top_of_the_segment(roots: np.ndarray) -> None:
    low, table = toy.minima(roots), toy.pairwise_barriers(roots)
    inside = toy.maxima(roots)
    for i, j in ((0, len(low) - 1), (0, 1), (len(low) - 1, len(low) // 2)):
        alphas = (inside - low[i]) / (low[j] - low[i]) if i != j else np.zeros(1)
        between = alphas[(alphas >= 0) & (alphas <= 1)]
        top = toy.barrier_curve(low[i], low[j], between, roots).max()
        assert table[i, j] == table[j, i] == pytest.approx(top, rel=1e-9)


@settings(deadline=None)
@given(roots=distinct_roots())
def test_the_approximation_factor_is_the_ratio_of_the_two_tops(roots: np.ndarray) -> None:
    low, alphas = toy.minima(roots), np.linspace(0, 1, 2001)
    approximation = toy.second_order_barrier(low[:-1], low[1:], alphas, roots).max(axis=-1)
    expected = approximation / toy.neighbour_barriers(roots)
    np.testing.assert_allclose(toy.approximation_factors(roots), expected, rtol=1e-5)


@settings(deadline=None)
@given(roots=distinct_roots(), shift=st.floats(-2, 2), h=st.floats(0.1, 10))
def test_equivariance_under_shift_scale_and_reflection(roots: np.ndarray, shift: float, h: float) -> None:
    heights, tops, factors = toy.neighbour_barriers(roots), toy.maxima(roots), toy.approximation_factors(roots)
    # roots of order 10 that lie 1/20 apart are moved with a relative error of about 1e-13 in their distances
    np.testing.assert_allclose(toy.neighbour_barriers(roots + shift), heights, rtol=1e-10)
    np.testing.assert_allclose(toy.maxima(roots + shift), tops + shift, rtol=0, atol=1e-12)
    np.testing.assert_allclose(toy.neighbour_barriers(h * roots), h ** (2 * len(roots)) * heights, rtol=1e-10)
    np.testing.assert_allclose(toy.approximation_factors(h * roots), factors, rtol=1e-9)
    np.testing.assert_allclose(toy.neighbour_barriers(-roots), heights[::-1], rtol=1e-12)
    np.testing.assert_allclose(toy.approximation_factors(-roots), factors[::-1], rtol=1e-9)
    assert toy.outer_height(h * roots) == pytest.approx(h ** (2 * len(roots)) * toy.outer_height(roots), rel=1e-10)


@settings(deadline=None)
@given(roots=distinct_roots(), theta=st.floats(-5, 5))
def test_neither_the_order_of_the_roots_nor_the_shape_of_theta_matters(roots: np.ndarray, theta: float) -> None:
    assert toy.value(theta, roots) == pytest.approx(toy.value(theta, np.sort(roots)), rel=1e-13)
    block = np.full((2, 3), theta)
    assert np.all(toy.curvature(block, roots) == toy.curvature(theta, roots))
    np.testing.assert_array_equal(toy.stationary_points(roots), toy.stationary_points(np.sort(roots)))


@given(root=st.floats(-3, 3), ends=st.tuples(st.floats(-3, 3), st.floats(-3, 3)), alpha=st.floats(0, 1))
def test_a_single_quadratic_never_has_a_barrier(root: float, ends: tuple[float, float], alpha: float) -> None:
    expected = -alpha * (1 - alpha) * (ends[1] - ends[0]) ** 2
    assert toy.barrier_curve(*ends, [alpha], [root])[0] == pytest.approx(expected, abs=1e-13)


def test_the_centre_of_many_minima_is_a_sine_with_factor_pi_squared_over_4() -> None:
    misses = []
    for m in (16, 32, 64):
        factors = toy.approximation_factors(toy.on_interval(m))
        misses.append(factors[len(factors) // 2] - np.pi**2 / 4)
    np.testing.assert_allclose(misses[1:], np.divide(misses[:-1], 2), rtol=0.05)  # halves as m doubles


def test_a_repeated_root_is_a_degenerate_minimum() -> None:
    assert toy.derivatives(0.0, [0.0, 0.0, 1.0]) == (0.0, 0.0, 0.0)


def test_inputs_are_not_modified() -> None:
    roots, theta = np.array([1.0, -1.0, 0.5]), np.array([0.0, 2.0])
    toy.value(theta, roots), toy.stationary_points(roots), toy.pairwise_barriers(roots)
    toy.barrier_from_curvature(theta, -theta, [0.0, 1.0], roots)
    assert roots.tolist() == [1.0, -1.0, 0.5]
    assert theta.tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("roots", "line"),
    [
        ([1.0], "roots must be a list of at least two (got [1.0])"),
        ([1.0, 0.0, 1.0], "roots must be distinct, finite numbers (got [1.0, 0.0, 1.0])"),
        ([0.0, float("nan")], "roots must be distinct, finite numbers (got [0.0, nan])"),
    ],
)
def test_roots_without_ridges_are_rejected(roots: list[float], line: str) -> None:
    for ask in (toy.minima, toy.maxima, toy.stationary_points, toy.neighbour_barriers, toy.approximation_factors):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            ask(roots)
        assert str(error.value) == line


def test_the_identity_holds_only_between_the_endpoints() -> None:
    with pytest.raises(ValueError, match=r"alphas must be between 0 and 1 \(got \[0.5, 1.5\]\)"):
        toy.barrier_from_curvature(-1, 1, [0.5, 1.5], [-1, 1])


@pytest.mark.parametrize("m", [2, 3, 5, 16, M])
def test_at_the_chebyshev_points_all_ridges_are_equally_high(m: int) -> None:
    roots = toy.chebyshev(m)
    theta = np.linspace(-1, 1, 201)
    assert np.all(roots == -roots[::-1])
    np.testing.assert_allclose(toy.neighbour_barriers(roots), 4.0 ** (1 - m), rtol=1e-12)
    # T_m is cos(m arccos theta); squaring and the arccos near the ends cost some digits
    np.testing.assert_allclose(
        toy.value(theta, roots), np.cos(m * np.arccos(theta)) ** 2 * 4.0 ** (1 - m), rtol=0, atol=1e-11 * 4.0 ** (1 - m)
    )


@settings(deadline=None)
@given(roots=st.lists(st.floats(-1, 1), min_size=2, max_size=8, unique=True))
def test_no_placement_on_an_interval_stays_lower_than_chebyshev(roots: list[float]) -> None:
    highest = toy.value(np.linspace(-1, 1, 2001), roots).max()
    # of a polynomial of degree m, a grid of 2000 steps misses the top by a few parts in 10^6 m^2 at most
    assert highest >= 4.0 ** (1 - len(roots)) * (1 - 1e-3)


@pytest.mark.parametrize(
    "module",
    [
        "toy",
        "toy.multidimensional",
        "toy.descent",
        "chapters.toy_landscapes",
        "chapters.toy_siblings",
        "classroom.exercises.toy",
    ],
)
def test_the_toy_imports_only_numpy(module: str) -> None:
    script = f"import sys, lmc_utils.{module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {"torch", "xarray", "matplotlib", "scipy", "pandas", "seaborn"}.isdisjoint(done.stdout.split())
