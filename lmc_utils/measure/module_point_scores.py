"""Scores of mixtures of any PyTorch networks, computed one by one in a single module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmc_utils.measure.batches import Batches
from lmc_utils.measure.known_scores import KnownScores
from lmc_utils.measure.mixed_module import Corners, MixedModule
from lmc_utils.measure.mixtures import EITHER, Mixtures
from lmc_utils.measure.module_scores import Scores, run_and_score
from lmc_utils.measure.module_statistics import Reestimation


@dataclass(frozen=True)
class PointScores:
    """Measures mean scores of mixtures of states.

    Attributes:
        point: the module that mixtures are written into.
        samples: batches of each split, under its name.
        measured: the loss, and the error if there is one.
        convention: the source of running statistics, one of `batchnorm.CONVENTIONS`.
        reestimation: re-estimates the statistics of `point`.
        known: cached scores.
    """

    point: MixedModule
    samples: Mapping[str, Batches]
    measured: Scores
    convention: str
    reestimation: Reestimation
    known: KnownScores

    def of(self, corners: Corners, points: Mixtures, splits: Sequence[str]) -> Iterator[tuple[slice, Tensor]]:
        """Yield mean scores as they are computed, float64, see `evaluator.Evaluator.scores`."""
        known, done = self._known(corners, points, splits), 0
        while done in known:  # at once, so that an early stop does not lose them
            yield slice(done, done + 1), self._exact(known[done])
            done += 1
        for row in range(done, len(points)):
            found = self._exact(known[row]) if row in known else self._one(corners, points, row, splits)[None]
            yield slice(row, row + 1), found

    def _exact(self, scores: Tensor) -> Tensor:
        """Cached scores, (splits, scores), shaped as those of one point, with one or both statistics."""
        return scores[None, :, None].repeat(1, 1, 2 if self.convention == "keep" else 1, 1)

    def _known(self, corners: Corners, points: Mixtures, splits: Sequence[str]) -> dict[int, Tensor]:
        """The cached scores of points, (splits, scores), by their row."""
        if self.convention == "reestimate":
            return {}
        found = self.known.at(corners, points, own_statistics=self.convention == "keep")
        columns = [list(self.samples).index(split) for split in splits]
        return {row: scores[columns] for row, scores in found.items()}

    def _one(self, corners: Corners, points: Mixtures, row: int, splits: Sequence[str]) -> Tensor:
        """The scores of one point: (splits, 1 or 2, scores)."""
        point = self.point
        if self.convention == "interpolate":
            point.mix(corners, points, row, [*point.parameters, *point.statistics])
            return self._means(splits)[:, None]
        point.mix(corners, points, row, point.parameters)
        if self.convention == "keep":
            home, rows = int(points.own_homes()[row]), []
            for end in (0, 1) if home == EITHER else (home,):
                point.hold(corners[end], point.statistics)
                rows.append(self._means(splits))
            return torch.stack(rows if len(rows) == 2 else rows * 2, 1)
        self.reestimation.run()
        return self._means(splits)[:, None]

    def _means(self, splits: Sequence[str]) -> Tensor:
        """The mean scores of the module as it is, (splits, scores), float64."""
        return torch.stack([self._mean(self.samples[split]) for split in splits])

    def _mean(self, batches: Batches) -> Tensor:
        module, device = self.point.module, next(self.point.module.parameters()).device
        total = torch.zeros(len(self.measured.names), dtype=torch.float64)
        self.point.attributes.restore()
        with torch.no_grad():
            for number, batch in enumerate(batches):
                total += run_and_score(module, batch.to(device), self.measured, number)[1]
        return total / batches.samples
