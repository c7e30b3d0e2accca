"""Figures that answer: everything is computed in the browser, so that they live in the published page as in Jupyter.

The mathematics is that of `toy`, once more in plain JavaScript (`static`); tests compare the numbers. With a kernel,
what the reader does is seen from Python, and the other way round.
"""

from lmc_utils.widgets.curve_editor import CurveEditor
from lmc_utils.widgets.flipbook import flip_book
from lmc_utils.widgets.landscape_builder import MAX_HANDLES, LandscapeBuilder
from lmc_utils.widgets.line_explorer import LineExplorer
from lmc_utils.widgets.surface_3d import Surface3D
from lmc_utils.widgets.two_walkers import TwoWalkers

__all__ = ["LandscapeBuilder", "TwoWalkers", "LineExplorer", "CurveEditor", "Surface3D", "flip_book", "MAX_HANDLES"]
