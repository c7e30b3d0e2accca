"""The chapter on distances and angles: what predicts a barrier, and the barrier at a distance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from lmc_utils.measure.selection import after_fork
from lmc_utils.measure.statistics import Bootstrap, Correlation


def correlations_by_lag(
    known: Mapping[str, xr.DataArray], final: xr.DataArray, bootstrap: Bootstrap, *, lags: Iterable[int]
) -> dict[str, list[Correlation]]:
    """How well what is known some epochs after the fork ranks the final barriers, for each of these numbers of epochs.

    Args:
        known: with the dimensions of `final` and epoch.
        final: with the dimensions fork_epoch, parent and pair.
        bootstrap: how intervals are found.
        lags: epochs after the fork.
    """
    steps = list(lags)
    return {
        name: [bootstrap.correlation(after_fork(values, lag), final) for lag in steps] for name, values in known.items()
    }


def barrier_at_distance(barrier: xr.DataArray, distance: xr.DataArray, far: float) -> xr.DataArray:
    """The barrier when siblings are first so far apart, between two epochs along a straight line.

    Args:
        barrier, distance: with the dimensions fork_epoch and epoch; NaN before the fork.
        far: a distance that each of them reaches.

    Returns:
        By fork epoch, of those that both have; NaN where there are fewer than two epochs.

    >>> coords = {"fork_epoch": [0], "epoch": [0, 1, 2]}
    >>> distance, barrier = (xr.DataArray([each], coords=coords) for each in ([0.0, 2.0, 4.0], [0.0, 10.0, 30.0]))
    >>> barrier_at_distance(barrier, distance, 3.0).values
    array([20.])
    """

    def first_there(heights: np.ndarray, lengths: np.ndarray) -> float:
        seen = ~np.isnan(lengths)
        if seen.sum() < 2:
            return float("nan")
        heights, lengths = heights[seen], lengths[seen]
        after = int((lengths >= far).argmax())
        return float(np.interp(far, lengths[after - 1 : after + 1], heights[after - 1 : after + 1]))

    found: xr.DataArray = xr.apply_ufunc(
        first_there, barrier, distance, input_core_dims=[["epoch"], ["epoch"]], join="inner", vectorize=True
    )
    return found


def furthest_and_nearest(distances: xr.DataArray) -> dict[str, float]:
    """Which layer has moved furthest and which least, counted from 1, and how far, as the text quotes it."""
    return {
        "furthest_layer": int(distances.values.argmax()) + 1,
        "nearest_layer": int(distances.values.argmin()) + 1,
        "furthest_layer_distance": float(distances.max()),
        "nearest_layer_distance": float(distances.min()),
        "layers": distances.size,
    }
