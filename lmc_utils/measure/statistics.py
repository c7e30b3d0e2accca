"""Correlations over the pairs of a run, confidence intervals, and comparison with noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy import stats

from lmc_utils.settings import require_choice

Array = np.ndarray[Any, Any]


class Correlation(NamedTuple):
    """A correlation coefficient and the ends of its 95 % interval over parents (NaN without an interval)."""

    estimate: float
    low: float
    high: float

    def __float__(self) -> float:
        return self.estimate

    def __str__(self) -> str:
        ends = ", no interval" if math.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.estimate:.3f}{ends}"


METHODS: dict[str, Callable[[Array], Array]] = {
    "pearson": lambda values: values,
    "spearman": lambda values: np.asarray(stats.rankdata(values, axis=-1, nan_policy="omit")),
}
# For normal samples with one pair per parent, 95 % intervals of rank correlations of .9 cover 76 % with five parents,
# and partial ones 86 % with eight; with ten parents, coverage is at least 90 % in all tested cases, see the tests.
FEWEST_PARENTS = 10
_NOTHING = 1e-6  # a spread below this is rounding: the third quantity explains all of it


def correlation(
    prediction: xr.DataArray,
    truth: xr.DataArray,
    method: str = "spearman",
    *,
    within: str | None = None,
    given: xr.DataArray | None = None,
) -> Correlation:
    """Correlation of two arrays over their elements, with a t interval over parents.

    Elements that share a parent are not independent, so parents are left out one at a time, each with all its elements
    (jackknife, Tukey 1958). The interval is computed for arcsin r, whose error hardly depends on r and which is finite
    for a perfect correlation. Rank correlations are biased towards zero in small samples, by a few hundredths for ten
    elements; the interval is for samples of the given size.

    Args:
        prediction, truth: the same dimensions in any order, among them `parent`; elements that are not finite in any
            argument are left out.
        method: `pearson`, of the values, or `spearman`, of their ranks.
        within: a dimension; values are ranked and centred within each of its labels, so that differences between labels
            do not count.
        given: a third array, whose linear effect on both is removed (partial correlation); on ranks for `spearman`.

    Returns:
        All three are NaN if fewer than three elements are left or one array is constant; the interval is NaN if there
        are fewer parents than `FEWEST_PARENTS`, or leaving any of them out changes nothing.

    Raises:
        ParameterError: the method is not known.

    >>> x = xr.DataArray([[1.0, 2.0, 3.0], [30.0, 20.0, 10.0]], dims=["fork_epoch", "parent"])
    >>> y = xr.DataArray([[1.0, 2.0, 3.0], [13.0, 12.0, 11.0]], dims=["fork_epoch", "parent"])
    >>> print(correlation(x, -y, within="fork_epoch"))
    -1.000, no interval
    """
    require_choice("method", method, METHODS)
    arrays = [prediction, truth] if given is None else [prediction, truth, given]
    shared = xr.broadcast(*xr.align(*arrays, join="exact"))
    groups, parents = shared[0].sizes.get(within, 1), shared[0].sizes.get("parent", 1)
    order = [*filter(None, [within]), "parent", ...]
    values = np.stack(
        [each.transpose(*order, missing_dims="ignore").values.reshape(groups, parents, -1) for each in shared]
    )
    finite = np.isfinite(values).all(0)
    if finite.sum() < 3:
        return Correlation(np.nan, np.nan, np.nan)
    taking_part = np.flatnonzero(finite.any((0, 2)))
    samples = np.repeat(np.where(finite, values, np.nan)[:, None], 1 + len(taking_part), 1)
    for place, parent in enumerate(taking_part, 1):
        samples[:, place, :, parent] = np.nan
    found = _correlate(samples.reshape(*samples.shape[:3], -1), method)
    low, high = _jackknifed(np.arcsin(found)) if len(taking_part) >= FEWEST_PARENTS else (np.nan, np.nan)
    return Correlation(float(found[0]), low, high)


def correlations(
    predictions: Mapping[str, xr.DataArray], truth: xr.DataArray, method: str = "spearman", **how: Any
) -> dict[str, Correlation]:
    """The correlation of each of several predictions with the truth, under its name; see `correlation`."""
    return {name: correlation(each, truth, method, **how) for name, each in predictions.items()}


def intraclass_correlation(values: xr.DataArray) -> Correlation:
    """The parents' part of the variance of a quantity of pairs: how two pairs of one parent correlate.

    The intraclass correlation, which knows no order of the two (Fisher 1925). Only pairs without a common sibling are
    compared, as a sibling would make them alike, too. The interval is that of `correlation`.

    Args:
        values: dimensions parent and pair, labelled as "0-1"; all pairs of four or more siblings.

    >>> labels = ["0-1", "0-2", "0-3", "1-2", "1-3", "2-3"]
    >>> alike = xr.DataArray([[1.0] * 6, [2.0] * 6, [4.0] * 6], coords={"parent": [0, 1, 2], "pair": labels})
    >>> round(intraclass_correlation(alike).estimate, 6)
    1.0
    """
    members = [set(str(label).split("-")) for label in values["pair"].values]
    disjoint = [(i, j) for i, j in itertools.combinations(range(len(members)), 2) if not members[i] & members[j]]
    each = values.transpose("parent", "pair").values
    couples = np.stack([each[:, [i for i, _ in disjoint]], each[:, [j for _, j in disjoint]]])

    def angle(kept: Array) -> float:
        centred = couples[:, kept] - couples[:, kept].mean()
        return math.asin(np.clip(centred.prod(0).mean() / (centred**2).mean(), -1, 1))

    parents = np.arange(len(each))
    angles = np.array([angle(parents), *(angle(parents != left) for left in parents)])
    ends = _jackknifed(angles) if len(each) >= FEWEST_PARENTS else (np.nan, np.nan)
    return Correlation(math.sin(angles[0]), *ends)


def by_fork(
    prediction: xr.DataArray, truth: xr.DataArray, *, given: xr.DataArray | None = None
) -> dict[str, Correlation]:
    """Rank correlations over the pairs of each fork epoch, over all pairs within their forks, and across forks.

    Across forks, differences between fork epochs contribute; within forks they do not.

    Args:
        prediction, truth, given: as for `correlation`, with the dimension fork_epoch.
    """
    forks = {
        f"fork {fork}": correlation(
            prediction.sel(fork_epoch=fork),
            truth.sel(fork_epoch=fork),
            given=None if given is None else given.sel(fork_epoch=fork),
        )
        for fork in truth.fork_epoch.values
    }
    within = correlation(prediction, truth, within="fork_epoch", given=given)
    return {**forks, "within forks": within, "across forks": correlation(prediction, truth, given=given)}


def stands_out(values: xr.DataArray) -> xr.DataArray:
    """Whether the 95 % interval of the mean over parents is above zero, see `bounds`.

    Args:
        values: dimensions parent and pair, and any others; with fewer than two parents all results are False.

    >>> stands_out(xr.DataArray([[[1.0, 1.1, 0.9]], [[2.0, -1.0, 0.5]]], dims=["epoch", "pair", "parent"])).values
    array([ True, False])
    """
    return bounds(values).sel(bound="low", drop=True) > 0


def bounds(values: xr.DataArray, confidence: float = 0.95) -> xr.DataArray:
    """Confidence interval of the mean over parents, by Student's t distribution.

    Pairs of one parent share their start, and some of them a sibling, so each parent counts once, with the mean of its
    pairs. The parents' means are assumed to be normally distributed. The interval is wide for few parents: with three,
    2.5 standard deviations to either side.

    Args:
        values: dimensions parent and pair, and any others.
        confidence: the confidence level.

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
    """Jackknife pseudo-values of networks from values of all their pairs, for `bounds` of the mean over pairs.

    Pairs that share a network are not independent, so a t interval over pairs is too narrow. The jackknife leaves out
    one network at a time, with all its pairs; the pseudo-value of a network is n times the mean over all pairs, minus
    (n-1) times the mean over the remaining ones (Arvesen 1969). If a pair's value is the sum of one value for each
    network, the pseudo-value is twice that of its network, and the interval is the usual one.

    Args:
        values: dimension pair, labelled as "0-1", and any others; all pairs of the networks.

    Returns:
        The other dimensions, then `parent` (the networks) and `pair` (of length 1); NaN with fewer than three networks.

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
    """The coordinate from which a condition holds up to the last one without a break; NaN if it fails at the last.

    >>> float(start_of_last_stretch(xr.DataArray([True, False, True, True], coords={"epoch": [0, 5, 10, 15]})))
    10.0
    """
    backwards = condition.isel({dim: slice(None, None, -1)}).astype(int)
    lasts = backwards.cumprod(dim).astype(bool).assign_coords({dim: backwards[dim]})
    return lasts[dim].where(lasts).min(dim)


def _jackknifed(angles: Array) -> tuple[float, float]:
    """The interval of a correlation, from its arcsine with all parents, then without each of them."""
    count = len(angles) - 1
    pseudo = count * angles[0] - (count - 1) * angles[1:]
    away = stats.t.ppf(0.975, count - 1) * pseudo.std(ddof=1) / math.sqrt(count)
    low, high = np.sin(np.clip(angles[0] + np.array([-away, away]), -math.pi / 2, math.pi / 2))
    return (low, high) if low < high else (np.nan, np.nan)


def _correlate(values: Array, method: str) -> Array:
    """(Partial) correlations of two quantities, given a third if there is one, for each sample.

    Ranks and means are taken within each group. NaN where a quantity is constant within all groups.

    Args:
        values: shape (quantities, samples, groups, elements); NaN is left out.
        method: one of `METHODS`.
    """
    values = METHODS[method](values)
    finite = np.isfinite(values)
    lowest, highest = np.where(finite, values, np.inf).min(-1), np.where(finite, values, -np.inf).max(-1)
    spread = (lowest < highest).any(-1).all(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.nan_to_num(values - np.nansum(values, -1, keepdims=True) / finite.sum(-1, keepdims=True))
        products = np.einsum("asge,bsge->sab", centred, centred)
        lengths = np.sqrt(np.einsum("saa->sa", products))
        matrix = products / lengths[:, :, None] / lengths[:, None, :]
        found = matrix[:, 0, 1]
        if len(values) == 3:
            first, second = matrix[:, 0, 2], matrix[:, 1, 2]
            left = np.sqrt((1 - first**2) * (1 - second**2))
            found = np.where(left > _NOTHING, (found - first * second) / left, np.nan)
    return np.where(spread, np.clip(found, -1, 1), np.nan)
