"""Interactive figures: everything is computed in the browser, so that they live in the published page as in Jupyter.

The mathematics is that of `toy`, `toy_fields` and `toy_descent`, once more in plain JavaScript; tests compare the
numbers.
With a kernel, what the reader does is seen from Python, and the other way round.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib import resources
from typing import Any

import anywidget
import matplotlib as mpl
import numpy as np
import traitlets
import xarray as xr

from lmc_utils import toy_descent, toy_fields
from lmc_utils.plane_plots import TERRAIN, THIRD_NAMES, decades
from lmc_utils.plotting import fork_colours
from lmc_utils.settings import ParameterError, coerce, require, require_choice

MOST_HANDLES = 8

_PAIR = ("fork_epoch", "parent", "pair")
_LINES = dict.fromkeys(("loss", "error"), ("split", *_PAIR, "alpha"))
_PLANES = {
    "loss": (*_PAIR, "row", "column"),
    "x": (*_PAIR, "column"),
    "y": (*_PAIR, "row"),
    "corner": (*_PAIR, "corner", "axis"),
}
_WHOLE = ("steps", "seed")
_LOWEST = {"steps": 1, "temperature": 0.0, "seed": 0}  # cooling and step_size: above 0

_GROUND, _COLOURS, _PALE = "YlGnBu_r", 48, 0.4  # deep valleys dark, high ground pale, and all of it under the walks


def _read(name: str) -> str:
    return (resources.files("lmc_utils") / name).read_text(encoding="utf-8")


def script(*names: str) -> str:
    """JavaScript files of this package as one module, which is all that a widget may bring along.

    They share one scope: a name may be declared in one of them only.

    >>> script("toy.js").startswith("// The landscapes of toy.py")
    True
    """
    return "\n".join(_read(name) for name in names)


def ground_colours() -> list[list[int]]:
    """Red, green and blue from 0 to 255, from the valleys up; pale, for walks are drawn on them.

    >>> len(ground_colours()), ground_colours()[-1]
    (48, [255, 255, 232])
    """
    return _palette(_GROUND, _COLOURS, _PALE)


def _palette(name: str, count: int, pale: float = 0.0) -> list[list[int]]:
    palette = mpl.colormaps[name](np.linspace(0, 1, count))[:, :3]
    colours: list[list[int]] = (255 * (pale + (1 - pale) * palette)).round().astype(int).tolist()
    return colours


class Mountain(anywidget.AnyWidget):
    """Build a mountain: move the minima of the product landscape of `toy`, and watch its ridges rise and sink.

    Shows the landscape, the barrier between each two neighbours, and the second-order approximation of a chosen one.
    Minima are moved by mouse, finger or arrow keys, added, removed, and placed equally or at the Chebyshev points.

    Attributes:
        roots: the minima, increasing; 2 to 8 distinct finite numbers. Follows what the reader does.

    Raises:
        ParameterError: roots that are something else.

    >>> Mountain(roots=[1, -1]).roots
    [-1.0, 1.0]
    >>> Mountain(roots=[1.0, 1.0])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: roots: expected 2 to 8 distinct finite numbers, got [1.0, 1.0]
    """

    _esm = script("toy.js", "chart.js", "mountain.js")
    _css = _read("widgets.css")

    roots = traitlets.Any(default_value=(-1.0, 0.0, 1.0)).tag(sync=True)

    @traitlets.validate("roots")
    def _check_roots(self, proposal: Any) -> list[float]:
        roots = _array(proposal["value"])
        fine = roots.ndim == 1 and 2 <= len(np.unique(roots)) == len(roots) <= MOST_HANDLES
        require(fine, "roots", f"2 to {MOST_HANDLES} distinct finite numbers", proposal["value"])
        ordered: list[float] = np.sort(roots).tolist()
        return ordered


class Friends(anywidget.AnyWidget):
    """Walk down with a friend: two siblings that share their noise until the reader lets them part.

    The descent is that of `toy_descent`.

    Shows the landscape in the plane from above, one pair at a time or a hundred, and counts how many end in different
    valleys, and how many with a ridge of more than a tenth of the median barrier between them.

    Attributes:
        solutions: the minima of the landscape, shape (m, 2); five on the unit circle.
        steps: of the descent.
        step_size: eta, in units of `toy_fields.units`: length^2 over height.
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
    _css = _read("widgets.css")

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
        points: list[list[float]] = toy_fields.on_circle(5).tolist()
        return points

    @traitlets.default("colours")
    def _ground(self) -> list[list[int]]:
        return ground_colours()

    @traitlets.validate("solutions")
    def _check_solutions(self, proposal: Any) -> list[list[float]]:
        points = _array(proposal["value"])
        fine = points.ndim == 2 and len(points) >= 2 and points.shape[1] == 2
        require(fine, "solutions", "at least two points in the plane", proposal["value"])
        try:
            toy_fields.units(points)
        except ValueError as error:
            raise ParameterError(str(error).replace("roots", "solutions", 1)) from error
        checked: list[list[float]] = points.tolist()
        return checked

    @traitlets.validate("steps", "step_size", "temperature", "cooling", "seed")
    def _check_number(self, proposal: Any) -> float:
        name = proposal["trait"].name
        value: float = coerce(name, proposal["value"], int if name in _WHOLE else float)
        if name == "step_size":
            limit = toy_descent.largest_stable_step(self.solutions)
            where = "where descent diverges from the steepest solution (2 / curvature)"
            require(0 < value < limit, name, f"above 0 and below {limit:.3g}, {where}", value)
        elif name in _LOWEST:
            require(_LOWEST[name] <= value < np.inf, name, f"a finite number from {_LOWEST[name]:g} on", value)
        else:
            require(0 < value < np.inf, name, "a finite number above 0", value)
        return value


class LineWalk(anywidget.AnyWidget):
    """Walk the line: from one sibling to the other, with loss and error, and the place on the plane with the fork.

    Between the alphas that were measured, values are interpolated linearly.

    Args:
        lines: of one epoch after all forks, from `paths.line`; dimensions split, fork_epoch, parent, pair, alpha.
        planes: from `paths.plane`, of the train set; dimensions fork_epoch, parent, pair, row, column. Pairs whose
            plane is NaN are shown without one.
        third: what the third point of the planes is, as in `paths.plane`.

    Raises:
        ParameterError: lines and planes that are not of the same forks, parents and pairs, or have other dimensions;
            lines that are not finite or do not lead from one sibling to the other; an unknown third point.

    Attributes:
        scene: all that is drawn, in numbers; about two kilobytes for each pair.
    """

    _esm = script("chart.js", "line.js")
    _css = _read("widgets.css")

    scene: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, lines: xr.Dataset, planes: xr.Dataset, third: str = "fork_point") -> None:
        require_choice("third", third, THIRD_NAMES)
        _require_dimensions("lines", lines, _LINES)
        _require_dimensions("planes", planes, _PLANES)
        for name in _PAIR:
            ours, theirs = lines[name].values.tolist(), planes[name].values.tolist()
            require(ours == theirs, name, f"the same in lines and planes, {ours}", theirs)
        _require_walkable(lines)
        low, high = decades(planes.loss)
        shape = (planes.sizes["fork_epoch"], planes.sizes["parent"] * planes.sizes["pair"])
        super().__init__(
            scene={
                "alphas": lines.alpha.values.tolist(),
                "forks": lines.fork_epoch.values.tolist(),
                "pairs": [f"parent {parent}, {pair}" for parent in lines.parent.values for pair in lines.pair.values],
                "splits": lines.split.values.tolist(),
                "loss": _curves(lines.loss),
                "error": _curves(lines.error),
                "planes": [[_plane(planes, fork, at, low, high) for at in range(shape[1])] for fork in range(shape[0])],
                "sides": [planes.sizes["column"], planes.sizes["row"]],
                "range": [low, high],
                "third": THIRD_NAMES[third],
                "colours": [mpl.colors.to_hex(colour) for colour in fork_colours(lines.fork_epoch.values).values()],
                "ground": _palette(TERRAIN, 128),
            }
        )


def _require_dimensions(name: str, data: xr.Dataset, parts: Mapping[str, tuple[str, ...]]) -> None:
    for part, dims in parts.items():
        found = data[part].dims if part in data else None
        require(set(dims) == set(found or ()), f"{name}.{part}", f"the dimensions {', '.join(dims)}", found)


def _require_walkable(lines: xr.Dataset) -> None:
    """A NaN is not JSON: one of them in a widget's data would silence every widget of a published page."""
    alphas = lines.alpha.values
    whole = alphas[0] <= 0 and alphas[-1] >= 1 and (np.diff(alphas) > 0).all()
    require(whole, "alpha", "increasing, from 0 or below to 1 or above", alphas.tolist())
    for part in _LINES:
        broken = lines[part].where(~np.isfinite(lines[part]), drop=True)
        where = ", ".join(f"{name} {broken[name].values.tolist()}" for name in _PAIR)
        if broken.size:
            expected = "finite numbers, of one epoch after all forks"
            raise ParameterError(f"lines.{part}: expected {expected}, got others at {where}")


def _curves(values: xr.DataArray) -> list[Any]:
    """Numbers to four significant digits: for each split, fork and pair a curve along alpha."""
    ordered = values.transpose("split", *_PAIR, "alpha").values
    flat = [float(f"{value:.4g}") for value in ordered.ravel()]
    split, fork, *pairs, alpha = ordered.shape
    curves: list[Any] = np.reshape(flat, (split, fork, int(np.prod(pairs)), alpha)).tolist()
    return curves


def _plane(planes: xr.Dataset, fork: int, at: int, low: float, high: float) -> dict[str, Any] | None:
    """One plane: its ends, its three corners, and a byte for the logarithm of each height; None where there is none."""
    plane = planes.isel(fork_epoch=fork, parent=at // planes.sizes["pair"], pair=at % planes.sizes["pair"])
    heights = plane.loss.transpose("row", "column").values
    if not np.isfinite(heights).all():
        return None
    share = np.log(np.clip(heights, low, high) / low) / np.log(high / low)
    return {
        "x": plane.x.values[[0, -1]].tolist(),
        "y": plane.y.values[[0, -1]].tolist(),
        "corners": plane.corner.transpose("corner", "axis").values.round(5).tolist(),
        "heights": base64.b64encode((255 * share).round().astype(np.uint8).tobytes()).decode(),
    }


def _array(value: Any) -> toy_fields.Array:
    """Numbers in any nesting as an array; of no dimension where they are not numbers, or not all finite."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array(np.nan)
    return numbers if np.isfinite(numbers).all() else np.array(np.nan)
