"""Simulated siblings: one trajectory until the fork, two after it, and never a silent NaN."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmc_utils import toy
from lmc_utils.chapters import toy_siblings
from lmc_utils.chapters.toy_siblings import Descent
from lmc_utils.toy import descent, multidimensional
from lmc_utils.toy.descent import descend, random_starts, sibling_barriers, wilson_interval

FIVE = toy.on_interval(5)[:, None]
FORKS = [0.0, 0.25, 0.5, 1.0]

landscapes = pytest.mark.parametrize(
    ("roots", "directions"),
    [
        (FIVE, None),
        (multidimensional.on_circle(5), None),
        (multidimensional.simplex(4, 6), multidimensional.random_directions(4, 6, rank=2, seed=0)),
    ],
    ids=["line", "plane", "degenerate"],
)


@landscapes
def test_siblings_are_equal_up_to_the_fork_and_differ_from_the_next_step_on(
    roots: np.ndarray, directions: np.ndarray | None
) -> None:
    steps = descend(
        roots, directions, starts=random_starts(roots, 4, 0), fork_times=FORKS, seed=1, steps=40, every_step=True
    )
    assert steps.shape == (41, 1 + len(FORKS), 4, roots.shape[1])
    for row, fork in enumerate(FORKS, start=1):
        at = round(40 * fork)
        np.testing.assert_array_equal(steps[: at + 1, row], steps[: at + 1, 0])
        assert np.all(steps[at + 1 :, row] != steps[at + 1 :, 0])


@landscapes
def test_endpoints_are_the_ends_of_the_paths_and_equal_seeds_give_equal_bits(
    roots: np.ndarray, directions: np.ndarray | None
) -> None:
    starts = random_starts(roots, 5, 0)
    ends = descend(roots, directions, starts=starts, fork_times=FORKS, seed=3, steps=30)
    steps = descend(roots, directions, starts=starts, fork_times=FORKS, seed=3, steps=30, every_step=True)
    np.testing.assert_allclose(steps[0, 0], starts, rtol=1e-15)
    np.testing.assert_array_equal(steps[-1], ends)
    assert np.all(descend(roots, directions, starts=starts, fork_times=FORKS, seed=4, steps=30) != ends)


@landscapes
def test_a_fork_at_the_end_is_at_distance_0(roots: np.ndarray, directions: np.ndarray | None) -> None:
    starts = random_starts(roots, 50, 0)
    ends = descend(roots, directions, starts=starts, fork_times=[0.0, 1.0], seed=0, steps=300)
    np.testing.assert_array_equal(ends[2], ends[0])
    assert np.all(sibling_barriers(ends, roots, directions)[1] <= 1e-12)


def test_a_fork_does_not_depend_on_which_others_there_are() -> None:
    starts = random_starts(FIVE, 6, 0)
    alone = descend(FIVE, starts=starts, fork_times=[0.5], seed=0, steps=50)
    among = descend(FIVE, starts=starts, fork_times=FORKS, seed=0, steps=50)
    np.testing.assert_array_equal(alone, among[[0, 3]])


@landscapes
def test_the_fast_slope_is_the_clipped_exact_gradient(roots: np.ndarray, directions: np.ndarray | None) -> None:
    length, height = multidimensional.units(roots, directions)
    starts = 1.5 * random_starts(roots, 40, 0)
    step = 1e-3
    after = descend(roots, directions, starts=starts, fork_times=[], seed=0, steps=1, temperature=0, step_size=step)
    slope = multidimensional.gradient(starts, roots, directions) * length / height
    lengths = np.linalg.norm(slope, axis=1, keepdims=True)
    expected = starts - step * length * slope * np.minimum(1, descent.MAX_GRADIENT / lengths)
    assert 0 < np.mean(lengths > descent.MAX_GRADIENT) < 1
    np.testing.assert_allclose(after[0], expected, rtol=0, atol=1e-14 * np.abs(starts).max() + 1e-15)


def test_without_noise_siblings_descend_together_into_the_nearest_minimum() -> None:
    starts = np.linspace(-1.2, 1.2, 31)[:, None] + 1e-3
    ends = descend(FIVE, starts=starts, fork_times=[0.0], seed=0, temperature=0)
    np.testing.assert_array_equal(ends[0], ends[1])
    tops = toy.maxima(FIVE[:, 0])
    np.testing.assert_allclose(ends[0, :, 0], FIVE[np.searchsorted(tops, starts[:, 0]), 0], atol=1e-4)


def test_descent_is_equivariant_under_shift_and_scale() -> None:
    roots, starts = multidimensional.on_circle(4), random_starts(multidimensional.on_circle(4), 5, 0)
    ends = descend(roots, starts=starts, fork_times=FORKS, seed=0, steps=50)
    other = descend(8 * roots, starts=8 * starts, fork_times=FORKS, seed=0, steps=50)
    np.testing.assert_allclose(other, 8 * ends, rtol=1e-9, atol=1e-9)


def test_at_constant_temperature_the_boltzmann_distribution_is_sampled() -> None:
    # two minima far above the heat: about each the loss is 4 u^2 (u in units of the spacing, 2), so that T = 2 * 4 var
    pair = np.array([[-1.0], [1.0]])
    ends = descend(pair, starts=np.ones((4000, 1)), fork_times=[], seed=0, steps=400, temperature=0.01, cooling=1e-9,
                   step_size=0.002)  # fmt: skip
    bend = float(multidimensional.hessian(pair, pair)[0, 0, 0]) * 4
    # 4000 trajectories give the variance to 2 %, similar to the effects of anharmonicity and finite step size
    assert np.var(ends[0] / 2) == pytest.approx(0.01 / bend, rel=0.08)


def test_earlier_forks_have_more_barriers() -> None:
    descent = Descent(pairs=1000)
    fractions = descent.separated(descent.endpoints(FIVE), FIVE).mean(axis=1)
    for fraction, (low, high) in zip(
        fractions, [(0.42, 0.65), (0.35, 0.6), (0.25, 0.5), (0.08, 0.25), (0, 0.05), (0, 0)], strict=True
    ):
        assert low <= fraction <= high
    assert np.all(np.diff(fractions) <= 0)


def test_in_ten_dimensions_a_simplex_separates_siblings_only_if_degenerate_and_a_circle_does() -> None:
    descent = Descent(fork_times=[0.0], steps=1000)
    fractions = {}
    for kind in toy_siblings.KINDS:
        field = descent.field(10, kind)
        fractions[kind] = descent.separated(descent.endpoints(*field, pairs=60), *field).mean()
    assert fractions["isotropic"] == 0
    assert fractions["degenerate"] > 0.1
    assert fractions["circle"] > 0.3


def test_ten_thousand_pairs_descend_in_seconds() -> None:
    started = time.process_time()
    descend(FIVE, starts=np.zeros((10_000, 1)), fork_times=[0.0], seed=0, steps=1500)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"step_size": 0.02},
            "step_size must be > 0 and < 0.0132, or descent diverges at the steepest minimum "
            "(2 / curvature) (got 0.02)",
        ),
        ({"fork_times": [1.1]}, "fork_times must be increasing fractions between 0 and 1 (got [1.1])"),
        (
            {"fork_times": [0.5, 0.1]},
            "fork_times must be increasing fractions between 0 and 1 (got [0.5, 0.1])",
        ),
        ({"steps": 0}, "steps must be >= 1 (got 0)"),
        ({"temperature": -0.1}, "temperature must be finite and >= 0 (got -0.1)"),
        ({"cooling": 0.0}, "cooling must be finite and > 0 (got 0.0)"),
    ],
)
def test_parameters_out_of_range_are_one_line_errors(changed: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        descend(FIVE, **({"starts": [[0.0]], "fork_times": [0.0], "seed": 0} | changed))  # type: ignore[arg-type]
    assert str(error.value) == line


@pytest.mark.parametrize("step_size", [1.0, 1e3, 1e308])
def test_a_diverging_descent_is_an_error(step_size: float) -> None:
    roots, directions = multidimensional.simplex(4, 6), multidimensional.random_directions(4, 6, rank=2, seed=0)
    with pytest.raises(ValueError, match=r"step_size must be small enough for descent to settle \(got 1") as error:
        descend(roots, directions, starts=random_starts(roots, 20, 0), fork_times=[0.0], seed=0, step_size=step_size)
    assert "\n" not in str(error.value)


@settings(deadline=None)  # the first call imports SciPy
@given(successes=st.integers(0, 50), n=st.integers(50, 500))
def test_the_wilson_interval_solves_its_defining_equation(successes: int, n: int) -> None:
    share = successes / n
    low, high = wilson_interval(share, n)
    assert 0 <= low <= share <= high <= 1
    for end in (float(low), float(high)):
        if 0 < end < 1:  # |share - p| is 1.96 standard errors of p, not of the fraction
            assert abs(share - end) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / n), rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), m=st.integers(2, 5), n=st.integers(2, 4))
def test_the_largest_stable_step_is_where_a_small_step_away_stops_shrinking(seed: int, m: int, n: int) -> None:
    roots = np.random.default_rng(seed).standard_normal((m, n))
    length, height = multidimensional.units(roots)
    limit = descent.largest_stable_step(roots) * length**2 / height
    bends = [np.prod(np.delete(np.sum((root - roots) ** 2, axis=1), i)) * 2 for i, root in enumerate(roots)]
    assert limit == pytest.approx(2 / max(bends), rel=1e-9)
