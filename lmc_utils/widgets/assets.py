"""What widgets bring along: their scripts and style sheet, colours, and numbers that come from a reader."""

from __future__ import annotations

from importlib import resources
from typing import Any

import matplotlib as mpl
import numpy as np

from lmc_utils.toy.landscape import Array


def read(name: str) -> str:
    """The text of a file of `static`."""
    return (resources.files("lmc_utils.widgets") / "static" / name).read_text(encoding="utf-8")


def script(*names: str) -> str:
    """JavaScript files of this package as one module, which is all that a widget may bring along.

    They share one scope: a name may be declared in one of them only.

    >>> script("toy_landscape.js").startswith("// The landscapes of toy")
    True
    """
    return "\n".join(read(name) for name in names)


def palette(name: str, count: int, pale: float = 0.0) -> list[list[int]]:
    """Red, green and blue from 0 to 255 of a colour map, mixed with so much white; shape (count, 3).

    >>> palette("gray", 2)
    [[0, 0, 0], [255, 255, 255]]
    """
    colour_map = mpl.colormaps[name](np.linspace(0, 1, count))[:, :3]
    colours: list[list[int]] = (255 * (pale + (1 - pale) * colour_map)).round().astype(int).tolist()
    return colours


def as_array(value: Any) -> Array:
    """Numbers in any nesting as an array; of no dimension where they are not numbers, or not all finite."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array(np.nan)
    return numbers if np.isfinite(numbers).all() else np.array(np.nan)
