"""How well one quantity predicts another over the pairs of a run, and what stands out from their scatter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import xarray as xr
from scipy import stats

from lmc_utils.settings import Settings, require, require_choice


@dataclass(frozen=True)
class Bootstrap(Settings):
    """How intervals are found.

    Attributes:
        resamples: bootstrap samples.

    >>> Bootstrap(resamples=1)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: resamples: expected at least 100, got 1
    """

    resamples: int = 2000

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"resamples": 200}}

    def check(self) -> None:
        require(self.resamples >= 100, "resamples", "at least 100", self.resamples)


class Correlation(NamedTuple):
    """A correlation coefficient and the ends of its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float

    def __float__(self) -> float:
        return self.estimate

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


def _values(values: np.ndarray) -> np.ndarray:
    return values


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.asarray(stats.rankdata(values, axis=-1))


METHODS = {"pearson": _values, "spearman": _ranks}


def correlation(
    prediction: xr.DataArray, truth: xr.DataArray, method: str, resamples: int = 2000, seed: int = 0
) -> Correlation:
    """Correlation of two arrays over all their elements, with a percentile bootstrap interval over elements.

    Elements that share a parent are not independent, so the interval is, if anything, too narrow.

    Args:
        prediction, truth: the same dimensions in any order; elements that are not finite in either are left out.
        method: `pearson`, of the values, or `spearman`, of their ranks.
        resamples: bootstrap samples; resamples without any spread are left out.
        seed: of the resampling.

    Returns:
        NaN, all three, where fewer than three elements are left.

    Raises:
        ParameterError: the method is not known.

    >>> x = xr.DataArray([1.0, 2.0, 3.0, 4.0], dims="pair")
    >>> correlation(x, x**3, "spearman").estimate
    1.0
    """
    require_choice("method", method, METHODS)
    first, second = xr.broadcast(*xr.align(prediction, truth, join="exact"))
    pairs = np.stack([first.values.ravel(), second.transpose(*first.dims).values.ravel()])
    pairs = pairs[:, np.isfinite(pairs).all(0)]
    if pairs.shape[1] < 3:
        return Correlation(np.nan, np.nan, np.nan)
    rows = np.random.default_rng(seed).integers(pairs.shape[1], size=(resamples, pairs.shape[1]))
    transform = METHODS[method]
    estimates = _pearson(transform(pairs[0][rows]), transform(pairs[1][rows]))
    low, high = np.nanquantile(estimates, [0.025, 0.975])
    estimate = _pearson(transform(pairs[0]), transform(pairs[1]))
    return Correlation(float(estimate), float(low), float(high))


def exceeds_noise(values: xr.DataArray, errors: float = 2.0) -> xr.DataArray:
    """Whether the mean over all pairs stands more than so many standard errors above zero.

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


def since(holds: xr.DataArray, dim: str = "epoch") -> xr.DataArray:
    """From which coordinate on something holds without a break up to the last; NaN where it does not hold there.

    >>> float(since(xr.DataArray([True, False, True, True], coords={"epoch": [0, 5, 10, 15]})))
    10.0
    """
    backwards = holds.isel({dim: slice(None, None, -1)}).astype(int)
    lasts = backwards.cumprod(dim).astype(bool).assign_coords({dim: backwards[dim]})
    return lasts[dim].where(lasts).min(dim)


def _pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    first = first - first.mean(-1, keepdims=True)
    second = second - second.mean(-1, keepdims=True)
    spread = np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((first * second).sum(-1) / spread)
