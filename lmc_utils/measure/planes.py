"""Loss and error on the plane through two networks and a third point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.measure.evaluator import Corners
from lmc_utils.measure.labelled_arrays import Place, Quantity, blank
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import measure
from lmc_utils.settings import Settings, at_least, parameter

_ROUNDING = 1e-6  # parameters are float32: a height below their rounding counts as zero


@dataclass(frozen=True)
class PlaneGrid(Settings):
    """Grid of points on the plane through two siblings and a third point.

    >>> PlaneGrid(grid=1)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: grid must be >= 2 (got 1)
    """

    grid: int = parameter(25, "grid points along each side of a map", at_least(2), bytes_each=64)
    margin: float = parameter(
        0.3, "margin of a map around the three points, as a fraction of their bounding box", at_least(0)
    )

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"grid": 5}}


class Colinear(ValueError):
    """Three points that span no plane."""


class Basis(NamedTuple):
    """Coordinates on the plane through three points.

    Attributes:
        origin: the first point, shape (parameters,), float64.
        axes: an orthonormal basis, shape (2, parameters): the first axis points to the second point, and the third
            point lies on the positive side of the first.
        corners: where the three points lie, shape (3, 2).
    """

    origin: Tensor
    axes: Tensor
    corners: Tensor

    def locate(self, thetas: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates of the points' projections, shape (points, 2), and their distances from the plane, (points,)."""
        away = thetas.double() - self.origin
        inside = away @ self.axes.T
        return inside, (away - inside @ self.axes).norm(dim=1)


def basis(corners: Tensor) -> Basis:
    """An orthonormal basis of the plane through three points.

    Args:
        corners: shape (3, parameters).

    Raises:
        Colinear: they lie on one line, as far as float32 can tell.

    >>> found = basis(torch.tensor([[1.0, 0.0, 0.0], [1.0, 2.0, 0.0], [1.0, 1.0, -3.0]]))
    >>> found.corners
    tensor([[0., 0.],
            [2., 0.],
            [1., 3.]], dtype=torch.float64)
    """
    origin, second, third = corners.double()
    across, up = second - origin, third - origin
    vectors = torch.stack([origin, across, up])
    spots = triangle(vectors @ vectors.T)
    first = across / spots[1, 0]
    up = up - (up @ first) * first
    return Basis(origin, torch.stack([first, up / up.norm()]), spots)


def triangle(gram: Tensor) -> Tensor:
    """Coordinates of three points on their plane: the first at 0, the second on the first axis, the third above it.

    Args:
        gram: inner products of the first point, and of the differences of the others from it, shape (3, 3); see
            `evaluator.Evaluator.gram`.

    Returns:
        shape (3, 2), float64.

    Raises:
        Colinear: they lie on one line, as far as float32 can tell.

    >>> triangle(torch.tensor([[1.0, 0.0, 0.0], [0.0, 4.0, 2.0], [0.0, 2.0, 10.0]]))
    tensor([[0., 0.],
            [2., 0.],
            [1., 3.]], dtype=torch.float64)
    """
    gram = gram.double().cpu()
    base = float(gram[1, 1].sqrt())
    along = float(gram[1, 2]) / base if base else 0.0
    height = float((gram[2, 2] - along**2).clamp(min=0).sqrt())
    others = gram[0, 0] + 2 * gram[0, 1:] + gram.diagonal()[1:]
    largest = float(torch.cat([gram[:1, 0], others]).clamp(min=0).max().sqrt())  # of the points' lengths
    if min(base, height) <= _ROUNDING * (largest + max(base, abs(along), height)):
        raise Colinear("the three points lie on one line, and span no plane")
    return torch.tensor([[0.0, 0.0], [base, 0.0], [along, height]], dtype=torch.float64)


def barycentric(spots: Tensor, coordinates: Tensor) -> Tensor:
    """Barycentric coordinates: the weights of three corners in points, (3, 2) and (points, 2) to (points, 3).

    >>> barycentric(torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([[0.5000, 0.5000, 0.0000]], dtype=torch.float64)
    """
    square, targets = (
        torch.cat([each.double(), torch.ones(len(each), 1).double()], 1) for each in (spots, coordinates)
    )
    result: Tensor = torch.linalg.solve(square, targets, left=False)
    return result


def plane(pairs: Pairs, grid: PlaneGrid, *, splits: Sequence[str] | str | None = None) -> xr.Dataset:
    """Loss and error on the plane through both networks of each pair and its third point.

    Args:
        pairs: pairs with a third point.
        grid: the points of the plane.
        splits: names of the samples; see `points.measure`, also for further results and the errors raised.

    Returns:
        `loss` and `error` (percent) with dimensions split, those of the pairs, row, column; the distances `x` (of each
        column) and `y` (of each row) from the first network along axes that are perpendicular to each other; `corner`,
        the coordinates of the three points, with dimensions point (both networks, then the third point) and axis. All
        are NaN where `colinear` is true: the three points lie on one line, as they do at the fork itself. The attribute
        `third` describes the third point.

    Raises:
        ParameterError: pairs without a third point.
    """
    third, dims, inner = pairs.require_third(), tuple(pairs.coords), {"row": grid.grid, "column": grid.grid}
    quantities = {
        "x": Quantity((*dims, "column"), long_name="distance along the line from the first network to the second"),
        "y": Quantity((*dims, "row"), long_name="distance from that line, on the side of the third point"),
        "corner": Quantity((*dims, "point", "axis"), long_name="where the three points lie"),
    }
    ground = blank({**pairs.coords, **inner, "point": 3, "axis": 2}, quantities, {})

    def points(place: Place, corners: Corners) -> Mixtures | None:
        try:
            spots = triangle(pairs.evaluator.gram(corners))
        except Colinear:
            return None
        ground.corner.values[place] = spots
        for axis, ticks in enumerate((ground.x, ground.y)):
            low, high = float(spots[:, axis].min()), float(spots[:, axis].max())
            beyond = grid.margin * (high - low)
            ticks.values[place] = np.linspace(low - beyond, high + beyond, grid.grid)
        across, up = (torch.from_numpy(ticks.values[place]) for ticks in (ground.x, ground.y))
        return Mixtures(barycentric(spots, torch.stack(torch.meshgrid(across, up, indexing="xy"), -1).flatten(0, 1)))

    heights = measure(pairs, inner, points, splits=splits, unit="plane")
    colinear = ground.corner.isnull().any(["point", "axis"])
    return heights.assign(ground.data_vars).assign(colinear=colinear).assign_attrs(third=third)
