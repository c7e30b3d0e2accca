"""Landscape builder: a product landscape with minima that the reader can move."""

from __future__ import annotations

from typing import Any

import anywidget
import numpy as np
import traitlets

from lmc_utils.settings import require
from lmc_utils.widgets.assets import finite_array, join_scripts, static_text

MAX_HANDLES = 8


class LandscapeBuilder(anywidget.AnyWidget):
    """Move the minima of the product landscape of `toy`; barriers and their second-order approximation follow.

    Minima are moved by mouse, finger or arrow keys, added, removed, spaced equally or placed at the Chebyshev points.

    Attributes:
        roots: the minima, increasing: 2 to 8 distinct finite numbers, else ParameterError. Follows the reader.

    >>> LandscapeBuilder(roots=[1, -1]).roots
    [-1.0, 1.0]
    >>> LandscapeBuilder(roots=[1.0, 1.0])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: roots must be 2 to 8 distinct, finite numbers (got [1.0, 1.0])
    """

    _esm = join_scripts("toy_landscape.js", "chart.js", "landscape_builder.js")
    _css = static_text("widgets.css") + static_text("landscape_builder.css")

    roots = traitlets.Any(default_value=(-1.0, 0.0, 1.0)).tag(sync=True)

    @traitlets.validate("roots")
    def _check_roots(self, proposal: Any) -> Any:
        roots = finite_array(proposal["value"])
        valid = roots.ndim == 1 and 2 <= len(np.unique(roots)) == len(roots) <= MAX_HANDLES
        require(valid, "roots", f"2 to {MAX_HANDLES} distinct, finite numbers", proposal["value"])
        return np.sort(roots).tolist()
