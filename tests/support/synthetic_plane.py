"""Synthetic planes with two trajectories, as input of plane figures and surfaces."""

from __future__ import annotations

import numpy as np
import xarray as xr

FORKS = [0, 2]
CORNERS = [[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]


def synthetic_plane(grid: int = 4, third: str = "fork_point") -> tuple[xr.Dataset, xr.Dataset]:
    """A plane as from `planes.plane`, and two trajectories from the third corner to the others."""
    heights = np.random.default_rng(0).uniform(0.01, 3, size=(len(FORKS), grid, grid))
    planes = xr.Dataset(
        {
            "loss": (("fork_epoch", "row", "column"), heights, {"units": "nats"}),
            "error": (("fork_epoch", "row", "column"), 10 * heights, {"units": "percent"}),
            "corner": (("fork_epoch", "point", "axis"), [CORNERS] * 2),
            "x": (("fork_epoch", "column"), [np.linspace(-1, 3, grid)] * 2),
            "y": (("fork_epoch", "row"), [np.linspace(-1, 4, grid)] * 2),
        },
        coords={"fork_epoch": FORKS, "split": "train"},
        attrs={"third": third},
    )
    ends = np.array([[CORNERS[2], CORNERS[0]], [CORNERS[2], CORNERS[1]]])
    positions = (("fork_epoch", "trajectory", "epoch", "axis"), [ends] * 2)
    return planes, xr.Dataset({"position": positions}, coords={"fork_epoch": FORKS})
