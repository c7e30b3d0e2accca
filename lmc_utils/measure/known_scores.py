"""Cached scores of networks with their own running statistics, valid as long as their tensors do not change."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lmc_utils.measure.mixed_module import Corners
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.module_state import State


class KnownScores:
    """Cache of the scores of networks, whose tensors may belong to the user and change."""

    def __init__(self, networks: Iterable[tuple[State, Tensor]]) -> None:
        """Take a fingerprint of each network.

        Args:
            networks: states and their scores, (splits, scores), float64.
        """
        self._networks = [(state, fingerprint(state), scores) for state, scores in networks]

    def at(self, corners: Corners, points: Mixtures, *, own_statistics: bool) -> dict[int, Tensor]:
        """The cached scores of points that are such a network, (splits, scores), by the row of the point.

        Args:
            corners: states; cached scores are found by object identity.
            points: mixtures of them.
            own_statistics: whether a point must also have the statistics of its corner.
        """
        if points.weights.dim() == 3 or points.statistics is not None:
            return {}
        of_corners = [self._of(corner) for corner in corners]
        is_corner = points.weights.eq(1) & points.weights.ne(0).sum(1, keepdim=True).eq(1)
        found = {}
        for row, corner in is_corner.nonzero().tolist():
            scores = of_corners[corner]
            if scores is not None and (not own_statistics or points.own_homes()[row] == corner):
                found[row] = scores
        return found

    def _of(self, corner: State) -> Tensor | None:
        for state, before, scores in self._networks:
            if state is corner:
                return scores if fingerprint(state) == before else None
        return None


def fingerprint(state: State) -> list[float]:
    """The sum and the norm of each tensor, which almost any change of a network alters.

    Torch's version counter misses changes made through `.data` or NumPy. NaN is never equal to itself.
    """
    return [number for value in state.values() for number in _sum_and_norm(value.detach())]


def _sum_and_norm(value: Tensor) -> list[float]:
    real = torch.view_as_real(value) if value.is_complex() else value
    wide = real if real.dtype in (torch.float32, torch.float64) else real.double()
    return [float(wide.sum()), float(wide.norm())]
