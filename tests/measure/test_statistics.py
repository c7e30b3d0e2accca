"""Correlations with intervals, against SciPy and against what an interval must do."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from lmc_utils.measure.statistics import bounds, correlation, exceeds_noise, jackknife, start_of_last_stretch
from lmc_utils.settings import ParameterError


def sample(size: int, noise: float, seed: int = 0) -> tuple[xr.DataArray, xr.DataArray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=size)
    return (
        xr.DataArray(x, dims="parent"),
        xr.DataArray(x + noise * generator.normal(size=size), dims="parent"),
    )


@pytest.mark.parametrize(("method", "peer"), [("pearson", stats.pearsonr), ("spearman", stats.spearmanr)])
def test_the_estimate_equals_scipys(method: str, peer: object) -> None:
    x, y = sample(30, 1.0)
    y[3] = y[5]  # a tie
    assert float(correlation(x, y, method)) == pytest.approx(peer(x, y)[0], rel=1e-12)


def family(parents: int, pairs: int, shared: float, seed: int = 0) -> tuple[xr.DataArray, xr.DataArray]:
    """Quantities of unit variance and correlation 1/2, of which parents have so much in common with their own pairs."""
    generator = np.random.default_rng(seed)
    common, own = (generator.normal(size=(3, parents, size)) for size in (1, pairs))
    both = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    x, y = ((both[0] + each) / np.sqrt(2) for each in both[1:])
    return xr.DataArray(x, dims=["parent", "pair"]), xr.DataArray(y, dims=["parent", "pair"])


@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_the_interval_has_about_its_nominal_coverage(shared: float) -> None:
    trials = 200
    intervals = [correlation(*family(30, 4, shared, seed), "pearson", resamples=400) for seed in range(trials)]
    held = sum(one.low <= 0.5 <= one.high for one in intervals) / trials
    # A percentile interval of 30 parents covers a little less than it promises; 5 standard errors of trials are 8 %.
    assert 0.84 < held < 0.995


def test_with_three_parents_the_interval_undercovers() -> None:
    intervals = [correlation(*family(3, 4, 0.0, seed), "pearson", resamples=200) for seed in range(200)]
    assert 0.6 < sum(one.low <= 0.5 <= one.high for one in intervals) / 200 < 0.92  # 95 % less two standard errors


def test_resampling_pairs_instead_of_parents_undercovers() -> None:
    x, y = family(30, 4, 0.8)
    alone = [values.stack(every=["parent", "pair"]).reset_index("every", drop=True) for values in (x, y)]
    wide = correlation(x, y, "pearson")
    narrow = correlation(*(values.rename(every="parent") for values in alone), "pearson")
    assert wide.estimate == pytest.approx(narrow.estimate)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.filterwarnings("error")
def test_constant_values_have_no_correlation(method: str) -> None:
    ones = xr.DataArray(np.ones((3, 2)), dims=["parent", "pair"])
    assert np.isnan(correlation(0.1 * ones, 0.7 * ones, method)).all()  # 0.1 and 0.7 have means that round
    x, y = family(3, 4, 0.0)
    x[0] = np.nan
    assert np.isfinite(correlation(x, y, method)).all()


def test_one_parent_has_no_interval() -> None:
    x, y = family(1, 9, 0.0)
    found = correlation(x, y, "pearson")
    assert np.isfinite(found.estimate)
    assert np.isnan([found.low, found.high]).all()


def test_rank_correlation_is_invariant_to_monotone_maps_and_dimension_order() -> None:
    x, y = sample(12, 0.5)
    square, other = x.values.reshape(3, 4), y.values.reshape(3, 4)
    first = xr.DataArray(square, dims=["a", "parent"])
    second = xr.DataArray(np.exp(other).T, dims=["parent", "a"])
    assert correlation(first, second, "spearman") == correlation(
        xr.DataArray(square, dims=["a", "parent"]), xr.DataArray(other, dims=["a", "parent"]), "spearman"
    )


def test_values_that_are_not_finite_are_ignored() -> None:
    x, y = sample(20, 0.5)
    holed = x.copy()
    holed[[2, 7]] = [np.nan, np.inf]
    kept = [index for index in range(20) if index not in (2, 7)]
    for method in ("pearson", "spearman"):
        found, left = correlation(holed, y, method), correlation(x[kept], y[kept], method)
        assert found.estimate == pytest.approx(left.estimate, rel=1e-12)
        assert np.isfinite([found.low, found.high]).all()


def test_equal_seeds_give_equal_intervals() -> None:
    x, y = sample(12, 0.5)
    assert correlation(x, y, "pearson", seed=3) == correlation(x, y, "pearson", seed=3)
    assert correlation(x, y, "pearson", seed=3) != correlation(x, y, "pearson", seed=4)


def test_two_pairs_have_no_correlation() -> None:
    assert np.isnan(correlation(*sample(2, 0.5), "pearson")).all()


def test_invalid_arguments_are_rejected() -> None:
    x, y = sample(5, 0.5)
    with pytest.raises(ParameterError, match="did you mean 'spearman'"):
        correlation(x, y, "spearmann")


def test_exceeds_noise_compares_the_mean_with_its_standard_error_over_parents() -> None:
    values = xr.DataArray(np.random.default_rng(0).normal(1, 1, size=(50, 4, 3)), dims=["epoch", "parent", "pair"])
    each = values.values.mean(-1)
    expected = each.mean(1) > 1.5 * each.std(1, ddof=1) / 2
    assert 0 < expected.sum() < 50
    np.testing.assert_array_equal(exceeds_noise(values, 1.5), expected)
    np.testing.assert_array_equal(exceeds_noise(values.transpose("pair", "epoch", "parent"), 1.5), expected)
    assert not exceeds_noise(values.isel(parent=[0])).any()
    assert not exceeds_noise(values.where(values.pair > 0)).any()  # NaN is no evidence


def test_exceeds_noise_counts_parents_not_pairs() -> None:
    few = xr.DataArray(np.random.default_rng(1).normal(0.5, 1, size=(200, 3, 1)), dims=["epoch", "parent", "pair"])
    np.testing.assert_array_equal(exceeds_noise(few), exceeds_noise(few.isel(pair=[0] * 6)))


def test_start_of_last_stretch_is_where_the_condition_holds_to_the_end() -> None:
    rows = [[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 0]]
    holds = xr.DataArray(np.array(rows, bool), dims=["fork_epoch", "epoch"], coords={"epoch": [4, 6, 9]})
    np.testing.assert_array_equal(start_of_last_stretch(holds), [4, 6, 9, np.nan, np.nan])


@pytest.mark.parametrize("share", [0.95, 0.5])
def test_bounds_are_scipys_t_interval_of_the_parents_means(share: float) -> None:
    values = xr.DataArray(np.random.default_rng(0).normal(size=(2, 5, 3)), dims=["fork_epoch", "parent", "pair"])
    found = bounds(values, share)
    for fork in range(2):
        own = values[fork].mean("pair").values
        wanted = stats.t.interval(share, 4, own.mean(), stats.sem(own))
        np.testing.assert_allclose(found[fork].sel(bound=["low", "high"]), wanted)


def test_bounds_have_their_nominal_coverage_and_are_nan_for_one_parent() -> None:
    values = xr.DataArray(np.random.default_rng(1).normal(3, 2, size=(4000, 3, 1)), dims=["run", "parent", "pair"])
    found = bounds(values)
    holds = (found.sel(bound="low") < 3) & (found.sel(bound="high") > 3)
    assert float(holds.mean()) == pytest.approx(0.95, abs=0.015)
    assert bounds(values.isel(parent=[0])).isnull().all()


@pytest.mark.parametrize("count", [3, 12])
def test_the_jackknife_of_sums_is_the_interval_of_what_is_summed(count: int) -> None:
    own = np.random.default_rng(count).normal(size=(2, count))
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    sums = xr.DataArray(
        [[each[i] + each[j] for i, j in pairs] for each in own],
        coords={"pair": [f"{i}-{j}" for i, j in pairs]},
        dims=["layer", "pair"],
    )
    twice = xr.DataArray(2 * own[..., None], dims=["layer", "parent", "pair"])
    found = jackknife(sums)
    np.testing.assert_allclose(bounds(found), bounds(twice))
    np.testing.assert_allclose(found.mean(["parent", "pair"]), sums.mean("pair"))


def test_the_jackknife_needs_three_networks_and_all_values() -> None:
    assert jackknife(xr.DataArray([1.0], coords={"pair": ["0-1"]})).isnull().all()
    values = xr.DataArray([1.0, np.nan, 2.0], coords={"pair": ["0-1", "0-2", "1-2"]})
    assert bounds(jackknife(values)).isnull().all()
