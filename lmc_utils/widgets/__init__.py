"""Figures that answer: everything is computed in the browser, so that they live in the published page as in Jupyter.

The mathematics is that of `toy`, once more in plain JavaScript (`static`); tests compare the numbers. With a kernel,
what the reader does is seen from Python, and the other way round.
"""

from lmc_utils.widgets.curve_editor import Bend
from lmc_utils.widgets.flipbook import flip_book
from lmc_utils.widgets.landscape_builder import MOST_HANDLES, Mountain
from lmc_utils.widgets.line_explorer import LineWalk
from lmc_utils.widgets.surface_3d import Surface
from lmc_utils.widgets.two_walkers import Friends

__all__ = ["Mountain", "Friends", "LineWalk", "Bend", "Surface", "flip_book", "MOST_HANDLES"]
