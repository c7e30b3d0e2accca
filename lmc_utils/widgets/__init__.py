"""Figures that answer: everything is computed in the browser, so that they live in the published page as in Jupyter.

The mathematics is that of `toy`, once more in plain JavaScript (`static`); tests compare the numbers. With a kernel,
what the reader does is seen from Python, and the other way round. Imports from `settings`,
`provenance`, `toy` and `figures`.
"""

from lmc_utils.widgets.bend import Bend
from lmc_utils.widgets.flipbook import flip_book
from lmc_utils.widgets.friends import Friends
from lmc_utils.widgets.line_walk import LineWalk
from lmc_utils.widgets.mountain import MOST_HANDLES, Mountain
from lmc_utils.widgets.surface import Surface

__all__ = ["Mountain", "Friends", "LineWalk", "Bend", "Surface", "flip_book", "MOST_HANDLES"]
