"""Rotatable 3D surfaces of loss or error, without a kernel or files from another host."""

from __future__ import annotations

import base64
import html
import io
import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures.labels import axis_label
from lmc_utils.figures.planes import TERRAIN, log_range, third_point_name
from lmc_utils.provenance import digest
from lmc_utils.settings import ParameterError
from lmc_utils.widgets.assets import join_scripts, palette, static_text


class Surface3D:
    """A surface over the plane for each fork epoch; Jupyter and the book show it by `_repr_html_`.

    Without JavaScript it is a static figure.

    Args:
        planes, trajectories: of one pair, as for `figures.planes.plane_maps`; planes of NaN are left out.
        show: `loss` or `error`, drawn on a logarithmic scale.

    Raises:
        ParameterError: there is no plane at any fork epoch.
    """

    def __init__(self, planes: xr.Dataset, trajectories: xr.Dataset, *, show: str = "loss") -> None:
        forks = planes.fork_epoch.values[planes[show].notnull().all(["row", "column"]).values]
        if not len(forks):
            raise ParameterError("planes: there is none, as all points lie on one line")
        low, high = log_range(planes[show])
        self.scene: dict[str, Any] = {
            "name": "fork epoch",
            "unit": axis_label(show, planes[show]),
            "corners": ("sibling 1", "sibling 2", third_point_name(planes)),
            "range": [float(np.log10(low)), float(np.log10(high))],
            "colours": palette(TERRAIN, 48),
            "panels": [
                _panel(planes.sel(fork_epoch=fork), trajectories.position.sel(fork_epoch=fork), show, low, high)
                for fork in forks
            ],
        }

    def static_figure(self) -> Figure:
        """The first surface as a static figure."""
        panel = self.scene["panels"][0]
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axis: Any = figure.add_subplot(projection="3d")
        x, y = np.meshgrid(panel["x"], panel["y"])
        low, high = self.scene["range"]
        axis.plot_surface(x, y, np.array(panel["z"]), cmap=TERRAIN, vmin=low, vmax=high)
        axis.set(title=f"{self.scene['name']} {panel['label']}", zlabel=f"log10 of the {self.scene['unit']}")
        axis.view_init(elev=43, azim=-60)
        return figure

    def _repr_html_(self) -> str:
        data = json.dumps(self.scene, separators=(",", ":"))
        name = f"lmc-surface-{digest(data)[:12]}"
        picture = io.BytesIO()
        self.static_figure().savefig(picture, format="png", dpi=80, metadata={"Software": None})
        source = base64.b64encode(picture.getvalue()).decode()
        alt = html.escape(self.scene["panels"][0]["description"], quote=True)
        return static_text("surface_3d.html").format(
            name=name,
            still=f'<img alt="{alt}" src="data:image/png;base64,{source}">',
            scene=data.replace("<", "\\u003c"),
            script=join_scripts("surface_3d.js"),
        )


def _panel(plane: xr.Dataset, trajectories: xr.DataArray, show: str, low: float, high: float) -> dict[str, Any]:
    heights, fork = plane[show].transpose("row", "column"), int(plane.fork_epoch)
    return {
        "label": str(fork),
        "description": f"Fork at epoch {fork}: the surface of the {axis_label(show, plane[show])} over the plane "
        f"through both siblings and the {third_point_name(plane)}, "
        f"from {heights.min():.2g} to {heights.max():.2g}, with both trajectories on it.",
        "x": _short(plane.x),
        "y": _short(plane.y),
        "z": _short(xr.apply_ufunc(np.log10, heights.clip(low, high))),
        "corners": _short(plane.corner.transpose("point", "axis")),
        "trajectories": [_short(one.dropna(one.dims[0])) for one in trajectories.transpose("trajectory", ..., "axis")],
    }


def _short(values: xr.DataArray) -> Any:
    """Nested lists of numbers with four decimals, finer than any screen."""
    return values.values.round(4).tolist()
