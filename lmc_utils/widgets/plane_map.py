"""A plane through two networks and a third point, in the numbers that `static/plane_map.js` draws."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.settings import require


def ground(plane: xr.Dataset, low: float, high: float) -> dict[str, Any] | None:
    """One plane: its ends, its three corners, and a byte for the logarithm of each height; None where there is none.

    Args:
        plane: `loss` (row, column), `x` (column), `y` (row) and `corner` (point, axis).
        low, high: what the first and the last colour stand for; heights beyond take these colours.
    """
    heights = plane.loss.transpose("row", "column").values
    if not np.isfinite(heights).all():
        return None
    share = np.log(np.clip(heights, low, high) / low) / np.log(high / low)
    return {
        "x": plane.x.values[[0, -1]].tolist(),
        "y": plane.y.values[[0, -1]].tolist(),
        "corners": plane.corner.transpose("point", "axis").values.round(5).tolist(),
        "heights": base64.b64encode((255 * share).round().astype(np.uint8).tobytes()).decode(),
    }


def require_dims(data: xr.Dataset, name: str, parts: Mapping[str, Sequence[str]]) -> None:
    """Refuse data that lack a part, or have one of other dimensions, whatever their order.

    Raises:
        ParameterError: which part, and what dimensions it was to have.
    """
    for part, dims in parts.items():
        found = data[part].dims if part in data else None
        require(set(dims) == set(found or ()), f"{name}.{part}", f"the dimensions {', '.join(dims)}", found)
