"""Random-walk null: distances and angles of walks in which every step has a random direction."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from lmc_utils.measure.geometry import degrees, of_both, squared_start


def random_walks(tracked: xr.Dataset) -> xr.Dataset:
    """The results of `geometry.track` if every step had its length, but a direction drawn at random.

    In many dimensions directions drawn at random are nearly perpendicular: the cosine between two of them has mean 0
    and standard deviation 1 / sqrt(parameters). So squared steps add up, and the angle seen from the fork point stays a
    right one. The values below are exact for the mean squares, and in the limit of many dimensions for all others.

    Args:
        tracked: what `track` returned.

    Returns:
        `fork_distance`, `path_ratio` and `off_plane_fraction` (as `projection.project` has it, of the plane through the
        fork point and both ends) for each sibling; `distance`, `cosine` and `angle` (the latter two with a dimension
        apex: fork_point and origin) for each pair; with the dimensions of `tracked`.
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
            # At squared distance s, of finally S, s^2 / S of it is along the direction of the end, the rest beside.
            "off_plane_fraction": np.sqrt((1 - squared / squared.isel(epoch=-1)).clip(0)).where(squared > 0),
            "distance": np.sqrt(one + other),
            "cosine": turns,
            "angle": degrees(turns),
        }
    )


def spread_of_random_angles(parameters: int) -> float:
    """Standard deviation, in degrees, of the angle between two directions drawn at random in so many dimensions.

    The cosine has variance 1 / parameters exactly; near a right angle its arc cosine has the same in radians.

    >>> round(spread_of_random_angles(10_000), 2)
    0.57
    """
    return math.degrees(1 / math.sqrt(parameters))
