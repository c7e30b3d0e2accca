"""The chapter on forking: a summary of the errors of siblings and of what lies between them."""

from __future__ import annotations

from typing import Any

import xarray as xr

from lmc_utils.measure import barriers
from lmc_utils.measure.reductions import end_of_training, pair_mean


def error_numbers(error: xr.DataArray) -> dict[str, Any]:
    """Errors of the siblings, and what averaging two of them gains at most, percent.

    Args:
        error: on the line through each pair, with the dimensions split, fork_epoch, parent, pair, epoch and alpha.

    Returns:
        Means over pairs: `train_error` and `test_error` of the siblings at the end of training; by fork epoch, the
        train error of the parent `train_error_at` the fork, and the largest gain of all epochs, `largest_gain_train`.
    """
    train = error.sel(split="train")
    gains = -barriers.midpoint_barrier(train)
    ends = end_of_training(pair_mean(error)).sel(alpha=[0, 1]).mean(["alpha", "fork_epoch"])
    return {
        "train_error": ends.sel(split="train"),
        "test_error": ends.sel(split="test"),
        "train_error_at": train.sel(epoch=error.fork_epoch).mean(["parent", "pair", "alpha"]),
        "largest_gain_train": pair_mean(gains).max("epoch"),
    }
