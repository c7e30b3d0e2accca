"""One-sided tests agree with SciPy's and with the intervals, and Holm's procedure with its definition."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from lmc_utils.measure import holm
from lmc_utils.measure.statistics import Correlation, bounds, correlation


@pytest.mark.parametrize("bound", [-1.0, 0.0, 0.3, 2.0])
def test_the_p_value_of_a_mean_is_that_of_scipy(bound: float) -> None:
    values = np.random.default_rng(0).standard_normal(7)
    expected = stats.ttest_1samp(values, bound, alternative="greater").pvalue
    assert holm.mean_above(values, bound) == pytest.approx(expected, rel=1e-12)


def test_more_values_like_these_have_the_p_value_of_a_sample_with_their_mean_and_standard_deviation() -> None:
    values = np.random.default_rng(4).standard_normal(7)
    more = np.random.default_rng(5).standard_normal(28)
    more = values.mean() + (more - more.mean()) * values.std(ddof=1) / more.std(ddof=1)
    assert holm.mean_above(values, 0.3, times=4) == pytest.approx(holm.mean_above(more, 0.3), rel=1e-9)


def test_a_mean_is_significant_exactly_where_its_interval_is_above_the_bound() -> None:
    values = np.random.default_rng(1).standard_normal(10)
    low = float(bounds(xr.DataArray(values[None], dims=["pair", "parent"])).sel(bound="low"))
    assert holm.mean_above(values, low - 1e-9) < 0.025 < holm.mean_above(values, low + 1e-9)


def test_a_correlation_is_significant_exactly_where_its_interval_is_above_the_bound() -> None:
    random = np.random.default_rng(2)
    one = xr.DataArray(random.standard_normal((3, 10)), dims=["fork", "parent"])
    found = correlation(one, one + 2 * random.standard_normal((3, 10)), within="fork")
    assert found.low > -1
    below, above = (holm.correlation_above(found, found.low + step, 10) for step in (-1e-6, 1e-6))
    assert below < 0.025 < above


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan]])
def test_nothing_is_known_without_two_values(values: list[float]) -> None:
    assert math.isnan(holm.mean_above(values, 0.0))


def test_an_interval_that_is_cut_off_at_both_ends_decides_nothing() -> None:
    assert holm.correlation_above(Correlation(0.93, -1.0, 1.0), 0.0, 10) > 0.025


def test_holms_procedure_rejects_step_by_step() -> None:
    """By its definition: reject the smallest while p < level / (number of those left); then stop."""
    random = np.random.default_rng(3)
    for _ in range(200):
        p_values = random.beta(0.3, 1, size=8)
        level = random.uniform(0.01, 0.3)
        rejected = set()
        for step, place in enumerate(np.argsort(p_values)):
            if p_values[place] > level / (len(p_values) - step):
                break
            rejected.add(int(place))
        assert rejected == {place for place, p in enumerate(holm.adjusted(p_values)) if p <= level}
