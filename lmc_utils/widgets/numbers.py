"""Numbers that come from a reader, as an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmc_utils.toy.landscape import Array


def as_array(value: Any) -> Array:
    """Numbers in any nesting as an array; of no dimension where they are not numbers, or not all finite."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array(np.nan)
    return numbers if np.isfinite(numbers).all() else np.array(np.nan)
