"""Line explorer: move along the line between two siblings, with loss, error and the position on a plane."""

from __future__ import annotations

from typing import Any

import anywidget
import numpy as np
import traitlets
import xarray as xr

from lmc_utils.settings import ParameterError, require
from lmc_utils.widgets.assets import join_scripts, round_significant, static_text
from lmc_utils.widgets.plane_map import map_scene, plane_scene, require_dims

_PAIR = ("fork_epoch", "parent", "pair")
_LINES = dict.fromkeys(("loss", "error"), ("split", *_PAIR, "alpha"))
_PLANES = {
    "loss": (*_PAIR, "row", "column"),
    "x": (*_PAIR, "column"),
    "y": (*_PAIR, "row"),
    "corner": (*_PAIR, "point", "axis"),
}


class LineExplorer(anywidget.AnyWidget):
    """Move along the line between two siblings, with loss and error, and the position on the plane with the fork.

    Between measured alphas, values are interpolated linearly.

    Args:
        lines: of one epoch after all forks, from `measure.lines.line`.
        planes: of one epoch and the train set, from `measure.planes.plane`. A plane of NaN is not shown.

    Raises:
        ParameterError: lines and planes have other dimensions or differ in forks, parents or pairs; lines are not
            finite or do not contain both siblings.

    Attributes:
        scene: all data of the figure; about two kilobytes for each pair.
    """

    _esm = join_scripts("chart.js", "plane_map.js", "line_explorer.js")
    _css = static_text("widgets.css")

    scene: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, lines: xr.Dataset, planes: xr.Dataset) -> None:
        _check(lines, planes)
        scene = map_scene(planes)
        each = planes.stack(each=["parent", "pair"])
        forks, pairs = range(each.sizes["fork_epoch"]), range(each.sizes["each"])
        super().__init__(
            scene=scene
            | {
                "alphas": lines.alpha.values.tolist(),
                "pairs": [f"parent {parent}, {pair}" for parent in lines.parent.values for pair in lines.pair.values],
                "splits": lines.split.values.tolist(),
                "loss": _curves(lines.loss),
                "error": _curves(lines.error),
                "planes": [
                    [plane_scene(each[{"fork_epoch": fork, "each": pair}], *scene["range"]) for pair in pairs]
                    for fork in forks
                ],
            }
        )


def _check(lines: xr.Dataset, planes: xr.Dataset) -> None:
    for name, data, dimensions in (("lines", lines, _LINES), ("planes", planes, _PLANES)):
        require_dims(data, name, dimensions)
    for name in _PAIR:
        ours, theirs = lines[name].values.tolist(), planes[name].values.tolist()
        require(ours == theirs, name, f"the same in lines and planes, {ours}", theirs)
    alphas = lines.alpha.values
    complete = alphas[0] <= 0 and alphas[-1] >= 1 and (np.diff(alphas) > 0).all()
    require(complete, "alpha", "increasing, and include 0 and 1", alphas.tolist())
    for part in _LINES:  # NaN is not JSON: one would disable every widget of a published page
        broken = lines[part].where(~np.isfinite(lines[part]), drop=True)
        where = ", ".join(f"{name} {broken[name].values.tolist()}" for name in _PAIR)
        if broken.size:
            raise ParameterError(f"lines.{part} is NaN or infinite at {where}; select one epoch after all forks")


def _curves(values: xr.DataArray) -> Any:
    """A curve along alpha for each split, fork and pair, to four significant digits."""
    ordered = values.stack(each=["parent", "pair"]).transpose("split", "fork_epoch", "each", "alpha").values
    return round_significant(ordered, 4).tolist()
