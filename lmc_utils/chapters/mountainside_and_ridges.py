"""The chapter on the mountainside and its ridges: how high ridges reach, how sharp, since when, and what it claims."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from lmc_utils.forking import Experiment
from lmc_utils.measure import statistics
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Interval, Rule, intervals, strongest, weakest
from lmc_utils.measure.reductions import pair_mean

__all__ = [
    "HIGH",
    "PICTURED",
    "growing_epochs",
    "off_plane_numbers",
    "ridge_shape",
    "falling_flanks",
    "ridge_growth",
    "claims",
]

HIGH = 0.8  # of the way up to the third point
PICTURED = 3  # parents whose maps and lines are measured; ridges are measured for all
FALLS = Rule("above", 0.0)  # what the loss loses between each height and the one below it
STANDS_OUT = Rule("above", 0.0)  # a ridge is a midline above its flanks
STABLE = Rule("below", STABLE_BELOW)
_SLOPE = 0.6  # heights above the line, up to this one, are the slope


def growing_epochs(experiment: Experiment) -> list[float]:
    """The epochs at which the ridge is measured while it forms: the first, then every third; forks, and the next.

    >>> growing_epochs(Experiment(epochs=20, fork_epochs=[0, 16]))[14:]
    [14, 15, 16, 17, 18, 20]
    """
    last, forks = experiment.last_epoch, experiment.fork_epochs
    wanted = {*range(16), *range(15, last, 3), *forks, *(math.ceil(fork + 1) for fork in forks), last}
    return [epoch for epoch in experiment.every_epoch() if epoch in wanted]


def off_plane_numbers(fractions: xr.DataArray, null: xr.DataArray) -> dict[str, xr.DataArray]:
    """How much of a trajectory leaves the plane through the fork point and both siblings, between fork and end.

    Args:
        fractions: the fraction of the distance from the fork point, from `trajectory_projection.project`.
        null: likewise of random walks.

    Returns:
        `off_plane_fraction`, the mean over epochs after the fork, and the `off_plane_highest`, by fork epoch;
        `off_plane_chance`, the mean of random walks.
    """
    everywhere, under_way = ["parent", "pair", "trajectory", "epoch"], fractions.epoch > fractions.fork_epoch
    return {
        "off_plane_fraction": fractions.where(under_way).mean(everywhere),
        "off_plane_highest": fractions.max(everywhere),
        "off_plane_chance": null.where(under_way).mean(),
    }


def ridge_shape(ridge: xr.DataArray) -> xr.Dataset:
    """How high the ridge is, how far up it stands out, and how sharp it is.

    Sharp is a ridge that is high for how near its flanks are: on the way up to the third point their distance falls as
    1 - h, and a ridge of one curvature across as its square. So sharpness is the mean ridge over (1 - h)^2.

    Args:
        ridge: with the dimensions fork_epoch, parent, pair and height, of which 0 is the line.

    Returns:
        By fork epoch: `ridge_height` on the line; `ridge_top`, the height up to which the ridge stands out without a
        break, -1 where it does not on the line; `sharpness` on the line, `sharpest` and where, `sharpest_at`, and
        `high_sharpness` at the measured height nearest to `HIGH`, which is `high`.
    """
    below = ridge.sel(height=ridge.height < 1)
    unbroken = statistics.stands_out(below).astype(int).cumprod("height").astype(bool)
    sharp = pair_mean(below) / (1 - below.height) ** 2
    high = ridge.height[abs(ridge.height - HIGH).argmin("height")].item()
    return xr.Dataset(
        {
            "ridge_height": pair_mean(ridge.sel(height=0, drop=True)),
            "ridge_top": below.height.where(unbroken).max("height").fillna(-1),
            "sharpness": sharp.sel(height=0, drop=True),
            "sharpest": sharp.max("height"),
            "sharpest_at": sharp.idxmax("height"),
            "high_sharpness": sharp.sel(height=high, drop=True),
            "high": high,
        }
    )


def falling_flanks(loss: xr.DataArray, epochs: int) -> dict[str, int]:
    """How many `flanks` there are, and how many of them fall all the way from the third point to a sibling.

    Args:
        loss: with the dimensions fork_epoch, height and track, as `ridges.tracks` measures it.
        epochs: of training; who forks then has no flanks.
    """
    falls = _least_fall(loss, epochs) > 0
    return {"flanks": falls.size, "falling_flanks": int(falls.sum())}


def ridge_growth(ridge: xr.DataArray) -> xr.Dataset:
    """When the ridge arises on the line and on the slope above it, and how high it is one epoch after the fork.

    Args:
        ridge: with the dimensions fork_epoch, parent, pair, epoch and height, of which 0 is the line.

    Returns:
        By fork epoch: `ridge_since` and `ridge_since_slope`, the epoch from which on the ridge stands out up to the end
        on the line and anywhere on the slope, -1 where it does not; `ridge_first_epoch` and `slope_first_epoch`, how
        high it is an epoch after the fork, there the highest; and `trough`, how far it is below zero at its lowest.
    """
    since = statistics.start_of_last_stretch(statistics.stands_out(ridge))
    mean = pair_mean(ridge)
    slope = ridge.height[(ridge.height > 0) & (ridge.height <= _SLOPE)]
    first = mean.sel(epoch=np.ceil(ridge.fork_epoch + 1).clip(max=ridge.epoch[-1].item())).drop_vars("epoch")
    return xr.Dataset(
        {
            "ridge_since": since.sel(height=0, drop=True).fillna(-1),
            "ridge_since_slope": since.sel(height=slope).min("height").fillna(-1),
            "trough": -mean.min(["epoch", "height"]),
            "ridge_first_epoch": first.sel(height=0, drop=True),
            "slope_first_epoch": first.sel(height=slope).max("height"),
        }
    )


def claims(loss: xr.DataArray, ridge: xr.Dataset, growing: xr.DataArray, epochs: int) -> ClaimTable:
    """The chapter's five statements about the mountain and its ridges, with their outcomes.

    Early are all fork epochs but the last. A ridge stands out where the 95 % interval of its mean over parents lies
    above zero. Where every height or epoch must meet a rule, the one with the weakest evidence decides, which needs no
    correction for their number. In the last claim, one height of several suffices; the best one is chosen by its
    result, without a correction, so that claim is easier to meet than its intervals say.

    Args:
        loss: of flanks and midline at the end of training, as for `falling_flanks`.
        ridge: `loss` (nats) and `error` (points) of the ridge then, with the dimensions fork_epoch, parent, pair and
            height, of which 0 is the line.
        growing: the ridge in the loss by epoch, as for `ridge_growth`.
        epochs: of training.
    """
    early, late = ridge.loss.fork_epoch.values[:-1], ridge.loss.fork_epoch.values[-1:]
    below = ridge.loss.sel(height=ridge.height < 1)
    flanks = Cases(
        "flanks that fall all the way (least fall of each)", tuple(_least_fall(loss, epochs).values.flat), "nats"
    )
    foot = intervals(ridge.loss.sel(fork_epoch=early, height=0, drop=True), "nats")
    late_heights = intervals(ridge.error.sel(fork_epoch=late), "points")
    all_heights = [weakest(STANDS_OUT, intervals(below.sel(fork_epoch=[fork]), "nats")) for fork in early]
    at_once = [_best_height(growing.sel(fork_epoch=[fork])) for fork in early if fork < epochs]
    return ClaimTable(
        (
            Claim("From the fork point the loss falls all the way down every flank.", ((FALLS, (flanks,)),)),
            Claim("Between early siblings a ridge stands out at the sibling line.", ((STANDS_OUT, foot),)),
            Claim(
                f"Between siblings of the last fork the ridge stays below {STABLE_BELOW:g} points at every height; "
                "the height with the weakest evidence decides.",
                ((STABLE, (weakest(STABLE, late_heights),)),),
            ),
            Claim(
                "The ridge of early siblings stands out at every height below the fork point; the height with the "
                "weakest evidence decides.",
                ((STANDS_OUT, tuple(all_heights)),),
            ),
            Claim(
                "At the line or at one height of the slope above it, the ridge of early siblings stands out at every "
                "epoch after the fork; at the best height the epoch with the weakest evidence decides.",
                ((STANDS_OUT, tuple(at_once)),),
            ),
        )
    )


def _least_fall(loss: xr.DataArray, epochs: int) -> xr.DataArray:
    """How much the loss falls at least from one height to the next below it on each flank; negative where it rises."""
    flanks = loss.sel(fork_epoch=loss.fork_epoch < epochs, track=["first", "second"])
    return flanks.diff("height").min("height", skipna=False)


def _best_height(growing: xr.DataArray) -> Interval:
    """The ridge of one fork at the height where it stands out best, at the epoch after the fork where it does least."""
    after = growing.sel(epoch=growing.epoch > growing.fork_epoch.item())
    heights = growing.height.values[growing.height.values <= _SLOPE]
    return strongest(
        STANDS_OUT, [weakest(STANDS_OUT, intervals(after.sel(height=[height]), "nats")) for height in heights]
    )
