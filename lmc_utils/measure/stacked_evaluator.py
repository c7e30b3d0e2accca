"""Evaluator of stacked networks, such as those of a forked run: many small networks at once.

Corners are `networks.stack.Networks`: parameter vectors, and running statistics where the network has some.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lmc_utils.measure.batchnorm import Convention, mixed
from lmc_utils.measure.derivatives import Derivatives
from lmc_utils.measure.evaluator import Gradient, Vectors
from lmc_utils.measure.loss_function import LossFunction
from lmc_utils.measure.mixtures import EITHER, Mixtures, blend, on_line
from lmc_utils.measure.predictions import Predictions
from lmc_utils.measure.stacked_derivatives import directional_derivatives
from lmc_utils.measure.stacked_loss import loss_function
from lmc_utils.measure.stacked_scores import StackedScores, blocks, norms, reestimated
from lmc_utils.networks import stack, training
from lmc_utils.networks.stack import Networks
from lmc_utils.networks.state_check import evaluating
from lmc_utils.settings import ParameterError, require

if TYPE_CHECKING:
    from lmc_utils.measure.pairs import Pairs
    from lmc_utils.networks.training import Recipe

Samples = tuple[Tensor, Tensor]
"""Inputs (samples, space..., channels) and labels (samples,)."""

_LAID = 2**28  # bytes of parameter vectors that are mixed at a time
_POINT = 12  # bytes of each parameter of a point: float64 while it is mixed, float32 to be measured
_PARAMETERS_AT_ONCE = 2**24  # of the networks that are differentiated together


@dataclass(frozen=True)
class StackedEvaluator:
    """Measures cross-entropy and error of many networks at once; see `measure.evaluator.Evaluator`.

    Attributes:
        network: any stack of the architecture; a copy in evaluation mode is kept.
        samples: of each split, under its name.
        convention: the source of batch-norm statistics, if the network has any.
        device: where to measure.
    """

    network: nn.Module
    samples: Mapping[str, Samples]
    convention: Convention = field(default_factory=Convention)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def quantities(self) -> dict[str, tuple[str, str]]:
        return {
            "loss": ("nats", "cross-entropy, without weight decay"),
            "error": ("percent", "misclassified samples"),
        }

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", evaluating(self.network).to(self.device))

    @property
    def splits(self) -> list[str]:
        return list(self.samples)

    @property
    def layers(self) -> list[str]:
        return list(self._slices)

    @cached_property
    def parameters(self) -> int:
        return sum(value[0].numel() for value in self.network.parameters())

    @property
    def one_at_a_time(self) -> bool:
        return False

    @property
    def allows_nonfinite(self) -> bool:
        return False

    @property
    def keeps_statistics(self) -> bool:
        return self._has_norms and self.convention.batchnorm == "keep"

    @property
    def batchnorm(self) -> str:
        return self.convention.describe() if self._has_norms else "none"

    @property
    def differentiated(self) -> str:
        how = "functions of the parameters" if self.convention.batchnorm == "reestimate" else "constants"
        return f"statistics as {how}" if self._has_norms else ""

    @cached_property
    def _has_norms(self) -> bool:
        return bool(norms(self.network))

    @cached_property
    def _slices(self) -> dict[str, slice]:
        return stack.layer_slices(self.network)

    @cached_property
    def _scores(self) -> dict[str, StackedScores]:
        return {split: StackedScores(self.network, *self.on(split)) for split in self.samples}

    def on(self, split: str) -> Samples:
        """The samples of a split, on the device."""
        inputs, labels = self.samples[split]
        return inputs.to(self.device), labels.to(self.device)

    def with_few_samples(self, count: int) -> StackedEvaluator:
        """The same evaluator on the first training samples only."""
        inputs, labels = self.samples["train"]
        return replace(self, samples={"train": (inputs[:count], labels[:count])})

    def estimation_inputs(self, convention: Convention | None = None) -> Tensor:
        """The training inputs on which statistics are re-estimated.

        Raises:
            ParameterError: there is no split `train`.
        """
        if "train" not in self.samples:
            raise ParameterError("batchnorm: no training samples to re-estimate statistics on")
        return (convention or self.convention).samples(self.samples["train"][0]).to(self.device)

    @cached_property
    def _estimation(self) -> Tensor:
        return self.estimation_inputs()

    def scores(self, corners: Networks, points: Mixtures, splits: Sequence[str]) -> Iterator[tuple[slice, Tensor]]:
        corners = corners.to(self.device)
        for rows in blocks(len(points), max(1, _LAID // (_POINT * self.parameters))):
            part = points[rows]
            thetas = self.thetas(corners, part)
            found = [
                torch.stack([torch.stack(self._scores[split](thetas, buffers)) for split in splits])
                for buffers in self.statistics(corners, part, thetas)
            ]
            yield rows, torch.stack(found).permute(3, 1, 0, 2)  # from (kept, splits, scores, points)

    def predictions(self, corners: Networks, points: Mixtures, split: str) -> Iterator[Predictions]:
        corners = corners.to(self.device)
        thetas = self.thetas(corners, points)
        yield from self._scores[split].predictions(thetas, self.statistics(corners, points, thetas)[0])

    def thetas(self, corners: Networks, points: Mixtures) -> Tensor:
        """The parameter vectors of points, shape (points, parameters)."""
        weights = points.weights
        if weights.dim() == 2:
            return blend(weights, corners.theta)
        blocks_of = zip(range(weights.shape[1]), self._slices.values(), strict=True)
        return torch.cat([blend(weights[:, layer], corners.theta[:, block]) for layer, block in blocks_of], 1)

    def statistics(self, corners: Networks, points: Mixtures, thetas: Tensor) -> list[Tensor | None]:
        """Running statistics of points, (points, numbers) or None: a list of one, or of two under `keep`."""
        if not self._has_norms:
            return [None]
        if self.convention.batchnorm == "reestimate":
            return [reestimated(self.network, thetas, self._estimation)]
        if corners.buffers is None:
            raise ParameterError(
                "batchnorm must be 'reestimate', as the networks have no running statistics (got "
                f"{self.convention.batchnorm!r})"
            )
        if self.keeps_statistics:
            homes = points.own_homes()
            return [corners.buffers[torch.where(homes == EITHER, end, homes)] for end in (0, 1)]
        weights = points.weights if points.statistics is None else points.statistics
        if weights.dim() == 3:  # each number has the weights of its layer
            owners = [self.layers.index(layer) for layer in stack.buffer_layers(self.network)]
            weights = weights[:, owners].transpose(1, 2)
        return [mixed(weights, corners.buffers[: weights.shape[1]])]

    def derivatives(
        self, pairs: Iterable[Networks], alphas: Sequence[float], *, by_layer: bool, split: str
    ) -> Iterator[Derivatives]:
        inputs, labels = self.on(split)
        estimating = self._has_norms and self.convention.batchnorm == "reestimate"
        estimation = self._estimation if estimating else None
        points = on_line(torch.tensor(alphas, dtype=torch.float64))
        todo, count = iter(pairs), len(alphas)
        while together := list(itertools.islice(todo, max(1, _PARAMETERS_AT_ONCE // (count * self.parameters)))):
            ends = [pair.rows(slice(2)).to(self.device) for pair in together]
            thetas = torch.cat([self.thetas(pair, points) for pair in ends])
            deltas = torch.stack([pair.theta[1] - pair.theta[0] for pair in ends]).repeat_interleave(count, 0)
            parts_by_end = [
                directional_derivatives(
                    self.network, thetas, deltas, inputs=inputs, labels=labels, by_layer=by_layer, buffers=buffers,
                    estimation=estimation,
                )
                for buffers in ([None] if estimating else self._statistics_of(ends, points, thetas))
            ]  # fmt: skip
            mean = Derivatives(*(torch.stack(parts).mean(0) for parts in zip(*parts_by_end, strict=True)))
            yield from (Derivatives(*(part[at : at + count] for part in mean)) for at in range(0, len(thetas), count))

    def _statistics_of(self, pairs: Sequence[Networks], points: Mixtures, thetas: Tensor) -> list[Tensor | None]:
        """`statistics` of the points of several pairs, concatenated."""
        count = len(points)
        result = [self.statistics(pair, points, thetas[row * count :][:count]) for row, pair in enumerate(pairs)]
        return [None if rows[0] is None else torch.cat(rows) for rows in zip(*result, strict=True)]

    def loss_function(self, corners: Networks, split: str) -> LossFunction:
        corners = corners.to(self.device)
        alone = Mixtures(torch.ones(1, 1, dtype=torch.float64))
        (theta,) = corners.theta
        buffers = self.statistics(corners, alone, corners.theta)[0]
        return loss_function(self.network, theta, *self.on(split), buffers=buffers)

    def gram(self, corners: Networks, *, by_layer: bool = False) -> Tensor:
        wide = corners.theta.double()
        vectors = torch.cat([wide[:1], wide[1:] - wide[:1]])
        if not by_layer:
            return (vectors @ vectors.T).cpu()
        return torch.stack([vectors[:, block] @ vectors[:, block].T for block in self._slices.values()]).cpu()

    def select(self, corners: Networks, numbers: list[int]) -> Networks:
        return corners.rows(numbers)

    def vectors(self, corners: Networks) -> Vectors:
        return {"theta": corners.theta.to(self.device)}

    def insert_inner_nodes(self, ends: Networks, inner: Vectors) -> Networks:
        theta = torch.cat([ends.theta[:1], inner["theta"].to(ends.theta), ends.theta[1:]])
        if ends.buffers is None:
            return Networks(theta)
        alphas = torch.linspace(0, 1, len(theta), dtype=torch.float64)
        return Networks(theta, blend(on_line(alphas).weights, ends.buffers))

    def networks_at_once(self, requested: int, recipe: Recipe) -> int:
        inputs = self.on("train")[0]
        size = training.count_activations(self.network, inputs)
        return training.networks_at_once(
            self.network, inputs, requested, batch_size=recipe.batch_size, activations=size
        )

    def steps(self, recipe: Recipe) -> int:
        if "train" not in self.samples:
            raise ParameterError("split: a curve is trained on training samples, which are missing")
        inputs = self.samples["train"][0]
        fits = recipe.batch_size <= len(inputs)
        require(fits, "batch_size", f"<= {len(inputs)}, the number of training samples", recipe.batch_size)
        return len(inputs) // recipe.batch_size

    def gradients(self, streams: Sequence[Sequence[int]], recipe: Recipe, epoch: int) -> Iterator[Gradient]:
        inputs, labels = self.on("train")
        theta = torch.empty(len(streams), self.parameters).to(next(self.network.parameters()))
        slope = torch.empty_like(theta)
        buffers = stack.fresh_buffers(self.network, len(streams)).to(theta)
        moving = stack.bound(self.network, theta, buffers).train()
        training.seed_dropout(moving, streams, epoch=epoch, device=inputs.device)
        for batch, targets in training.batches(inputs, labels, streams, recipe=recipe, epoch=epoch):

            def gradient(networks: Vectors, batch: Tensor = batch, targets: Tensor = targets) -> Vectors:
                theta.copy_(networks["theta"])
                training.slopes(moving, batch, targets, precision=recipe.precision, out=slope)
                return {"theta": slope}

            yield gradient


def require_stacked(pairs: Pairs) -> StackedEvaluator:
    """The evaluator of the pairs, for measurements that support only stacked networks.

    Raises:
        ParameterError: they are other modules.
    """
    if isinstance(pairs.evaluator, StackedEvaluator):
        return pairs.evaluator
    raise ParameterError("network must be built of `networks.layers` (got another module of torch)")


def with_convention(pairs: Pairs, convention: Convention) -> Pairs:
    """The same pairs of stacked networks under another convention for batch normalisation."""
    return replace(pairs, evaluator=replace(require_stacked(pairs), convention=convention))
