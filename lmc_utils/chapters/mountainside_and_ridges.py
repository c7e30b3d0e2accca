"""The chapter on the mountainside and its ridges: how high ridges reach, how sharp they are, when they arise."""

from __future__ import annotations

import xarray as xr

from lmc_utils.measure import statistics
from lmc_utils.measure.reductions import pair_mean

__all__ = ["HIGH", "off_plane_numbers", "ridge_shape", "falling_flanks", "ridge_growth"]

HIGH = 0.8  # of the way up to the third point
_SLOPE = 0.6  # heights above the line, up to this one, are the slope


def off_plane_numbers(walks: xr.DataArray, null: xr.DataArray) -> dict[str, xr.DataArray]:
    """How much of a trajectory leaves the plane through the fork point and both siblings, between fork and end.

    Args:
        walks: the fraction of the distance from the fork point, from `trajectory_projection.project`.
        null: likewise of random walks.

    Returns:
        `off_plane_fraction`, the mean over epochs after the fork, and the `off_plane_highest`, by fork epoch;
        `off_plane_chance`, the mean of random walks.
    """
    everywhere, under_way = ["parent", "pair", "walker", "epoch"], walks.epoch > walks.fork_epoch
    return {
        "off_plane_fraction": walks.where(under_way).mean(everywhere),
        "off_plane_highest": walks.max(everywhere),
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
    unbroken = statistics.exceeds_noise(below).astype(int).cumprod("height").astype(bool)
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
    flanks = loss.sel(fork_epoch=loss.fork_epoch < epochs, track=["first", "second"])
    falls = (flanks.diff("height") > 0).all("height")
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
    since = statistics.start_of_last_stretch(statistics.exceeds_noise(ridge))
    mean = pair_mean(ridge)
    slope = ridge.height[(ridge.height > 0) & (ridge.height <= _SLOPE)]
    first = mean.sel(epoch=(ridge.fork_epoch + 1).clip(max=ridge.epoch[-1].item())).drop_vars("epoch")
    return xr.Dataset(
        {
            "ridge_since": since.sel(height=0, drop=True).fillna(-1),
            "ridge_since_slope": since.sel(height=slope).min("height").fillna(-1),
            "trough": -mean.min(["epoch", "height"]),
            "ridge_first_epoch": first.sel(height=0, drop=True),
            "slope_first_epoch": first.sel(height=slope).max("height"),
        }
    )
