"""Onset of stability: the fork epoch from which siblings have a low barrier, and other quantities at that epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.measure.barriers import STABLE_BELOW

__all__ = ["stable_from", "at_fork"]

Array = np.ndarray[Any, Any]


def stable_from(barrier: xr.DataArray, below: float = STABLE_BELOW) -> xr.DataArray:
    """The fork epoch from which on the barrier stays below a bound.

    Between the last measured fork that is not below the bound and the next one, the barrier is interpolated linearly.
    For a network that is stable at all forks, the result is the first of them, an upper bound of the onset.

    Args:
        barrier: with a dimension `fork_epoch`, increasing, and any others.
        below: the bound, in the unit of the barrier.

    Returns:
        The other dimensions, in epochs; NaN where the last fork is not below the bound, or a barrier is NaN.

    >>> float(stable_from(xr.DataArray([40.0, 1.0, 4.0, 0.0], coords={"fork_epoch": [0, 1, 2, 10]})))
    6.0
    """
    forks = barrier.fork_epoch.values.astype(float)
    result: xr.DataArray = xr.apply_ufunc(
        lambda heights: _crossing(forks, heights, below), barrier, input_core_dims=[["fork_epoch"]], vectorize=True
    )
    return result.assign_attrs(units="epochs")


def at_fork(values: xr.DataArray, fork_epoch: xr.DataArray) -> xr.DataArray:
    """Linear interpolation, between the measured forks, of values at other fork epochs.

    Args:
        values: with a dimension `fork_epoch`, increasing, and any others.
        fork_epoch: with any dimensions; those that `values` has, too, are matched by label.

    Returns:
        All dimensions but `fork_epoch`; NaN where the fork epoch is NaN.

    >>> known = xr.DataArray([90.0, 50.0], coords={"fork_epoch": [0, 4]})
    >>> float(at_fork(known, xr.DataArray(1.0)))
    80.0
    """
    forks = values.fork_epoch.values.astype(float)
    result: xr.DataArray = xr.apply_ufunc(
        lambda known, wanted: np.interp(wanted, forks, known),
        values, fork_epoch, input_core_dims=[["fork_epoch"], []], vectorize=True,
    )  # fmt: skip
    return result.assign_attrs(values.attrs)


def _crossing(forks: Array, heights: Array, below: float) -> float:
    """The fork at which a piecewise linear curve falls below a bound for good, see `stable_from`."""
    if not np.isfinite(heights).all() or heights[-1] >= below:
        return np.nan
    high = np.flatnonzero(heights >= below)
    if not len(high):
        return float(forks[0])
    last = high[-1]
    fraction = (heights[last] - below) / (heights[last] - heights[last + 1])
    return float(forks[last] + fraction * (forks[last + 1] - forks[last]))
