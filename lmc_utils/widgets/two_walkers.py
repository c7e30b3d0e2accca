"""Two walkers: a pair of siblings that descend a toy landscape and fork when the reader chooses."""

from __future__ import annotations

from typing import Any

import anywidget
import numpy as np
import traitlets

from lmc_utils.settings import ParameterError, coerce, require
from lmc_utils.toy import descent, multidimensional
from lmc_utils.widgets.assets import finite_array, join_scripts, palette, static_text

_LOWEST = {"steps": 1, "temperature": 0.0, "seed": 0}  # cooling and step_size: above 0


class TwoWalkers(anywidget.AnyWidget):
    """Two siblings that share their noise until a fork time chosen by the reader, see `toy.descent`.

    Shows them on a map of the landscape, one pair at a time or a hundred, and counts the pairs that end in different
    valleys, or with a barrier of more than a tenth of the median one between them.

    Attributes:
        solutions: the minima of the landscape, shape (m, 2); by default five on the unit circle.
        steps, step_size, temperature, cooling, seed: as for `toy.descent.descend`; equal seeds give equal trajectories.
        tally: the counts so far: for each fork time in percent the number of pairs, of those that ended `apart`, in
            different valleys, and of those with a `ridge` between them.
        colours: of the map, from the valleys up; red, green and blue from 0 to 255.

    Raises:
        ParameterError: a value is out of range.

    >>> TwoWalkers(step_size=0.5)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: step_size must be > 0 and < 0.0..., or descent diverges at the steepest
    minimum (2 / curvature) (got 0.5)
    """

    _esm = join_scripts("toy_landscape.js", "toy_descent.js", "chart.js", "landscape_map.js", "two_walkers.js")
    _css = static_text("widgets.css") + static_text("two_walkers.css")

    solutions = traitlets.Any(tuple(map(tuple, multidimensional.on_circle(5).tolist()))).tag(sync=True)
    steps = traitlets.Any(1500).tag(sync=True)
    step_size = traitlets.Any(0.005).tag(sync=True)
    temperature = traitlets.Any(0.3).tag(sync=True)
    cooling = traitlets.Any(1.0).tag(sync=True)
    seed = traitlets.Any(0).tag(sync=True)
    tally = traitlets.List(traitlets.Dict()).tag(sync=True)
    # valleys dark, and all of it pale, as a background of trajectories
    colours: traitlets.List[Any] = traitlets.List(palette("YlGnBu_r", 48, pale=0.4)).tag(sync=True)

    @traitlets.validate("solutions")
    def _check_solutions(self, proposal: Any) -> Any:
        points = finite_array(proposal["value"])
        valid = points.ndim == 2 and len(points) >= 2 and points.shape[1] == 2
        require(valid, "solutions", "at least two points in the plane", proposal["value"])
        try:
            multidimensional.units(points)
        except ValueError as error:
            raise ParameterError(str(error).replace("roots", "solutions", 1)) from error
        return points.tolist()

    @traitlets.validate("steps", "step_size", "temperature", "cooling", "seed")
    def _check_number(self, proposal: Any) -> float:
        name = proposal["trait"].name
        value: float = coerce(name, proposal["value"], int if name in ("steps", "seed") else float)
        if name == "step_size":
            limit = descent.largest_stable_step(self.solutions)
            require(
                0 < value < limit,
                name,
                f"> 0 and < {limit:.3g}, or descent diverges at the steepest minimum (2 / curvature)",
                value,
            )
        elif name in _LOWEST:
            require(_LOWEST[name] <= value < np.inf, name, f"finite and >= {_LOWEST[name]:g}", value)
        else:
            require(0 < value < np.inf, name, "finite and > 0", value)
        return value
