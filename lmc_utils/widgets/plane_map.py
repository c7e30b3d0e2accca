"""The data for drawing a plane through two networks and a third point by `static/plane_map.js`."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr

from lmc_utils.figures.planes import TERRAIN, log_range, third_point_name
from lmc_utils.figures.theme import fork_colours
from lmc_utils.widgets.assets import palette, require_dimensions


def map_scene(planes: xr.Dataset) -> dict[str, Any]:
    """Data shared by the maps of several planes: fork epochs and their colours, grid size, and the colour map."""
    return {
        "forks": planes.fork_epoch.values.tolist(),
        "sides": [planes.sizes["column"], planes.sizes["row"]],
        "range": list(log_range(planes.loss)),
        "third": third_point_name(planes),
        "colours": [mpl.colors.to_hex(colour) for colour in fork_colours(planes.fork_epoch.values).values()],
        "ground": palette(TERRAIN, 128),
    }


def plane_scene(plane: xr.Dataset, low: float, high: float) -> dict[str, Any] | None:
    """Extent and corners of a plane, and the logarithm of each height as a byte; None for a plane of NaN.

    Args:
        plane: `loss` (row, column), `x` (column), `y` (row) and `corner` (point, axis).
        low, high: the heights of the first and the last colour; heights beyond are clipped.
    """
    heights = plane.loss.transpose("row", "column").values
    if not np.isfinite(heights).all():
        return None
    fraction = np.log(np.clip(heights, low, high) / low) / np.log(high / low)
    return {
        "x": plane.x.values[[0, -1]].tolist(),
        "y": plane.y.values[[0, -1]].tolist(),
        "corners": plane.corner.transpose("point", "axis").values.round(5).tolist(),
        "heights": base64.b64encode((255 * fraction).round().astype(np.uint8).tobytes()).decode(),
    }


def require_dims(data: xr.Dataset, name: str, parts: Mapping[str, Sequence[str]]) -> None:
    """Raise ParameterError where a variable of a dataset is missing or has other dimensions, in any order."""
    for part, dims in parts.items():
        require_dimensions(data.get(part), f"{name}.{part}", dims)
