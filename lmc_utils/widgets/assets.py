"""Assets of widgets (scripts, style sheet, colours), and conversion of user input to arrays."""

from __future__ import annotations

from importlib import resources
from typing import Any

import matplotlib as mpl
import numpy as np

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
