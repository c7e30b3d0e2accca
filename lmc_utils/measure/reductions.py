"""Reductions of labelled arrays: mean over pairs, end of training, a fixed number of epochs after the fork."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import xarray as xr

__all__ = ["pair_mean", "end_of_training", "after_fork"]

Values = TypeVar("Values", xr.DataArray, xr.Dataset)


def pair_mean(values: Values) -> Values:
    """Mean over all pairs (or siblings) of all parents, ignoring NaN.

    Args:
        values: with any of the dimensions parent, pair and sibling, and others.

    >>> pair_mean(xr.DataArray([[1.0, 3.0], [5.0, 7.0]], dims=["parent", "pair"])).item()
    4.0
    """
    return values.mean([dim for dim in ("parent", "pair", "sibling") if dim in values.dims])


def end_of_training(values: Values, split: str | None = None) -> Values:
    """Values at the last epoch, optionally of one split; these labels stay as coordinates.

    Values without epochs, as of independently trained networks, are returned unchanged.

    >>> values = xr.DataArray([[1.0, 2.0]], coords={"split": ["train"], "epoch": [0, 40]})
    >>> end_of_training(values, "train").item()
    2.0
    """
    last = values.isel(epoch=-1, missing_dims="ignore")
    return last if split is None else last.sel(split=split)


def after_fork(values: xr.DataArray, lag: int) -> xr.DataArray:
    """Values so many epochs after each fork; NaN after the end of training.

    After a fork within an epoch, those at the next whole epoch.

    Args:
        values: with the dimensions fork_epoch and epoch, and any others.
        lag: epochs.

    Returns:
        All dimensions but `epoch`.

    >>> coords = {"fork_epoch": [0, 1], "epoch": [0, 1, 2]}
    >>> after_fork(xr.DataArray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], coords=coords), 2).values
    array([ 3., nan])
    """
    epochs = np.ceil(values.fork_epoch + lag)
    padded = values.reindex(epoch=sorted({*values.epoch.values.tolist(), *epochs.values.tolist()}))
    return padded.sel(epoch=epochs).drop_vars("epoch")
