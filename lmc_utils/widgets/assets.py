"""Assets of widgets (scripts, style sheet, colours), and conversion of user input to arrays."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr

from lmc_utils.settings import require
from lmc_utils.toy.landscape import Array


def static_text(name: str) -> str:
    """The text of a file in `static`."""
    return (resources.files("lmc_utils.widgets") / "static" / name).read_text(encoding="utf-8")


def join_scripts(*names: str) -> str:
    """Join JavaScript files of `static` into one module, since a widget can have only one.

    They share one scope, so top-level names must differ between files.

    >>> join_scripts("toy_landscape.js").startswith("// The landscapes of toy")
    True
    """
    return "\n".join(static_text(name) for name in names)


def palette(name: str, count: int, *, pale: float = 0.0) -> list[list[int]]:
    """Colours of a colour map as red, green and blue from 0 to 255, mixed with a fraction `pale` of white.

    >>> palette("gray", 2)
    [[0, 0, 0], [255, 255, 255]]
    """
    colour_map = mpl.colormaps[name](np.linspace(0, 1, count))[:, :3]
    colours: list[list[int]] = (255 * (pale + (1 - pale) * colour_map)).round().astype(int).tolist()
    return colours


def finite_array(value: Any) -> Array:
    """Nested numbers as an array; a 0-dimensional array if any is not a finite number."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array(np.nan)
    return numbers if np.isfinite(numbers).all() else np.array(np.nan)


def round_significant(values: Array, digits: int) -> Array:
    """Round each number to so many significant digits, which keeps pages small.

    >>> round_significant(np.array([0.0123456, 98.7654]), 3).tolist()
    [0.0123, 98.8]
    """
    rounded: Array = np.vectorize(lambda value: float(f"{value:.{digits}g}"), otypes=[np.float64])(values)
    return rounded


def require_dimensions(array: xr.DataArray | None, name: str, dims: Sequence[str]) -> None:
    """Raise ParameterError unless an array is given and has these dimensions, in any order."""
    found = None if array is None else array.dims
    require(set(dims) == set(found or ()), name, f"an array with the dimensions {', '.join(dims)}", found)
