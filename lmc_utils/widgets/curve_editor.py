"""Curve editor: drag the bend of a Bezier curve between two networks; loss and error along it follow."""

from __future__ import annotations

from typing import Any

import anywidget
import numpy as np
import traitlets
import xarray as xr

from lmc_utils.settings import ParameterError, require
from lmc_utils.widgets.assets import join_scripts, round_significant, static_text
from lmc_utils.widgets.plane_map import map_scene, plane_scene, require_dims

_PARTS = {
    "loss": ("fork_epoch", "row", "column"),
    "error": ("fork_epoch", "row", "column"),
    "x": ("fork_epoch", "column"),
    "y": ("fork_epoch", "row"),
    "corner": ("fork_epoch", "point", "axis"),
}


class CurveEditor(anywidget.AnyWidget):
    """Edit the bend of a quadratic Bezier curve between two networks, with loss and error along the curve.

    The curve stays inside the triangle of both networks and its bend. Between grid points, error and the logarithm of
    the loss are interpolated bilinearly. The first bend is the trained one.

    Args:
        planes: of one pair through its trained bend, from `measure.planes.plane` of `measure.curves.Curves.planes`:
            `loss` and `error` at each fork epoch. Fork epochs whose plane is NaN are left out.

    Raises:
        ParameterError: the planes have other dimensions, go through another point than a bend, do not contain both
            networks and the bend, or none is finite.

    Attributes:
        scene: all data of the figure; about ten kilobytes for each fork epoch at 25 points a side.
    """

    _esm = join_scripts("chart.js", "plane_map.js", "curve_editor.js")
    _css = static_text("widgets.css")

    scene: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, planes: xr.Dataset) -> None:
        _check(planes)
        finite = np.isfinite(planes.loss) & np.isfinite(planes.error)
        shown = planes.sel(fork_epoch=planes.fork_epoch[finite.all(["row", "column"]).values])
        if not shown.sizes["fork_epoch"]:
            raise ParameterError("planes: no fork epoch has finite heights")
        scene = map_scene(shown)
        drawn = [_plane(shown.sel(fork_epoch=fork), *scene["range"]) for fork in shown.fork_epoch]
        super().__init__(scene=scene | {"planes": drawn})


def _check(planes: xr.Dataset) -> None:
    require_dims(planes, "planes", _PARTS)
    require(planes.attrs.get("third") == "bend", "planes", "planes through a bend", planes.attrs.get("third"))
    if not (planes.loss > 0).where(planes.loss.notnull(), True).all():
        raise ParameterError("planes.loss must be > 0 everywhere")
    for fork in planes.fork_epoch.values:
        plane = planes.sel(fork_epoch=fork)
        corners = plane.corner.transpose("axis", "point").values
        for axis, at in zip((plane.x, plane.y), corners, strict=True):
            if at.min() < float(axis[0]) or at.max() > float(axis[-1]):
                raise ParameterError(f"planes: at fork epoch {fork} a network or the bend lies outside the plane")


def _plane(plane: xr.Dataset, low: float, high: float) -> dict[str, Any]:
    """The map of a plane, and its loss and error at each point, row by row from below."""
    ordered = plane.transpose("row", "column", ...)
    values = {name: round_significant(ordered[name].values.ravel(), 4).tolist() for name in ("loss", "error")}
    return {**(plane_scene(plane, low, high) or {}), **values}
