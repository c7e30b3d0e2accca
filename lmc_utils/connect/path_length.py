"""How a way that is made of nodes lies: evenly spaced points on it, its length, and how far it goes from the line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

_FINE = 2001  # values of t by which the length is measured


class Laid(NamedTuple):
    """Where the evenly spaced points of a way are, and how it lies.

    Attributes:
        t: of each point, (points,).
        length: of the way, in units of the networks' distance; NaN where the two are the same network.
        off_line: how far it goes from the straight line through the networks, likewise.
    """

    t: np.ndarray[Any, Any]
    length: float
    off_line: float


def laid(weights: Callable[[Tensor], Tensor], triangle: Tensor, alphas: np.ndarray[Any, Any]) -> Laid:
    """Lay points on a way, evenly spaced by its length.

    Args:
        weights: how much of each node the points at some t are made of, see `curves.Bending.weights`.
        triangle: coordinates of its nodes but the first, which is the origin, in the few dimensions that they span:
            shape (dimensions, nodes - 1), float64.
        alphas: which share of the length lies behind each point, from 0 to 1.

    >>> from lmc_utils.connect.curves import Bending
    >>> corner = torch.tensor([[1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)  # one step east, then one north
    >>> found = laid(Bending(curve="chain").weights, corner, np.array([0.0, 0.25, 1.0]))
    >>> found.t, round(found.length, 6)
    (array([0.  , 0.25, 1.  ]), 1.414214)
    """
    fine = torch.linspace(0, 1, _FINE, dtype=torch.float64)
    way, chord = weights(fine)[:, 1:] @ triangle.T, triangle[:, -1]
    behind = torch.cat([fine.new_zeros(1), way.diff(dim=0).norm(dim=1).cumsum(0)])
    distance = chord.norm()
    steps = np.interp(alphas * float(behind[-1]), behind.numpy(), fine.numpy()) if behind[-1] > 0 else alphas.copy()
    steps[[0, -1]] = 0, 1
    if not distance > 0:
        return Laid(steps, np.nan, np.nan)
    aside = way - (way @ chord / distance.square())[:, None] * chord
    return Laid(steps, float(behind[-1] / distance), float(aside.norm(dim=1).max() / distance))
