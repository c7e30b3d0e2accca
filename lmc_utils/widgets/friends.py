"""Walk down with a friend: two siblings on a toy landscape, which part when the reader says so."""

from __future__ import annotations

from typing import Any

import anywidget
import numpy as np
import traitlets

from lmc_utils.settings import ParameterError, coerce, require
from lmc_utils.toy import descent, fields
from lmc_utils.widgets.numbers import as_array
from lmc_utils.widgets.scripts import palette, read, script

_INTEGERS = ("steps", "seed")
_LOWEST = {"steps": 1, "temperature": 0.0, "seed": 0}  # cooling and step_size: above 0

_GROUND, _COLOURS, _PALE = "YlGnBu_r", 48, 0.4  # deep valleys dark, high ground pale, and all of it under the walks


def ground_colours() -> list[list[int]]:
    """Red, green and blue from 0 to 255, from the valleys up; pale, for walks are drawn on them.

    >>> len(ground_colours()), ground_colours()[-1]
    (48, [255, 255, 232])
    """
    return palette(_GROUND, _COLOURS, _PALE)


class Friends(anywidget.AnyWidget):
    """Walk down with a friend: two siblings that share their noise until the reader lets them part.

    The descent is that of `toy.descent`.

    Shows the landscape in the plane from above, one pair at a time or a hundred, and counts how many end in different
    valleys, and how many with a ridge of more than a tenth of the median barrier between them.

    Attributes:
        solutions: the minima of the landscape, shape (m, 2); five on the unit circle.
        steps: of the descent.
        step_size: eta, in units of `fields.units`: length^2 over height.
        temperature: of the noise at the start, in units of height.
        cooling: the temperature falls as (1 - t / steps) to this power.
        seed: of all noise; equal seeds give equal walks.
        tally: what the reader has seen so far: for each fork time in percent the number of pairs, and of those that
            ended `apart`, in different valleys, and with a `ridge` between them.
        colours: of the ground, from the valleys up; red, green and blue from 0 to 255.

    Raises:
        ParameterError: a value out of range.

    >>> Friends(steps=300).step_size
    0.005
    >>> Friends(step_size=0.5)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: step_size: expected above 0 and below 0.0..., where descent diverges from the
    steepest solution (2 / curvature), got 0.5
    """

    _esm = script("toy.js", "walks.js", "chart.js", "map.js", "friends.js")
    _css = read("widgets.css")

    solutions = traitlets.Any().tag(sync=True)
    steps = traitlets.Any(1500).tag(sync=True)
    step_size = traitlets.Any(0.005).tag(sync=True)
    temperature = traitlets.Any(0.3).tag(sync=True)
    cooling = traitlets.Any(1.0).tag(sync=True)
    seed = traitlets.Any(0).tag(sync=True)
    tally = traitlets.List(traitlets.Dict()).tag(sync=True)
    colours: traitlets.List[Any] = traitlets.List().tag(sync=True)

    @traitlets.default("solutions")
    def _circle(self) -> list[list[float]]:
        points: list[list[float]] = fields.on_circle(5).tolist()
        return points

    @traitlets.default("colours")
    def _ground(self) -> list[list[int]]:
        return ground_colours()

    @traitlets.validate("solutions")
    def _check_solutions(self, proposal: Any) -> list[list[float]]:
        points = as_array(proposal["value"])
        fine = points.ndim == 2 and len(points) >= 2 and points.shape[1] == 2
        require(fine, "solutions", "at least two points in the plane", proposal["value"])
        try:
            fields.units(points)
        except ValueError as error:
            raise ParameterError(str(error).replace("roots", "solutions", 1)) from error
        checked: list[list[float]] = points.tolist()
        return checked

    @traitlets.validate("steps", "step_size", "temperature", "cooling", "seed")
    def _check_number(self, proposal: Any) -> float:
        name = proposal["trait"].name
        value: float = coerce(name, proposal["value"], int if name in _INTEGERS else float)
        if name == "step_size":
            limit = descent.largest_stable_step(self.solutions)
            reason = "where descent diverges from the steepest solution (2 / curvature)"
            require(0 < value < limit, name, f"above 0 and below {limit:.3g}, {reason}", value)
        elif name in _LOWEST:
            require(_LOWEST[name] <= value < np.inf, name, f"a finite number from {_LOWEST[name]:g} on", value)
        else:
            require(0 < value < np.inf, name, "a finite number above 0", value)
        return value
