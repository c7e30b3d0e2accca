"""Correlations and intervals compared with SciPy, and coverage of intervals."""

import itertools
import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from lmc_utils.measure.statistics import (
    FEWEST_PARENTS,
    bounds,
    by_fork,
    correlation,
    intraclass_correlation,
    jackknife,
    stands_out,
    start_of_last_stretch,
)
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
    """Quantities of unit variance and correlation 1/2, of which pairs of one parent share a given part."""
    generator = np.random.default_rng(seed)
    common, own = (generator.normal(size=(3, parents, size)) for size in (1, pairs))
    both = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    x, y = ((both[0] + each) / np.sqrt(2) for each in both[1:])
    return xr.DataArray(x, dims=["parent", "pair"]), xr.DataArray(y, dims=["parent", "pair"])


def ranked(normal: float) -> float:
    """Spearman's correlation of normal quantities with this linear one, in many samples."""
    return 6 / np.pi * np.arcsin(normal / 2)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_with_the_fewest_parents_the_interval_of_one_pair_a_parent_covers_what_it_should(
    rho: float, partial: bool
) -> None:
    """Normal samples; where a third quantity is given, both owe it correlations of .7 and have rho without it."""
    trials, generator, with_third = 200, np.random.default_rng(0), 0.7 if partial else 0.0
    owed = with_third**2
    first, second, third = generator.normal(size=(3, trials, FEWEST_PARENTS))
    second = rho * first + np.sqrt(1 - rho**2) * second
    x, y = (
        xr.DataArray(with_third * third + np.sqrt(1 - owed) * own, dims=["trial", "parent"]) for own in (first, second)
    )
    given = xr.DataArray(third, dims=["trial", "parent"]) if partial else None
    both, with_given = ranked(rho * (1 - owed) + owed), ranked(with_third)
    true = (both - with_given**2) / (1 - with_given**2)
    found = [correlation(x[i], y[i], given=None if given is None else given[i]) for i in range(trials)]
    held = [each.low <= true <= each.high for each in found if np.isfinite(each.low)]
    assert len(held) > 0.95 * trials
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize("within", [None, "fork_epoch"])
def test_with_the_fewest_parents_the_interval_over_forks_covers_what_it_should(within: str | None) -> None:
    """Four forks, between which both quantities fall, and whose quantities share half of their variance by parent."""
    dims, generator = ["fork_epoch", "parent"], np.random.default_rng(1)

    def draw(parents: int) -> list[xr.DataArray]:
        own, of_parent = generator.normal(size=(2, 4, parents)), generator.normal(size=(2, 1, parents))
        first, second = (own + of_parent) / np.sqrt(2)
        falls = 2.0 * np.arange(4)[:, None]
        return [xr.DataArray(each - falls, dims=dims) for each in (first, 0.5 * first + np.sqrt(0.75) * second)]

    many = [values.stack(all=dims) if within is None else values[0] for values in draw(20_000)]
    true = stats.spearmanr(*many)[0]
    found = [correlation(*draw(FEWEST_PARENTS), within=within) for _ in range(200)]
    assert np.mean([each.low <= true <= each.high for each in found]) >= 0.9


def test_within_a_fork_what_distinguishes_forks_does_not_count() -> None:
    """Of each fork the two are unrelated; over all of them the fork orders both."""
    generator = np.random.default_rng(2)
    x, y = (xr.DataArray(generator.normal(size=(3, 200)), dims=["fork_epoch", "parent"]) for _ in range(2))
    fork = xr.DataArray([0.0, 9.0, 99.0], dims="fork_epoch")
    assert correlation(x + fork, y + fork).estimate > 0.85
    assert abs(correlation(x + fork, y + fork, within="fork_epoch").estimate) < 0.1
    means = np.mean([stats.spearmanr(x[i], y[i])[0] for i in range(3)])
    assert correlation(x, np.exp(y), within="fork_epoch").estimate == pytest.approx(means), "equally many pairs a fork"


def test_a_partial_correlation_is_that_of_the_residuals() -> None:
    x, y, z = np.random.default_rng(3).normal(size=(3, 40))
    x, y = x + z, y - 2 * z + x
    ranks = [stats.rankdata(each) for each in (x, y, z)]
    left = [ranks[i] - np.polyval(np.polyfit(ranks[2], ranks[i], 1), ranks[2]) for i in (0, 1)]
    first, second, third = (xr.DataArray(each, dims="parent") for each in (x, y, z))
    assert float(correlation(first, second, given=third)) == pytest.approx(stats.pearsonr(*left)[0])
    assert np.isnan(correlation(first, third, given=third)).all(), "nothing is left of it"


def test_fewer_parents_have_no_interval() -> None:
    x, y = family(FEWEST_PARENTS - 1, 4, 0.0)
    found = correlation(x, y, "pearson")
    assert np.isfinite(found.estimate)
    assert np.isnan([found.low, found.high]).all()
    assert str(found).endswith("no interval")


def test_leaving_out_pairs_instead_of_parents_undercovers() -> None:
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
    x, y = family(12, 4, 0.0)
    x[0] = np.nan
    assert np.isfinite(correlation(x, y, method)).all()


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


def test_two_pairs_have_no_correlation() -> None:
    assert np.isnan(correlation(*sample(2, 0.5), "pearson")).all()


def test_invalid_arguments_are_rejected() -> None:
    x, y = sample(5, 0.5)
    with pytest.raises(ParameterError, match="did you mean 'spearman'"):
        correlation(x, y, "spearmann")


def test_what_stands_out_has_an_interval_above_zero_of_parents_not_pairs() -> None:
    values = xr.DataArray(np.random.default_rng(0).normal(1, 1, size=(50, 4, 3)), dims=["epoch", "parent", "pair"])
    expected = stats.ttest_1samp(values.values.mean(-1), 0, axis=1, alternative="greater").pvalue < 0.025
    assert 0 < expected.sum() < 50
    np.testing.assert_array_equal(stands_out(values), expected)
    np.testing.assert_array_equal(stands_out(values.isel(pair=[0, 1, 2] * 6)), expected)
    assert not stands_out(values.isel(parent=[0])).any()
    assert not stands_out(values.where(values.pair > 0)).any()  # NaN is no evidence


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


def test_by_fork_asks_each_fork_all_within_and_all_together() -> None:
    x, y, z = (xr.DataArray(each, {"fork_epoch": [0, 7]}, ["fork_epoch", "parent"]) for each in _three(12))
    found = by_fork(x, y, given=z)
    assert list(found) == ["fork 0", "fork 7", "within forks", "across forks"]
    assert found["fork 7"] == correlation(x[1], y[1], given=z[1])
    assert found["within forks"] == correlation(x, y, given=z, within="fork_epoch")
    assert found["across forks"] == correlation(x, y, given=z)


def _three(parents: int) -> np.ndarray:
    return np.random.default_rng(4).normal(size=(3, 2, parents))


PAIRS = list(itertools.combinations(range(4), 2))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_intraclass_correlation_is_the_parents_part_and_its_interval_covers_it(share: float) -> None:
    """A pair's value is the sum of an effect of its parent, one of each sibling, and one of its own.

    Over 1,000 samples, coverage is 91 to 94 % for parts of 0 to 0.75, with ten parents and with twenty.
    """
    rng, covered, estimates, parents = np.random.default_rng(0), 0, [], 20
    for _ in range(300):
        siblings = rng.normal(size=(parents, 4)) * math.sqrt((1 - share) / 4)
        own = rng.normal(size=(parents, len(PAIRS))) * math.sqrt((1 - share) / 2)
        of_parent = rng.normal(size=(parents, 1)) * math.sqrt(share)
        values = of_parent + own + np.stack([siblings[:, i] + siblings[:, j] for i, j in PAIRS], axis=1)
        found = intraclass_correlation(
            xr.DataArray(values, {"pair": [f"{i}-{j}" for i, j in PAIRS]}, ["parent", "pair"])
        )
        estimates.append(found.estimate)
        covered += found.low <= share <= found.high
    assert np.mean(estimates) == pytest.approx(share, abs=0.1)
    assert covered / 300 >= 0.9
