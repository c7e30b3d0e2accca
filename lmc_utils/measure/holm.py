"""One-sided tests of a mean or a correlation against a bound, and Holm's correction for several tests at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from lmc_utils.measure.statistics import Correlation

Array = np.ndarray[Any, np.dtype[np.float64]]


def mean_above(values: Sequence[float] | Array, bound: float, times: int = 1) -> float:
    """The p-value of the hypothesis that the mean of the population is at most the bound, by Student's t test.

    Below 0.025 exactly where the 95 % interval of `statistics.bounds` lies above the bound.

    Args:
        values: independent numbers, such as one for each parent; if all are equal, the p-value is 0, 1/2 or 1.
        bound: in their unit.
        times: as if there were so many times as many values, with the same mean and standard deviation.

    Returns:
        NaN for fewer than two values, or where one is NaN.

    >>> round(mean_above([1.0, 2.0, 3.0], 0.0), 4)
    0.0371
    >>> mean_above([3.0, 3.0], 2.0), mean_above([3.0, 3.0], 4.0)
    (0.0, 1.0)
    """
    mean, error, freedom = _mean_and_error(values)
    return _upper_tail(mean - bound, error / math.sqrt(times), times * (freedom + 1) - 1)


def interval(values: Sequence[float] | Array) -> tuple[float, float, float]:
    """The mean and the ends of its 95 % interval, as `statistics.bounds`, without labels.

    Returns:
        All NaN for fewer than two values, or where one is NaN.

    >>> [round(each, 2) for each in interval([1.0, 2.0, 3.0])]
    [2.0, -0.48, 4.48]
    """
    mean, error, freedom = _mean_and_error(values)
    away = error * float(special.stdtrit(freedom, 0.975)) if freedom else float("nan")
    return mean, mean - away, mean + away


def correlation_above(found: Correlation, bound: float, parents: int, times: int = 1) -> float:
    """The p-value of the hypothesis that a correlation is at most the bound, from its interval over parents.

    The interval is one of Student's t for arcsin r, see `statistics.correlation`, and so is the test.

    Args:
        found: the correlation; without an interval the p-value is NaN.
        bound: between -1 and 1.
        parents: the number of parents.
        times: as if there were so many times as many, with the same correlation and the same spread.

    >>> strong, weak = Correlation(0.5, 0.2, 0.75), Correlation(0.2, -0.1, 0.45)
    >>> correlation_above(strong, 0.0, 10) < 0.025 < correlation_above(weak, 0.0, 10)
    True
    """
    angle, low, high = (math.asin(each) if not math.isnan(each) else each for each in found)
    half = max(high - angle, angle - low)  # an end that is cut off at 1 or -1 is too near
    error = half / float(special.stdtrit(parents - 1, 0.975)) / math.sqrt(times)
    return _upper_tail(angle - math.asin(bound), error, times * parents - 1)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """P-values of several tests, adjusted so that any error at all among them is as unlikely as each says (Holm 1979).

    Args:
        p_values: of all tests of a family; NaN, of tests that could not be made, stay NaN and do not count.

    >>> adjusted([0.01, float("nan"), 0.04, 0.03])
    [0.03, nan, 0.06, 0.06]
    """
    numbers = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(numbers))
    order = made[np.argsort(numbers[made], kind="stable")]
    result = np.full(len(numbers), np.nan)
    result[order] = np.minimum(1.0, np.maximum.accumulate(numbers[order] * np.arange(len(order), 0, -1)))
    return [float(each) for each in result]


def _mean_and_error(values: Sequence[float] | Array) -> tuple[float, float, int]:
    """The mean, its standard error (both NaN for fewer than two values) and the degrees of freedom."""
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2:
        return float("nan"), float("nan"), 0
    return float(numbers.mean()), float(numbers.std(ddof=1)) / math.sqrt(len(numbers)), len(numbers) - 1


def _upper_tail(away: float, error: float, freedom: int) -> float:
    if math.isnan(away + error):
        return float("nan")
    if error <= 0:
        return 0.0 if away > 0 else 1.0 if away < 0 else 0.5
    return float(special.stdtr(freedom, -away / error))
