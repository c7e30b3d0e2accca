"""Interactive figures, computed in the browser, so that they work in the published page and in Jupyter.

The mathematics of `toy` is repeated in plain JavaScript (`static`); tests compare the numbers. With a kernel, traits
are synchronised with Python.
"""

from lmc_utils.widgets.curve_editor import CurveEditor
from lmc_utils.widgets.difference_explorer import DifferenceExplorer
from lmc_utils.widgets.flipbook import flip_book
from lmc_utils.widgets.landscape_builder import MAX_HANDLES, LandscapeBuilder
from lmc_utils.widgets.line_explorer import LineExplorer
from lmc_utils.widgets.playground import Playground, PlaygroundSettings
from lmc_utils.widgets.recipe_explorer import RecipeExplorer
from lmc_utils.widgets.surface_3d import Surface3D
from lmc_utils.widgets.two_walkers import TwoWalkers

__all__ = [
    "LandscapeBuilder",
    "TwoWalkers",
    "LineExplorer",
    "CurveEditor",
    "DifferenceExplorer",
    "RecipeExplorer",
    "Playground",
    "PlaygroundSettings",
    "Surface3D",
    "flip_book",
    "MAX_HANDLES",
]
