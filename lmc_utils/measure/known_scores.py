"""Scores that networks are known to have with their own running statistics, as long as their tensors stay the same."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from lmc_utils.measure.mixed_module import Corners
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.module_state import State, versions_of


class KnownScores:
    """Remembers scores of networks, whose tensors may be the user's own and change."""

    def __init__(self, networks: Iterable[tuple[State, Tensor]]) -> None:
        """Note how often each tensor has been changed so far.

        Args:
            networks: states and their scores, (splits, scores), float64.
        """
        self._networks = [(state, versions_of(state), scores) for state, scores in networks]

    def at(self, corners: Corners, points: Mixtures, *, own_statistics: bool) -> dict[int, Tensor]:
        """The scores of those points that are networks with known scores, (splits, scores), by their row.

        Args:
            corners: states; only the very objects that scores are known of are found.
            points: mixtures of them.
            own_statistics: whether a point must have the statistics of the corner that it is.
        """
        if points.weights.dim() == 3 or points.statistics is not None:
            return {}
        valid = [(state, scores) for state, versions, scores in self._networks if versions == versions_of(state)]
        of_corners = [next((scores for state, scores in valid if state is corner), None) for corner in corners]
        is_corner = points.weights.eq(1) & points.weights.ne(0).sum(1, keepdim=True).eq(1)
        found = {}
        for row, corner in is_corner.nonzero().tolist():
            scores = of_corners[corner]
            if scores is not None and (not own_statistics or points.own_homes()[row] == corner):
                found[row] = scores
        return found
