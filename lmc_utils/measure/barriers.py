"""The definitions of a barrier: pure functions of labelled arrays along a line.

Each raises ValueError where the line lacks an alpha that it needs: 0 and 1, and 1/2 for barriers at the midpoint.
"""

from __future__ import annotations

from collections.abc import Callable

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

STABLE_BELOW = 2.0  # percentage points of error: Frankle et al. (2020, section 2) call siblings below it stable


def loss_barrier(values: xr.DataArray) -> xr.DataArray:
    """Height of a curve above the chord between its endpoints, for every alpha.

    B(a) = L(a) - (1 - a) L(0) - a L(1), as on the poster (Singh et al., arXiv 2406.16300).

    Args:
        values: loss (or error) with a dimension `alpha` that holds 0 and 1.

    Returns:
        The same shape and unit; zero at both ends; beyond them the chord goes on as a straight line.

    >>> loss_barrier(xr.DataArray([1.0, 5.0, 3.0], coords={"alpha": [0.0, 0.5, 1.0]}))
    <xarray.DataArray (alpha: 3)> Size: 24B
    array([0., 3., 0.])
    Coordinates:
      * alpha    (alpha) float64 24B 0.0 0.5 1.0
    """
    require_alphas(values, (0.0, 1.0))
    alpha = values.alpha.variable  # without labels, which would be compared at every step
    first, last = (values.sel(alpha=end).variable for end in (0.0, 1.0))
    above = values.variable - ((1 - alpha) * first + alpha * last)
    return xr.DataArray(above.transpose(*values.dims), values.coords, attrs=values.attrs)


def barrier_height(values: xr.DataArray) -> xr.DataArray:
    """The largest loss barrier between the endpoints, max over alpha in [0, 1] of B(alpha); never below 0.

    >>> float(barrier_height(xr.DataArray([9.0, 1.0, 5.0, 3.0], coords={"alpha": [-1.0, 0.0, 0.5, 1.0]})))
    3.0
    """
    return between_endpoints(loss_barrier(values)).max("alpha", keep_attrs=True, skipna=False)


def barrier_position(values: xr.DataArray) -> xr.DataArray:
    """The alpha in [0, 1] at which the barrier is highest; the first one of several, NaN where a value is NaN.

    >>> float(barrier_position(xr.DataArray([1.0, 5.0, 4.0, 3.0], coords={"alpha": [0.0, 0.3, 0.6, 1.0]})))
    0.3
    """
    inside = between_endpoints(loss_barrier(values))
    return inside.idxmax("alpha").where(inside.notnull().all("alpha")).rename("alpha")


def midpoint_barrier(values: xr.DataArray) -> xr.DataArray:
    """The barrier at the midpoint, B(1/2): the value at the average of the siblings minus the average of their values.

    It is signed: where averaging two siblings helps, it is negative.

    >>> float(midpoint_barrier(xr.DataArray([3.0, 1.0, 5.0], coords={"alpha": [0.0, 0.5, 1.0]})))
    -3.0
    """
    require_alphas(values, (0.0, 0.5, 1.0))
    return loss_barrier(values).sel(alpha=0.5, drop=True)


def error_barrier(errors: xr.DataArray) -> xr.DataArray:
    """The error barrier of Frankle et al. (2020): the largest error between the endpoints minus the endpoints' mean.

    Args:
        errors: error in percent, with a dimension `alpha` that holds 0 and 1.

    Returns:
        Percentage points, without the dimension `alpha`.

    >>> float(error_barrier(xr.DataArray([10.0, 50.0, 30.0], coords={"alpha": [0.0, 0.5, 1.0]})))
    30.0
    """
    require_alphas(errors, (0.0, 1.0))
    ends = errors.sel(alpha=[0.0, 1.0]).mean("alpha", skipna=False)
    highest = between_endpoints(errors).max("alpha", skipna=False)
    return (highest - ends).assign_attrs(errors.attrs | {"units": "percentage points"})


def of_each_statistics(
    definition: Callable[[xr.DataArray], xr.DataArray], measured: xr.Dataset, name: str
) -> xr.DataArray:
    """A barrier by one of the definitions above; where statistics are kept, the mean of two barriers.

    Between networks whose statistics of batch normalisation are kept, there are two curves, one with those of each
    network. The barrier is the mean of both barriers, never that of the mean curve, which is lower.

    Args:
        definition: such as `error_barrier`.
        measured: what `points.measure` returns: scores, and under the convention `keep` also those of each end's
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
    """`barrier_position`; where statistics are kept, that of the higher of both barriers. Arguments as above."""
    above = loss_barrier(measured.get(f"{name}_kept", measured[name]))
    return barrier_position(above.max("kept", skipna=False) if "kept" in above.dims else above)


def layer_rise(values: xr.DataArray) -> xr.DataArray:
    """Rise of the loss (or error) when one layer alone goes to the midpoint, mean over both ends.

    Args:
        values: dimensions end, layer and alpha (holding 0 and 1/2), as `lines.layer_line` measures them.
    """
    require_alphas(values, (0.0, 0.5))
    rise = values.sel(alpha=0.5, drop=True) - values.sel(alpha=0.0, drop=True)
    return rise.mean("end", skipna=False).assign_attrs(values.attrs)


def between_endpoints(values: xr.DataArray) -> xr.DataArray:
    """The part of a line from one endpoint to the other."""
    alpha = values.alpha.values
    return values.isel(alpha=np.flatnonzero((alpha >= 0) & (alpha <= 1)))


def require_alphas(values: xr.DataArray, alphas: tuple[float, ...]) -> None:
    """Raise ValueError, naming what is missing, unless the line holds these alphas."""
    missing = np.setdiff1d(alphas, values.alpha.values).tolist()
    if missing:
        raise ValueError(f"alpha: expected a line through {list(alphas)}, it lacks {missing}")
