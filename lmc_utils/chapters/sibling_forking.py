"""The chapter on forking: a summary of the errors of siblings and of what lies between them, and what it claims."""

from __future__ import annotations

from typing import Any

import xarray as xr

from lmc_utils.measure import barriers
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Claim, Rule, intervals
from lmc_utils.measure.reductions import after_fork, end_of_training, pair_mean
from lmc_utils.measure.statistics import Correlation, intraclass_correlation

__all__ = ["PICTURED", "error_numbers", "claims", "parents_part"]

PICTURED = 3  # parents in the pictures of every epoch, which take longest to measure; numbers are of all parents

UNSTABLE = Rule("at least", STABLE_BELOW)
STABLE = Rule("below", STABLE_BELOW)
FALLS = Rule("above", 0.0)  # what a barrier loses from one fork epoch to the next
FAR_FROM_FITTED = Rule("at least", 10.0)  # percent of the training data: a hundred times the siblings' error at the end
HELPS = Rule("below", 0.0)  # a midpoint barrier: the average of two siblings is better than they are
_SOON = 5  # epochs after the fork


def error_numbers(last: xr.DataArray, growing: xr.DataArray) -> dict[str, Any]:
    """Errors of the siblings, and what averaging two of them gains at most, percent.

    Args:
        last: on the line through each pair at the end of training, with the dimensions split, fork_epoch, parent, pair
            and alpha.
        growing: training error at both siblings and the midpoint at every epoch, with the dimension epoch instead of
            split.

    Returns:
        Means over pairs: `train_error` and `test_error` of the siblings at the end of training; by fork epoch, the
        training error of the parent `train_error_at` the fork, that at the midpoint one epoch after the fork and at the
        end, `midpoint_error_first` and `midpoint_error_last`, and the largest gain of all epochs, `largest_gain_train`.
    """
    ends = pair_mean(last).sel(alpha=[0, 1]).mean(["alpha", "fork_epoch"])
    midpoint = pair_mean(growing.sel(alpha=0.5))
    return {
        "train_error": ends.sel(split="train"),
        "test_error": ends.sel(split="test"),
        "train_error_at": pair_mean(_at_fork(growing)),
        "midpoint_error_first": after_fork(midpoint, 1),
        "midpoint_error_last": end_of_training(midpoint),
        "largest_gain_train": pair_mean(-barriers.midpoint_barrier(growing)).max("epoch"),
    }


def claims(barrier: xr.DataArray, growing: xr.DataArray) -> ClaimTable:
    """The chapter's statements about siblings and what lies between them, with their outcomes.

    Early are all fork epochs but the last.

    Args:
        barrier: the error barrier at the end of training (points), dimensions split, fork_epoch, parent and pair.
        growing: as for `error_numbers`.
    """
    forks = barrier.fork_epoch.values
    early, late = forks[:-1], forks[-1:]
    falls = barrier.sel(fork_epoch=early) - barrier.shift(fork_epoch=-1).sel(fork_epoch=early)
    after = growing.epoch - growing.fork_epoch
    soon = barriers.midpoint_barrier(growing).where((after > 0) & (after <= _SOON)).mean("epoch")
    return ClaimTable(
        (
            Claim(
                f"Siblings of early forks are unstable: their error barrier is at least {STABLE_BELOW:g} points, on "
                "both splits.",
                ((UNSTABLE, intervals(barrier.sel(fork_epoch=early), "points")),),
            ),
            Claim(
                f"Siblings of the last fork are stable: their error barrier is below {STABLE_BELOW:g} points, on "
                "both splits.",
                ((STABLE, intervals(barrier.sel(fork_epoch=late), "points")),),
            ),
            Claim(
                "From each fork epoch to the next the error barrier falls, on both splits.",
                ((FALLS, intervals(falls, "points", label="fall to the next fork")),),
            ),
            Claim(
                "Stability comes before the data are fitted: at the last fork the parent still misclassifies at least "
                "a tenth of the training samples.",
                ((FAR_FROM_FITTED, intervals(_at_fork(growing).sel(fork_epoch=late), "%")),),
            ),
            Claim(
                f"In the first {_SOON} epochs after every fork but that at initialisation, the midpoint makes fewer "
                "training errors than the siblings.",
                ((HELPS, intervals(soon.sel(fork_epoch=forks[forks > 0]), "points")),),
            ),
        )
    )


def parents_part(table: xr.Dataset) -> dict[str, Correlation]:
    """The parents' part of the variance of error barriers at each fork, see `statistics.intraclass_correlation`.

    Args:
        table: `error` (%) on the lines between four or more siblings, with the dimensions split, fork_epoch, parent,
            pair and alpha.
    """
    barrier = barriers.error_barrier(table.error.sel(split="train"))
    return {f"epoch_{fork}": intraclass_correlation(barrier.sel(fork_epoch=fork)) for fork in table.fork_epoch.values}


def _at_fork(error: xr.DataArray) -> xr.DataArray:
    """The error at the fork, where both siblings are their parent."""
    return error.sel(epoch=error.fork_epoch).mean("alpha").drop_vars("epoch")
