"""Prediction of one quantity by another over the pairs of a run, and what stands out from their scatter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import xarray as xr
from scipy import stats

from lmc_utils.settings import Settings, at_least, parameter, require_choice

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Bootstrap(Settings):
    """Settings for intervals.

    >>> Bootstrap(resamples=1)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: resamples must be >= 100 (got 1)
    """

    resamples: int = parameter(2000, "bootstrap resamples", at_least(100), bytes_each=64)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"resamples": 200}}

    def correlation(self, prediction: xr.DataArray, truth: xr.DataArray, *, method: str = "spearman") -> Correlation:
        """The correlation of two arrays, with as many resamples; see the function `correlation`."""
        return correlation(prediction, truth, method, resamples=self.resamples)

    def correlations(
        self, predictions: Mapping[str, xr.DataArray], truth: xr.DataArray, *, method: str = "spearman"
    ) -> dict[str, Correlation]:
        """The correlation of each of several predictions with the truth, under its name."""
        return {name: self.correlation(each, truth, method=method) for name, each in predictions.items()}


class Correlation(NamedTuple):
    """A correlation coefficient and the ends of its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float

    def __float__(self) -> float:
        return self.estimate

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


METHODS: dict[str, Callable[[Array], Array]] = {
    "pearson": lambda values: values,
    "spearman": lambda values: np.asarray(stats.rankdata(values, axis=-1, nan_policy="omit")),
}


def correlation(
    prediction: xr.DataArray, truth: xr.DataArray, method: str, *, resamples: int = 2000, seed: int = 0
) -> Correlation:
    """Correlation of two arrays over all their elements, with a percentile bootstrap interval over parents.

    Elements that share a parent are not independent. So a resample draws as many parents as there are, with
    replacement, and takes all the elements of each (a cluster bootstrap: Davison and Hinkley 1997, section 3.8). With
    few parents there are few different resamples, 10 with three, and the interval is coarse and too narrow.

    Args:
        prediction, truth: the same dimensions in any order, among them `parent`; elements that are not finite in either
            are left out.
        method: `pearson`, of the values, or `spearman`, of their ranks.
        resamples: bootstrap samples; resamples without any spread are left out.
        seed: of the resampling.

    Returns:
        NaN, all three, where fewer than three elements are left; an interval of NaN where there is but one parent.

    Raises:
        ParameterError: the method is not known.

    >>> x = xr.DataArray([[1.0, 2.0], [3.0, 4.0]], dims=["parent", "pair"])
    >>> correlation(x, x**3, "spearman")
    Correlation(estimate=1.0, low=1.0, high=1.0)
    """
    require_choice("method", method, METHODS)
    first, second = xr.broadcast(*xr.align(prediction, truth, join="exact"))
    parents = first.sizes.get("parent", 1)
    both = np.stack(
        [each.transpose("parent", ..., missing_dims="ignore").values.reshape(parents, -1) for each in (first, second)]
    )
    finite = np.isfinite(both).all(0)
    if finite.sum() < 3:
        return Correlation(np.nan, np.nan, np.nan)
    both = np.where(finite, both, np.nan)
    draws = np.random.default_rng(seed).integers(parents, size=(resamples, parents))
    # The same parents are drawn many times where there are few: three have 27 different draws.
    different, places = np.unique(draws, axis=0, return_inverse=True)
    resampled = _correlate(both[:, different].reshape(2, len(different), -1), method)[places]
    finite_draws = resampled[np.isfinite(resampled)]
    low, high = np.quantile(finite_draws, [0.025, 0.975]) if parents > 1 and len(finite_draws) else (np.nan, np.nan)
    return Correlation(float(_correlate(both.reshape(2, -1), method)), float(low), float(high))


def exceeds_noise(values: xr.DataArray, errors: float = 2.0) -> xr.DataArray:
    """True where the mean over all pairs stands more than so many standard errors above zero.

    Pairs of one parent share their start, and some of them a sibling, so each parent counts once, with the mean of its
    pairs. A convention rather than a test: with three parents the bound of a one-sided 95 % test would be 2.9.

    Args:
        values: dimensions parent and pair, and any others; with fewer than two parents nothing exceeds the noise.
        errors: standard errors of the mean.

    >>> exceeds_noise(xr.DataArray([[[1.0, 1.1, 0.9]], [[2.0, -1.0, 0.5]]], dims=["epoch", "pair", "parent"])).values
    array([ True, False])
    """
    of_parents = values.mean("pair", skipna=False)
    count = of_parents.sizes["parent"]
    if count < 2:
        return xr.zeros_like(of_parents.mean("parent"), dtype=bool)
    return of_parents.mean("parent", skipna=False) > errors * of_parents.std(
        "parent", ddof=1, skipna=False
    ) / math.sqrt(count)


def bounds(values: xr.DataArray, confidence: float = 0.95) -> xr.DataArray:
    """The ends of the interval that holds the mean over parents with this confidence, by Student's t distribution.

    Each parent counts once, with the mean of its pairs, see `exceeds_noise`. It supposes that parents' means scatter as
    a normal distribution does, and with few parents it is wide: with three, 2.5 standard deviations either way.

    Args:
        values: dimensions parent and pair, and any others.
        confidence: the confidence.

    Returns:
        The other dimensions, then `bound` (low, high); NaN where there are fewer than two parents.

    >>> bounds(xr.DataArray([[1.0], [2.0], [3.0]], dims=["parent", "pair"])).values.round(2).tolist()
    [-0.48, 4.48]
    """
    of_parents = values.mean("pair", skipna=False)
    count, middle = of_parents.sizes["parent"], of_parents.mean("parent", skipna=False)
    error = of_parents.std("parent", ddof=min(1, count - 1), skipna=False) / math.sqrt(count)
    away = error * (stats.t.ppf((1 + confidence) / 2, count - 1) if count > 1 else np.nan)
    interval = xr.concat([middle - away, middle + away], xr.Variable("bound", ["low", "high"]))
    return interval.transpose(..., "bound")


def jackknife(values: xr.DataArray) -> xr.DataArray:
    """One value for each of several networks from values of all pairs of them, for `bounds` of the mean over pairs.

    Pairs that share a network are not independent, so a t interval over pairs is too narrow. The jackknife leaves out
    one network at a time, with all its pairs; the pseudo-value of a network is n times the mean over all pairs, less
    n - 1 times the mean over those that are left (Arvesen 1969). Where a pair's value is a sum of something of either
    network, the pseudo-value is twice that of its network, and the interval is the usual one.

    Args:
        values: dimension pair, labelled as "0-1", and any others; all pairs of the networks.

    Returns:
        The other dimensions, with `parent`, the networks, and `pair`, of length 1; NaN with fewer than three networks.

    >>> sums = xr.DataArray([1.0 + 2.0, 1.0 + 6.0, 2.0 + 6.0], coords={"pair": ["0-1", "0-2", "1-2"]})
    >>> jackknife(sums).squeeze("pair").values.tolist()
    [2.0, 4.0, 12.0]
    """
    members = [str(label).split("-") for label in values["pair"].values]
    networks = sorted({name for pair in members for name in pair}, key=int)
    count = len(networks)
    kept = xr.DataArray(
        [[name not in pair for pair in members] for name in networks],
        {"parent": [*map(int, networks)]},
        ["parent", "pair"],
    )
    left = (values * kept).sum("pair", skipna=False) / kept.sum("pair").where(kept.any("pair"))
    return (count * values.mean("pair", skipna=False) - (count - 1) * left).expand_dims("pair", -1)


def start_of_last_stretch(condition: xr.DataArray, dim: str = "epoch") -> xr.DataArray:
    """From which coordinate on something holds without a break up to the last; NaN where it does not hold there.

    >>> float(start_of_last_stretch(xr.DataArray([True, False, True, True], coords={"epoch": [0, 5, 10, 15]})))
    10.0
    """
    backwards = condition.isel({dim: slice(None, None, -1)}).astype(int)
    lasts = backwards.cumprod(dim).astype(bool).assign_coords({dim: backwards[dim]})
    return lasts[dim].where(lasts).min(dim)


def _correlate(both: Array, method: str) -> Array:
    """Correlations of two sets of samples along the last axis, shape (2, ..., samples) to (...); NaN without spread."""
    values = np.stack([METHODS[method](each) for each in both])
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = values - np.nansum(values, -1, keepdims=True) / finite.sum(-1, keepdims=True)
        correlations = np.nansum(first * second, -1) / np.sqrt(np.nansum(first**2, -1) * np.nansum(second**2, -1))
    lowest, highest = np.where(finite, values, np.inf).min(-1), np.where(finite, values, -np.inf).max(-1)
    return np.where((lowest < highest).all(0), correlations, np.nan)
