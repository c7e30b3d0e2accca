"""Lowest pass between two networks on a measured plane: the minimax path over its grid.

Among all paths that step from a grid point to one of its eight neighbours, the minimax path has the lowest highest
point. It runs along the minimum spanning tree (Hu 1961): no path has a lower highest point than the one along the tree.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.interpolate import RegularGridInterpolator
from scipy.sparse import coo_array
from scipy.sparse.csgraph import depth_first_order, minimum_spanning_tree

from lmc_utils.settings import ParameterError

Array = np.ndarray[Any, Any]

_ALONG = 201  # points at which the straight line is evaluated
_EQUALLY_NEAR = 1e-6  # as a fraction of the plane's size: corners come from float32 parameters


class Pass(NamedTuple):
    """A path over a grid.

    Attributes:
        height: of its highest point.
        path: rows and columns of its points, shape (points, 2).
    """

    height: float
    path: Array


def lowest_pass(heights: Array, start: tuple[int, int], stop: tuple[int, int]) -> Pass:
    """The path over a grid with the lowest highest point.

    Args:
        heights: shape (rows, columns).
        start, stop: row and column of its ends.

    Raises:
        ParameterError: an end outside the grid, or heights that are NaN or infinite.

    >>> wall = np.array([[0.0, 9.0, 0.0], [0.0, 9.0, 0.0], [0.0, 2.0, 0.0]])
    >>> result = lowest_pass(wall, (0, 0), (0, 2))
    >>> result.height, result.path.tolist()
    (2.0, [[0, 0], [1, 0], [2, 1], [1, 2], [0, 2]])
    """
    shape = heights.shape
    for end in (start, stop):
        if not all(0 <= at < length for at, length in zip(end, shape, strict=True)):
            raise ParameterError(f"plane: the network at {tuple(end)} lies outside it; both must lie on it")
    if not np.isfinite(heights).all():
        raise ParameterError("plane: some heights are NaN or infinite")
    numbers, flat = np.arange(heights.size).reshape(shape), heights.ravel()
    steps = [
        (numbers[:, :-1], numbers[:, 1:]),
        (numbers[:-1], numbers[1:]),
        (numbers[:-1, :-1], numbers[1:, 1:]),
        (numbers[:-1, 1:], numbers[1:, :-1]),
    ]
    ones, others = (np.concatenate([each[side].ravel() for each in steps]) for side in (0, 1))
    # Weights are ranks, as a weight of 0 would be no edge; equal heights have equal ranks.
    rank = np.unique(np.maximum(flat[ones], flat[others]), return_inverse=True)[1] + 1.0
    tree = minimum_spanning_tree(coo_array((rank, (ones, others)), shape=(heights.size,) * 2).tocsr())
    first, last = numbers[start], numbers[stop]
    before = depth_first_order(tree, first, directed=False)[1]
    path = [last]
    while path[-1] != first:
        path.append(before[path[-1]])
    return Pass(float(flat[path].max()), np.array(np.unravel_index(path[::-1], shape)).T)


def across(planes: xr.Dataset, show: str = "loss") -> xr.Dataset:
    """Height of the straight line above the lowest pass between both networks of each pair, on its plane.

    Both are computed on the same grid: the line by linear interpolation, the pass from the grid point nearest to the
    first network to the one nearest to the second; among equally near points, as where a network is in the middle of a
    cell, the lowest counts. So the pass is at least as high as the higher of these two points, and details smaller than
    the grid are missed.

    Args:
        planes: from `planes.plane`.
        show: `loss` or `error`.

    Returns:
        With the dimensions of the pairs, and of the split, `line` and `pass`, the highest value along each, in the unit
        of `show`; NaN where there is no plane. `path`, with the dimensions step and axis, holds the coordinates of the
        pass, NaN after its end.

    Raises:
        ParameterError: a plane that does not contain both networks, or none at all.
    """
    heights = planes[show].transpose(..., "row", "column")
    over = heights.dims[:-2]
    highest = {name: xr.full_like(heights.isel(row=0, column=0, drop=True), np.nan) for name in ("line", "pass")}
    paths = np.full((*(heights.sizes[dim] for dim in over), planes.row.size * planes.column.size, 2), np.nan)
    longest = 1
    for index in np.ndindex(*(heights.sizes[dim] for dim in over)):
        at = dict(zip(over, index, strict=True))
        plane = planes.isel({dim: place for dim, place in at.items() if dim in planes.x.dims})
        if bool(plane.x.isnull().any()):
            continue
        x, y, spots = plane.x.values, plane.y.values, plane.corner.transpose("point", "axis").values[:2]
        for spot, name in zip(spots, ("first", "second"), strict=True):
            if not (x[0] <= spot[0] <= x[-1] and y[0] <= spot[1] <= y[-1]):
                raise ParameterError(f"plane: the {name} lies outside it; both networks must lie on it")
        values = heights.isel(at).values
        first, last = (_nearest(values, abs(y - spot[1]), abs(x - spot[0])) for spot in spots)
        crossing = lowest_pass(values, first, last)
        straight = np.linspace(spots[0], spots[1], _ALONG)
        line = RegularGridInterpolator((y, x), values)(straight[:, ::-1])
        highest["line"][at], highest["pass"][at] = line.max(), crossing.height
        rows, columns = crossing.path.T
        paths[index][: len(rows)] = np.stack([x[columns], y[rows]], 1)
        longest = max(longest, len(rows))
    if bool(highest["pass"].isnull().all()):
        raise ParameterError("plane: no plane has both networks on it")
    path = xr.DataArray(paths[..., :longest, :], dims=(*over, "step", "axis"))
    return xr.Dataset({**highest, "path": path}, attrs=planes.attrs)


def _nearest(heights: Array, above: Array, aside: Array) -> tuple[int, int]:
    """Row and column of the nearest point, the lowest one of several; rows are `above` away, columns `aside`."""
    # Equal within rounding: by default the siblings are at the midpoint of two grid points.
    rows, columns = (np.flatnonzero(away <= away.min() + _EQUALLY_NEAR * away.max()) for away in (above, aside))
    around = heights[np.ix_(rows, columns)]
    row, column = np.unravel_index(around.argmin(), around.shape)
    return int(rows[row]), int(columns[column])
