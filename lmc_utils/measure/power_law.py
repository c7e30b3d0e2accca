"""Test of a power law for how something depends on a parameter, by a rule that is fixed beforehand."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

__all__ = ["power_law", "PowerLaw", "WITHIN"]

WITHIN = 1.25  # the mean at every value of the parameter has to lie within this factor of the law

Array = np.ndarray[Any, Any]


class PowerLaw(NamedTuple):
    """y = factor * x ** exponent, where it holds.

    Attributes:
        exponent: with its 95 % interval, `low` to `high`.
        factor: in the unit of y.
        worst: by which factor the geometric mean is off the law at the value where it is off most.
        holds: whether the interval excludes 0, `worst` is at most `WITHIN`, and the law itself spans more than that
            factor, so that a constant would not do as well.
    """

    exponent: float
    low: float
    high: float
    factor: float
    worst: float
    holds: bool


def power_law(values: xr.DataArray, resamples: int = 2000, seed: int = 0) -> PowerLaw:
    """Least squares through the logarithms, with a bootstrap over parents for the exponent.

    Args:
        values: two dimensions: `parent`, and the parameter; at least three of its values. NaN is left out, and so is a
            value of the parameter that has nothing else, or is not positive.
        resamples: bootstrap samples.
        seed: of the resampling.

    Returns:
        NaN, and a law that does not hold, where a value is zero or negative, which no power law is, or where fewer than
        three values of the parameter are left.

    >>> x = xr.DataArray([1.0, 2.0, 4.0], coords={"rate": [1.0, 2.0, 4.0]})
    >>> law = power_law((3 * x**2).expand_dims(parent=2))
    >>> round(law.exponent, 6), round(law.factor, 6), law.holds
    (2.0, 3.0, True)
    """
    (axis,) = set(values.dims) - {"parent"}
    positive = values.transpose("parent", axis)
    positive = positive.isel({axis: (positive.notnull().any("parent") & (positive[axis] > 0)).values})
    x, y = np.log(positive[axis].values.astype(float)), positive.values
    if len(x) < 3 or (y[np.isfinite(y)] <= 0).any():
        return PowerLaw(np.nan, np.nan, np.nan, np.nan, np.nan, False)
    logs = np.log(y)
    exponent, start = _line(x, logs)
    draws = np.random.default_rng(seed).integers(len(logs), size=(resamples, len(logs)))
    drawn = [_line(x, logs[rows])[0] for rows in draws]
    low, high = (float(end) for end in np.nanquantile(drawn, [0.025, 0.975]))
    off = np.nanmean(logs, axis=0) - (start + exponent * x)
    worst = float(np.exp(np.abs(off).max()))
    spans = abs(exponent) * float(np.ptp(x)) > np.log(WITHIN)
    holds = bool((low > 0 or high < 0) and worst <= WITHIN and spans)
    return PowerLaw(exponent, low, high, float(np.exp(start)), worst, holds)


def _line(x: Array, rows: Array) -> tuple[float, float]:
    """Slope and start of the straight line through all points that are finite; NaN where they share one x."""
    xs, ys = np.broadcast_to(x, rows.shape)[np.isfinite(rows)], rows[np.isfinite(rows)]
    if np.ptp(xs) == 0:
        return np.nan, np.nan
    slope, start = np.polyfit(xs, ys, 1)
    return float(slope), float(start)
