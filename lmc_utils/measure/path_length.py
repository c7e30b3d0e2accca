"""Points evenly spaced by length along a path through nodes, the length, and the deviation from the straight line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

_FINE = 2001  # values of t for measuring the length


class Spacing(NamedTuple):
    """Evenly spaced points of a path, and its length.

    Attributes:
        t: t of each point, (points,).
        length: length of the path, in units of the networks' distance; NaN if the two are the same network.
        off_line: its largest distance from the straight line through the networks, in the same units.
    """

    t: np.ndarray[Any, Any]
    length: float
    off_line: float


def spacing(weights: Callable[[Tensor], Tensor], nodes: Tensor, alphas: np.ndarray[Any, Any]) -> Spacing:
    """Space points evenly along a path by its length.

    Args:
        weights: returns the weights of the nodes at given t, see `curves.CurveSettings.weights`.
        nodes: coordinates of the nodes in the few dimensions that they span, the first at the origin, float64: shape
            (nodes, dimensions), see `embedded`.
        alphas: the fraction of path length at each point, from 0 to 1.

    >>> from lmc_utils.measure.curves import CurveSettings
    >>> nodes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)  # one step east, one north
    >>> found = spacing(CurveSettings(curve="chain").weights, nodes, np.array([0.0, 0.25, 1.0]))
    >>> found.t, round(found.length, 6)
    (array([0.  , 0.25, 1.  ]), 1.414214)
    """
    fine = torch.linspace(0, 1, _FINE, dtype=torch.float64)
    path, chord = weights(fine) @ nodes, nodes[-1]
    behind = torch.cat([fine.new_zeros(1), path.diff(dim=0).norm(dim=1).cumsum(0)])
    distance = chord.norm()
    steps = np.interp(alphas * float(behind[-1]), behind.numpy(), fine.numpy()) if behind[-1] > 0 else alphas.copy()
    steps[[0, -1]] = 0, 1
    if not distance > 0:
        return Spacing(steps, np.nan, np.nan)
    aside = path - (path @ chord / distance.square())[:, None] * chord
    return Spacing(steps, float(behind[-1] / distance), float(aside.norm(dim=1).max() / distance))


def embedded(gram: Tensor) -> Tensor:
    """Coordinates of corners in the few dimensions that they span, the first at the origin.

    Args:
        gram: inner products, see `evaluator.Evaluator.gram`, shape (corners, corners).

    Returns:
        shape (corners, corners - 1), float64.

    >>> embedded(torch.tensor([[9.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 1.0, 2.0]])).norm(dim=1).square().round()
    tensor([0., 1., 2.], dtype=torch.float64)
    """
    values, vectors = torch.linalg.eigh(gram[1:, 1:].double())
    coordinates: Tensor = vectors * values.clamp(min=0).sqrt()
    return torch.cat([coordinates.new_zeros(1, coordinates.shape[1]), coordinates])
