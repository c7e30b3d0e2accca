"""Trajectories projected onto the plane through their ends and a third point."""

from __future__ import annotations

import itertools

import torch
import xarray as xr

from lmc_utils.measure.geometry import UNDEFINED
from lmc_utils.measure.labelled_arrays import Quantity, blank
from lmc_utils.measure.planes import Colinear, basis
from lmc_utils.measure.trajectories import Trajectories
from lmc_utils.progress import bar
from lmc_utils.settings import require_choice

THIRDS = ("fork_point", "parent")

_DIMS = ("fork_epoch", "parent", "pair", "trajectory", "epoch")


def project(trajectories: Trajectories, *, third: str = "fork_point") -> xr.Dataset:
    """Project siblings' trajectories since the fork onto the plane through both ends of training and a third point.

    Args:
        trajectories: of the siblings.
        third: `fork_point`, or `parent`, their parent at the end of training.

    Returns:
        With dimensions fork_epoch, parent, pair, trajectory (0 and 1), epoch: `off_plane`, the distance from the plane;
        `off_plane_fraction`, `off_plane` over the distance from the fork point (NaN at the fork); and, with a dimension
        axis, `position`, the coordinates on the plane as in `planes.plane`. NaN before the fork, and where the three
        points lie on one line. The attribute `third` describes the third point.

    Raises:
        ParameterError: an unknown third point.
    """
    require_choice("third", third, THIRDS)
    coords = {**trajectories.coords(), "trajectory": [0, 1], "axis": 2}
    coords = {name: coords[name] for name in (*_DIMS, "axis")}
    quantities = {"position": Quantity((*_DIMS, "axis")), "off_plane": Quantity(_DIMS), "away": Quantity(_DIMS)}
    result = blank(coords, quantities, {**trajectories.provenance, "third": third})
    groups = list(itertools.product(enumerate(trajectories.fork_epochs), range(trajectories.parents)))
    for (fork, fork_epoch), parent in bar(groups, "projecting trajectories", unit="parent"):
        (left,) = trajectories.read(fork_epoch, parent, fork_epoch)[:1]
        last = trajectories.read(fork_epoch, parent, trajectories.epochs[-1])
        top = left if third == "fork_point" else last[0]
        planes = {}
        for row, pair in enumerate(trajectories.pairs):
            try:
                planes[row] = basis(torch.stack([*(last[1 + sibling] for sibling in pair), top]))
            except Colinear:
                continue
        for place, epoch in trajectories.since(fork_epoch) if planes else ():
            thetas = trajectories.read(fork_epoch, parent, epoch)
            for row, plane in planes.items():
                points = thetas[[1 + sibling for sibling in trajectories.pairs[row]]]
                at = (fork, parent, row, slice(None), place)
                located = (part.numpy() for part in plane.locate(points))
                result.position.values[at], result.off_plane.values[at] = located
                result.away.values[at] = (points.double() - left.double()).norm(dim=1)
    fraction = result.off_plane / result.away.where(result.away > 0)
    return result.drop_vars("away").assign(off_plane_fraction=fraction.assign_attrs(UNDEFINED))
