"""Random-walk null: expected distances and angles if every step of training had a random direction."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from lmc_utils.measure.geometry import degrees, of_both, squared_start


def random_walks(tracked: xr.Dataset) -> xr.Dataset:
    """The results of `geometry.track` for steps of the same lengths, but in random directions.

    In many dimensions random directions are nearly perpendicular: the cosine between two of them has mean 0 and
    standard deviation 1 / sqrt(parameters). So squared steps add up, and the angle seen from the fork point remains a
    right angle. The values below are exact for mean squares, and for all others in the limit of many dimensions.

    Args:
        tracked: from `geometry.track`.

    Returns:
        `fork_distance`, `path_ratio` and `off_plane_fraction` (see `trajectory_projection.project`, for the plane
        through the fork point and both ends) for each sibling; `distance`, `cosine` and `angle` (the latter two with a
        dimension apex: fork_point and origin) for each pair; with the dimensions of `tracked`.
    """
    squared = (tracked.step**2).cumsum("epoch").where(tracked.step.notnull())
    straight = np.sqrt(squared)
    one, other = of_both(squared, tracked.pair)
    left = squared_start(tracked)
    from_origin = left / np.sqrt((left + one) * (left + other))
    turns = xr.concat([xr.zeros_like(from_origin).where((one > 0) & (other > 0)), from_origin], "apex")
    turns = turns.assign_coords(apex=["fork_point", "origin"])
    return xr.Dataset(
        {
            "fork_distance": straight,
            "path_ratio": tracked.path_length / straight.where(straight > 0),
            # Of the squared distance s, out of S at the end, s^2 / S is along the direction of the end, the rest
            # perpendicular to it.
            "off_plane_fraction": np.sqrt((1 - squared / squared.isel(epoch=-1)).clip(0)).where(squared > 0),
            "distance": np.sqrt(one + other),
            "cosine": turns,
            "angle": degrees(turns),
        }
    )


def spread_of_random_angles(parameters: int) -> float:
    """Standard deviation, in degrees, of the angle between two random directions in so many dimensions.

    The cosine has variance 1 / parameters exactly; near a right angle its arc cosine has the same in radians.

    >>> round(spread_of_random_angles(10_000), 2)
    0.57
    """
    return math.degrees(1 / math.sqrt(parameters))
