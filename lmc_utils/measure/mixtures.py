"""Points to measure, given as mixtures of corner networks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

EITHER = -1
"""The home of a point that is no corner: under the convention `keep` it has the statistics of each end in turn."""


@dataclass(frozen=True)
class Mixtures:
    """Weighted sums of corner networks.

    Attributes:
        weights: weight of each corner in each point; they add up to 1. Shape (points, corners), or (points, layers,
            corners) if each layer has its own weights; float64.
        homes: index of the corner whose running statistics each point has under the convention `keep`, shape (points,),
            or `EITHER`; by default, points that are a corner have that corner's.
        statistics: weights for mixing running statistics, if they differ from those of the parameters; shape (points,
            corners).

    >>> len(Mixtures(torch.eye(3, dtype=torch.float64)))
    3
    """

    weights: Tensor
    homes: Tensor | None = None
    statistics: Tensor | None = None

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, rows: slice | Tensor | list[int]) -> Mixtures:
        homes, statistics = (None if each is None else each[rows] for each in (self.homes, self.statistics))
        return Mixtures(self.weights[rows], homes, statistics)

    def own_homes(self) -> Tensor:
        """`homes`; by default the index of the corner that equals the point."""
        if self.homes is not None:
            return self.homes
        is_corner = self.weights == 1
        return torch.where(is_corner.any(-1), is_corner.int().argmax(-1), EITHER)


def on_line(alphas: Tensor, corners: int = 2) -> Mixtures:
    """The points (1 - alpha) * theta_1 + alpha * theta_2 of the line through the first two corners.

    >>> on_line(torch.tensor([0.0, 0.25])).weights.tolist()
    [[1.0, 0.0], [0.75, 0.25]]
    """
    alphas = alphas.double()
    return Mixtures(torch.stack([1 - alphas, alphas, *[torch.zeros_like(alphas)] * (corners - 2)], 1))


def blend(weights: Tensor, corners: Tensor) -> Tensor:
    """Weighted sums of vectors; a point that is a corner equals it bit for bit.

    Args:
        weights: shape (points, corners).
        corners: shape (corners, numbers).

    Returns:
        shape (points, numbers), in the type of the corners.

    >>> blend(torch.tensor([[0.5, 0.5], [0.0, 1.0]]), torch.tensor([[0.0, 1.0], [1.0, 3.0]]))
    tensor([[0.5000, 2.0000],
            [1.0000, 3.0000]])
    """
    used = weights.ne(0).any(0).nonzero().flatten().tolist()
    if len(used) == 1:
        return corners[used].expand(len(weights), -1)
    if len(used) == 2:
        first, second = (corners[corner] for corner in used)
        return torch.lerp(first, second, weights[:, used[1], None].to(corners))
    return (weights.to(corners.device).double() @ corners.double()).to(corners)
