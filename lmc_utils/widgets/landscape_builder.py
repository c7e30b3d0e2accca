"""Build a mountain: a product landscape whose minima the reader moves."""

from __future__ import annotations

from typing import Any

import anywidget
import numpy as np
import traitlets

from lmc_utils.settings import require
from lmc_utils.widgets.assets import as_array, read, script

MAX_HANDLES = 8


class LandscapeBuilder(anywidget.AnyWidget):
    """Build a mountain: move the minima of the product landscape of `toy`, and watch its ridges rise and sink.

    Shows the landscape, the barrier between each two neighbours, and the second-order approximation of a chosen one.
    Minima are moved by mouse, finger or arrow keys, added, removed, and placed equally or at the Chebyshev points.

    Attributes:
        roots: the minima, increasing; 2 to 8 distinct finite numbers. Follows what the reader does.

    Raises:
        ParameterError: roots that are something else.

    >>> LandscapeBuilder(roots=[1, -1]).roots
    [-1.0, 1.0]
    >>> LandscapeBuilder(roots=[1.0, 1.0])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: roots: expected 2 to 8 distinct finite numbers, got [1.0, 1.0]
    """

    _esm = script("toy_landscape.js", "chart.js", "landscape_builder.js")
    _css = read("widgets.css")

    roots = traitlets.Any(default_value=(-1.0, 0.0, 1.0)).tag(sync=True)

    @traitlets.validate("roots")
    def _check_roots(self, proposal: Any) -> Any:
        roots = as_array(proposal["value"])
        fine = roots.ndim == 1 and 2 <= len(np.unique(roots)) == len(roots) <= MAX_HANDLES
        require(fine, "roots", f"2 to {MAX_HANDLES} distinct finite numbers", proposal["value"])
        return np.sort(roots).tolist()
