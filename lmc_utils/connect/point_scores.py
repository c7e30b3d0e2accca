"""Loss and error at points between networks, one after the other in one copy, or those of small ones as one stack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lmc_utils.connect import stacked_scores
from lmc_utils.connect.batches import Feed
from lmc_utils.connect.endpoints import Ends, Point
from lmc_utils.connect.scores import Scores
from lmc_utils.connect.state_dicts import State
from lmc_utils.connect.user_errors import expected
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.settings import ParameterError, require_choice


def at(states: Sequence[State], alpha: float) -> Point:
    """The point of the line between two networks; those have their own statistics."""
    return Point(states, lambda _: (1 - alpha, alpha), {0.0: 0, 1.0: 1}.get(alpha))


@dataclass(frozen=True)
class Walker:
    """What points are measured with.

    Attributes:
        ends: the networks, and the copy that takes the points.
        feed: samples that they are measured on.
        scores: what is measured.
        batchnorm: where statistics come from, see `measure.batchnorm`.
        estimated_on: samples that they are re-estimated on.
    """

    ends: Ends
    feed: Feed
    scores: Scores
    batchnorm: str
    estimated_on: Feed

    def __post_init__(self) -> None:
        require_choice("batchnorm", self.batchnorm, CONVENTIONS)

    @property
    def kept(self) -> bool:
        """Whether points have the statistics of each network in turn."""
        return bool(self.ends.norms) and self.batchnorm == "keep"

    def measure(self, points: Sequence[Point]) -> Iterator[tuple[int, Tensor]]:
        """Each point's number and its scores, as they are done: (1, or 2 with the statistics of both), float64."""
        constant = not self.ends.norms or self.batchnorm == "interpolate"
        done = stacked_scores.scores(self.ends, self.feed, self.scores, points) if constant else None
        if done is not None:
            yield from enumerate(done[:, None])
            return
        for row, point in enumerate(points):
            yield row, self.one(point)

    def one(self, point: Point) -> Tensor:
        """The scores of one point: (1 or 2, scores), float64."""
        module, statistics = self.ends.module, self.ends.statistics
        self.ends.lay(point, self.ends.parameters)
        if not statistics or self.batchnorm == "interpolate":
            self.ends.lay(point, statistics)
            return self.mean(module)[None]
        if self.batchnorm == "reestimate":
            reestimate(module, self.ends.norms, self.estimated_on, self.ends.device)
            return self.mean(module)[None]
        rows = []
        for home in (0, 1) if point.home is None else (point.home,):
            self.ends.lay_end(home, statistics)
            rows.append(self.mean(module))
        return torch.stack(rows if len(rows) == 2 else rows * 2)

    def mean(self, module: nn.Module) -> Tensor:
        """The mean scores of a network over the samples, (scores,), float64."""
        total = torch.zeros(len(self.scores.names), dtype=torch.float64)
        with torch.no_grad():
            for number, batch in enumerate(self.feed):
                there = batch.to(self.ends.device)
                with expected(f"data: expected inputs that the network takes, batch {number} gave"):
                    output = there.run(module)
                total += self.scores.sums(output, there).cpu()
        return total / self.feed.samples


def reestimate(module: nn.Module, norms: Sequence[nn.Module], feed: Feed, device: torch.device) -> None:
    """Give normalisations the statistics that they meet on samples: means over batches, each counted by its size.

    As `torch.optim.swa_utils.update_bn`, but that dropout stays off and a small last batch counts less. A batch of one
    sample has no variance and is left out.

    Raises:
        ParameterError: no batch of at least two samples.
    """
    before = {norm: (norm.training, norm.momentum) for norm in norms}
    seen = 0
    try:
        for norm in norms:
            norm.reset_running_stats()  # type: ignore[operator]
            norm.train()
        with torch.no_grad():
            for batch in feed:
                if batch.size < 2:
                    continue
                seen += batch.size
                for norm in norms:
                    norm.momentum = batch.size / seen  # type: ignore[assignment]
                with expected("batchnorm: expected statistics that can be re-estimated, a batch in training mode gave"):
                    batch.to(device).run(module)
    finally:
        for norm, (training, momentum) in before.items():
            norm.training, norm.momentum = training, momentum
    if not seen:
        raise ParameterError("batchnorm: expected a batch of at least two samples to re-estimate on, got none")


def order_of(alphas: Sequence[float]) -> list[int]:
    """In which order points of a line are measured, so that whoever stops early has the most: ends, middle, the rest.

    >>> order_of([0.0, 0.25, 0.5, 0.75, 1.0])
    [0, 4, 2, 1, 3]
    """
    taken = [0]
    while len(taken) < len(alphas):
        away = [round(min(abs(alpha - alphas[other]) for other in taken), 9) for alpha in alphas]
        taken.append(away.index(max(away)))
    return taken
