"""A landscape in three dimensions that the reader can turn, with no kernel and nothing from another host."""

from __future__ import annotations

import base64
import html
import io
import json
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures.planes import TERRAIN, decades, label, third_name
from lmc_utils.provenance import digest
from lmc_utils.widgets.scripts import script

_COLOURS = 48

_PAGE = """
<div class="lmc-surface" id="{name}">{still}</div>
<style>
.lmc-surface {{ max-width: 46rem; color: inherit; }}
.lmc-surface-canvas {{ width: 100%; height: 26rem; touch-action: pan-y; cursor: grab; display: block; }}
.lmc-surface-bar {{ display: flex; flex-wrap: wrap; gap: 1rem; align-items: end; justify-content: space-between; }}
.lmc-surface-bar fieldset {{ border: 0; padding: 0; margin: 0; }}
.lmc-surface-bar legend {{ font-size: 1em; margin: 0; }}
.lmc-surface-bar label {{ margin-right: 1rem; }}
</style>
<script type="application/json" id="{name}-scene">{scene}</script>
<script type="module">
{script}
const el = document.getElementById("{name}");
const still = [...el.childNodes];
try {{
  const scene = JSON.parse(document.getElementById("{name}-scene").textContent);
  render({{ model: {{ get: () => scene }}, el }});
}} catch (error) {{
  const note = document.createElement("p");
  note.textContent = `This figure could not be made to turn (${{error.message}}). It stands still instead:`;
  el.replaceChildren(note, ...still);
}}
</script>
"""


class Surface:
    """A surface over the plane, one for each fork epoch; Jupyter and the book show it by `_repr_html_`.

    Where no script runs, it is a still figure.

    Args:
        planes: of one pair, from `measure.planes.plane`: `loss` and `error` with dimensions fork_epoch, row, column,
            and `x`, `y`, `corner`; fork epochs where they are NaN are left out.
        walks: of the same pair, from `measure.projection.project`: `walk` with dimensions fork_epoch, walker, epoch,
            axis.
        show: `loss` or `error`, drawn on a logarithmic scale.

    Raises:
        ValueError: there is no plane at any fork epoch.
    """

    def __init__(self, planes: xr.Dataset, walks: xr.Dataset, show: str = "loss") -> None:
        plane, unit = planes[show], label(planes, show)
        there = plane.notnull().all(["row", "column"])
        forks = [int(fork) for fork in plane.fork_epoch.values[there.values]]
        if not forks:
            raise ValueError("plane: expected one at least at one fork epoch, got none: all points lie on one line")
        low, high = decades(plane)
        heights = xr.apply_ufunc(np.log10, plane.transpose("fork_epoch", "row", "column").clip(low, high))
        points = planes.corner.transpose("fork_epoch", "point", "axis")
        steps = walks.walk.transpose("fork_epoch", "walker", "epoch", "axis")
        names = ("sibling 1", "sibling 2", third_name(planes))
        palette = mpl.colormaps[TERRAIN](np.linspace(0, 1, _COLOURS))[:, :3]
        self.scene: dict[str, Any] = {
            "name": "fork epoch",
            "unit": unit,
            "corners": names,
            "range": [float(np.log10(low)), float(np.log10(high))],
            "colours": (255 * palette).round().astype(int).tolist(),
            "panels": [
                {
                    "label": str(fork),
                    "description": _describe(fork, plane.sel(fork_epoch=fork), names[2], unit),
                    "x": _short(planes.x.sel(fork_epoch=fork)),
                    "y": _short(planes.y.sel(fork_epoch=fork)),
                    "z": _short(heights.sel(fork_epoch=fork)),
                    "corners": _short(points.sel(fork_epoch=fork)),
                    "walks": [_short(one.dropna("epoch")) for one in steps.sel(fork_epoch=fork)],
                }
                for fork in forks
            ],
        }

    def still(self) -> Figure:
        """The first of the surfaces, as a figure that does not turn."""
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
        self.still().savefig(picture, format="png", dpi=80, metadata={"Software": None})
        source = base64.b64encode(picture.getvalue()).decode()
        alt = html.escape(self.scene["panels"][0]["description"], quote=True)
        return _PAGE.format(
            name=name,
            still=f'<img alt="{alt}" src="data:image/png;base64,{source}">',
            scene=data.replace("<", "\\u003c"),
            script=script("surface.js"),
        )


def _describe(fork: int, plane: xr.DataArray, third: str, unit: str) -> str:
    low, high = float(plane.min()), float(plane.max())
    return (
        f"Fork at epoch {fork}: the surface of the {unit} over the plane through both siblings and the {third}, "
        f"from {low:.2g} to {high:.2g}, with both walks on it."
    )


def _short(values: xr.DataArray) -> Any:
    """Nested lists of numbers with four decimals: finer than a screen."""
    return values.values.round(4).tolist()
