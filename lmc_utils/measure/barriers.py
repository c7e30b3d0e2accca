"""Definitions of a barrier, as pure functions of labelled arrays along a line.

Each raises ValueError where the line lacks an alpha that it needs: 0 and 1, and 1/2 for barriers at the midpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

__all__ = [
    "loss_barrier",
    "barrier_height",
    "barrier_position",
    "midpoint_barrier",
    "error_barrier",
    "of_each_statistics",
    "highest_position",
    "layer_rise",
    "between_endpoints",
]

Values = np.ndarray[Any, np.dtype[Any]]

STABLE_BELOW = 2.0  # percentage points of error: Frankle et al. (2020, section 2) call siblings below it stable


def loss_barrier(values: xr.DataArray) -> xr.DataArray:
    """Height of a curve above the chord between its endpoints, for every alpha.

    B(a) = L(a) - (1 - a) L(0) - a L(1), as on the poster (Singh et al., arXiv 2406.16300).

    Args:
        values: loss (or error) with a dimension `alpha` that holds 0 and 1.

    Returns:
        The same shape and unit; zero at both ends. Beyond the ends the chord is extended as a straight line.

    >>> loss_barrier(xr.DataArray([1.0, 5.0, 3.0], coords={"alpha": [0.0, 0.5, 1.0]}))
    <xarray.DataArray (alpha: 3)> Size: 24B
    array([0., 3., 0.])
    Coordinates:
      * alpha    (alpha) float64 24B 0.0 0.5 1.0
    """
    require_alphas(values, (0.0, 1.0))
    axis = values.get_axis_num("alpha")
    with np.errstate(invalid="ignore"):  # infinite values give NaN
        above = _above_chord(np.moveaxis(values.values, axis, -1), values.alpha.values)
    return xr.DataArray(np.moveaxis(above, -1, axis), values.coords, values.dims, attrs=values.attrs)


def barrier_height(values: xr.DataArray) -> xr.DataArray:
    """The largest loss barrier between the endpoints, max over alpha in [0, 1] of B(alpha); never below 0.

    >>> float(barrier_height(xr.DataArray([9.0, 1.0, 5.0, 3.0], coords={"alpha": [-1.0, 0.0, 0.5, 1.0]})))
    3.0
    """
    return _of_each_curve(
        values, (0.0, 1.0), lambda curves, alpha: _above_chord(curves, alpha)[..., _between(alpha)].max(-1)
    )


def barrier_position(values: xr.DataArray) -> xr.DataArray:
    """The alpha in [0, 1] at which the barrier is highest; the first one of several, NaN where a value is NaN.

    >>> float(barrier_position(xr.DataArray([1.0, 5.0, 4.0, 3.0], coords={"alpha": [0.0, 0.3, 0.6, 1.0]})))
    0.3
    """

    def highest(curves: Values, alpha: Values) -> Values:
        inside = _above_chord(curves, alpha)[..., _between(alpha)]
        return np.where(np.isnan(inside).any(-1), np.nan, alpha[_between(alpha)][inside.argmax(-1)])

    return _of_each_curve(values, (0.0, 1.0), highest).rename("alpha")


def midpoint_barrier(values: xr.DataArray) -> xr.DataArray:
    """The barrier at the midpoint, B(1/2): the value at the average of the siblings minus the average of their values.

    It is signed: where averaging two siblings helps, it is negative.

    >>> float(midpoint_barrier(xr.DataArray([3.0, 1.0, 5.0], coords={"alpha": [0.0, 0.5, 1.0]})))
    -3.0
    """
    return _of_each_curve(
        values, (0.0, 0.5, 1.0), lambda curves, alpha: _at(_above_chord(curves, alpha), alpha, 0.5)[..., 0]
    )


def error_barrier(errors: xr.DataArray) -> xr.DataArray:
    """The error barrier of Frankle et al. (2020): the largest error between the endpoints minus the endpoints' mean.

    Args:
        errors: error in percent, with a dimension `alpha` that holds 0 and 1.

    Returns:
        Percentage points, without the dimension `alpha`.

    >>> float(error_barrier(xr.DataArray([10.0, 50.0, 30.0], coords={"alpha": [0.0, 0.5, 1.0]})))
    30.0
    """

    def above_mean(curves: Values, alpha: Values) -> Values:
        ends = (_at(curves, alpha, 0.0) + _at(curves, alpha, 1.0)) / 2
        above: Values = (curves[..., _between(alpha)] - ends).max(-1)
        return above

    return _of_each_curve(errors, (0.0, 1.0), above_mean).rename(errors.name).assign_attrs(units="percentage points")


def of_each_statistics(
    definition: Callable[[xr.DataArray], xr.DataArray], measured: xr.Dataset, name: str
) -> xr.DataArray:
    """Barrier by one of the definitions above; if statistics are kept, the mean of the two barriers.

    If batch-norm statistics are kept, there are two curves, one with the statistics of each network. The barrier is the
    mean of both barriers, never that of the mean curve, which is lower.

    Args:
        definition: such as `error_barrier`.
        measured: from `points.measure`: scores, and under the convention `keep` also the scores with each end's
            statistics, such as `loss_kept`, with the dimension `kept`.
        name: loss or error.

    >>> curves = xr.DataArray([[0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 8.0, 0.0]], dims=("kept", "alpha"))
    >>> curves = curves.assign_coords(alpha=[0.0, 0.4, 0.6, 1.0])
    >>> both = xr.Dataset({"loss": curves.mean("kept"), "loss_kept": curves})
    >>> float(of_each_statistics(barrier_height, both, "loss")), float(barrier_height(both.loss))
    (6.0, 4.0)
    """
    barrier = definition(measured.get(f"{name}_kept", measured[name]))
    return barrier.mean("kept", skipna=False, keep_attrs=True) if "kept" in barrier.dims else barrier


def highest_position(measured: xr.Dataset, name: str) -> xr.DataArray:
    """`barrier_position`; if statistics are kept, that of the higher barrier. Arguments as in `of_each_statistics`."""
    above = loss_barrier(measured.get(f"{name}_kept", measured[name]))
    return barrier_position(above.max("kept", skipna=False) if "kept" in above.dims else above)


def layer_rise(values: xr.DataArray) -> xr.DataArray:
    """Rise of the loss (or error) if only one layer moves to the midpoint, mean over both ends.

    Args:
        values: dimensions end, layer and alpha (holding 0 and 1/2), as `lines.layer_line` measures them.
    """
    require_alphas(values, (0.0, 0.5))
    rise = values.sel(alpha=0.5, drop=True) - values.sel(alpha=0.0, drop=True)
    return rise.mean("end", skipna=False).assign_attrs(values.attrs)


def between_endpoints(values: xr.DataArray) -> xr.DataArray:
    """The part of a line from one endpoint to the other."""
    return values.isel(alpha=np.flatnonzero(_between(values.alpha.values)))


def require_alphas(values: xr.DataArray, alphas: tuple[float, ...]) -> None:
    """Raise ValueError, naming the missing ones, unless the line holds these alphas."""
    missing = np.setdiff1d(alphas, values.alpha.values).tolist()
    if missing:
        raise ValueError(f"alpha: expected a line through {list(alphas)}, it lacks {missing}")


def _of_each_curve(
    values: xr.DataArray, alphas: tuple[float, ...], reduce: Callable[[Values, Values], Values]
) -> xr.DataArray:
    """Reduce each curve to a number, in NumPy, which is many times faster than xarray.

    Args:
        values: with a dimension `alpha`.
        alphas: values that it must hold.
        reduce: called with the curves, along their last axis, and their alphas; returns the numbers.
    """
    require_alphas(values, alphas)
    curves = np.moveaxis(values.values, values.get_axis_num("alpha"), -1)
    coords = {name: each for name, each in values.coords.items() if "alpha" not in each.dims}
    dims = [dim for dim in values.dims if dim != "alpha"]
    with np.errstate(invalid="ignore"):  # infinite values give NaN
        return xr.DataArray(reduce(curves, values.alpha.values), coords, dims, attrs=values.attrs)


def _above_chord(curves: Values, alpha: Values) -> Values:
    above: Values = curves - ((1 - alpha) * _at(curves, alpha, 0.0) + alpha * _at(curves, alpha, 1.0))
    return above


def _at(curves: Values, alpha: Values, place: float) -> Values:
    return curves[..., [int(np.flatnonzero(alpha == place)[0])]]


def _between(alpha: Values) -> Values:
    return (alpha >= 0) & (alpha <= 1)
