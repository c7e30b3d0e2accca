"""Evaluator of any PyTorch module, such as a reader's own networks, one network at a time.

Corners are lists of states: parameters and buffers by name. A point is written into one copy of the module
(`measure.mixed_module`), which is then scored (`module_point_scores`), differentiated (`module_derivatives`) or trained
(`module_curves`), batch by batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lmc_utils.measure import module_curves
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.derivatives import Derivatives
from lmc_utils.measure.evaluator import Gradient, Vectors
from lmc_utils.measure.known_scores import KnownScores
from lmc_utils.measure.loss_function import LossFunction
from lmc_utils.measure.mixed_module import Corners, MixedModule
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.module_derivatives import along_line
from lmc_utils.measure.module_loss import loss_function
from lmc_utils.measure.module_point_scores import PointScores
from lmc_utils.measure.module_scores import Scores, classes, output_of
from lmc_utils.measure.module_state import Attributes, State, layers, norms, require_single, tensors
from lmc_utils.measure.module_statistics import Reestimation
from lmc_utils.measure.predictions import Predictions, joined, last_hidden_layer, last_linear_call
from lmc_utils.networks.training import Recipe
from lmc_utils.settings import require, require_choice

DIFFERENTIATED = {
    "reestimate": "each batch's own statistics, as functions of the parameters",
    "interpolate": "statistics that are mixed along the line",
    "keep": "each network's own statistics, as constants",
}

T = TypeVar("T")

_KEPT = "keep (mean of the statistics of each network in turn)"


@dataclass(frozen=True)
class ModuleEvaluator:
    """Measures networks of any architecture, see `measure.evaluator.Evaluator`.

    Attributes:
        module: a copy in evaluation mode, without gradients; points are written into it.
        samples: batches of each split, under its name.
        measured: the loss, and the error if there is one.
        convention: the source of running statistics, one of `batchnorm.CONVENTIONS`.
        estimated_on: the samples for re-estimating statistics and for training curves.
        groups: the tensors of each layer, by its name; by default each submodule with parameters of its own is a layer.
        known: networks with their cached scores, measured with their own statistics: (splits, scores), float64.
    """

    module: nn.Module
    samples: Mapping[str, Batches]
    measured: Scores
    convention: str
    estimated_on: Batches
    groups: Mapping[str, Sequence[str]] | None = None
    known: Sequence[tuple[State, Tensor]] = ()

    def __post_init__(self) -> None:
        require_choice("batchnorm", self.convention, CONVENTIONS)
        self._point.attributes  # noqa: B018  # what the module holds before it is run
        self._scores  # noqa: B018  # and what its networks are before anything changes them

    @property
    def quantities(self) -> dict[str, tuple[str, str]]:
        return self.measured.quantities

    @property
    def splits(self) -> list[str]:
        return list(self.samples)

    @property
    def layers(self) -> list[str]:
        return list(self._groups)

    @property
    def parameters(self) -> int:
        return sum(value.numel() for value in self.module.parameters())

    @property
    def one_at_a_time(self) -> bool:
        return True

    @property
    def allows_nonfinite(self) -> bool:
        return True

    @property
    def keeps_statistics(self) -> bool:
        return self._convention == "keep"

    @property
    def batchnorm(self) -> str:
        if not self.norms:
            return "none"
        if self.convention == "reestimate":
            return f"reestimate (on {self._reestimation.description})"
        return "interpolate" if self.convention == "interpolate" else _KEPT

    @property
    def differentiated(self) -> str:
        return DIFFERENTIATED[self.convention] if self.norms else "no batch-norm statistics involved"

    @property
    def device(self) -> torch.device:
        """The device of the copy."""
        return next(self.module.parameters()).device

    @cached_property
    def norms(self) -> list[nn.Module]:
        """The normalisations that keep running statistics."""
        return list(norms(self.module).values())

    @property
    def _convention(self) -> str:
        """The convention for points; without running statistics all conventions are equivalent."""
        return self.convention if self.norms else "interpolate"

    @cached_property
    def _reestimation(self) -> Reestimation:
        return Reestimation(self.module, self.estimated_on)

    @cached_property
    def _groups(self) -> Mapping[str, Sequence[str]]:
        return layers(self.module) if self.groups is None else self.groups

    @cached_property
    def _point(self) -> MixedModule:
        """The module that points are written into."""
        return MixedModule(self.module, self._groups)

    @cached_property
    def _scores(self) -> PointScores:
        known = KnownScores(self.known)
        return PointScores(self._point, self.samples, self.measured, self._convention, self._reestimation, known)

    def scores(self, corners: Corners, points: Mixtures, splits: Sequence[str]) -> Iterator[tuple[slice, Tensor]]:
        return self._scores.of(corners, points, splits)

    def predictions(self, corners: Corners, points: Mixtures, split: str) -> Iterator[Predictions]:
        states = self.states(corners, points)
        with last_linear_call(self.module, nn.Linear) as call:

            def predicted(output: Any, batch: Batch) -> Predictions:
                logits, labels = classes(output, batch)
                features, unknown = last_hidden_layer(call, logits)
                call.clear()
                return Predictions(logits.clone(), labels, features, unknown)

            for _, each in self.outputs(states, split, predicted):
                yield joined(each)

    def outputs(
        self, states: Sequence[State], split: str, take: Callable[[Any, Batch], T]
    ) -> Iterator[tuple[Batch, list[T]]]:
        """Yield each batch of a split, and what `take` returns for the output of every network and a copy of the batch.

        Each batch goes through all networks in turn, so that only its outputs need memory. Attributes that a network
        changes in a forward pass are carried over to its next batch.
        """
        attributes = [self._point.attributes] * len(states)
        for number, batch in enumerate(self.samples[split]):
            taken = []
            for row, state in enumerate(states):
                self._point.hold(state)
                attributes[row].restore()
                there = batch.to(self.device)
                with torch.no_grad():
                    taken.append(take(output_of(self.module, there, number), there))
                attributes[row] = Attributes(self.module)
            yield batch, taken

    def states(self, corners: Corners, points: Mixtures) -> list[State]:
        """The tensors of points, with the running statistics with which they are measured.

        Corners share the memory of their parameters. Under the convention `keep`, only corners are allowed.
        """
        return [self._tensors_of(corners, points, row) for row in range(len(points))]

    def _tensors_of(self, corners: Corners, points: Mixtures, row: int) -> State:
        point, weights = self._point, points.weights[row]
        point.mix(corners, points, row, [*point.parameters, *point.statistics])
        if self._convention == "reestimate":
            self._reestimation.run()
        is_corner = weights.dim() == 1 and weights.ne(0).sum() == 1
        corner, changed = (int(weights.argmax()), []) if is_corner else (0, point.parameters)
        held = tensors(self.module)
        return {**corners[corner], **{name: held[name].clone() for name in (*changed, *point.statistics)}}

    def state(self, corners: Corners, points: Mixtures) -> dict[str, Any]:
        """The first of several points as a `state_dict`, including its running statistics.

        It shares no memory with the module.

        Raises:
            ParameterError: the convention is `keep`, under which a mixture has no statistics of its own.
        """
        asked = "reestimate or interpolate: an average has one set of running statistics"
        require(not self.keeps_statistics, "batchnorm", asked, "keep")
        self._point.mix(corners, points, 0, [*self._point.parameters, *self._point.statistics])
        if self.norms and self.convention == "reestimate":
            self._reestimation.run()
        return self._held_state()

    def _held_state(self) -> dict[str, Any]:
        """A copy of the module's state: tensors, and extra states if any."""
        with torch.no_grad():
            return copy.deepcopy(dict(self.module.state_dict()))

    def derivatives(
        self, pairs: Iterable[Corners], alphas: Sequence[float], *, by_layer: bool, split: str
    ) -> Iterator[Derivatives]:
        require_single(self.module, "curvature")
        for ends in pairs:
            yield along_line(
                self._point,
                ends,
                alphas,
                by_layer=by_layer,
                batches=self.samples[split],
                loss=self.measured.loss,
                convention=self._convention,
            )

    def loss_function(self, corners: Corners, split: str) -> LossFunction:
        require_single(self.module, "hessian")
        (state,) = self.states(corners, Mixtures(torch.ones(len(corners), 1, dtype=torch.float64)))
        return loss_function(self._point, state, self.samples[split], self.measured.loss)

    def gram(self, corners: Corners, *, by_layer: bool = False) -> Tensor:
        groups = self._groups.values() if by_layer else [self._point.parameters]
        products = torch.zeros(len(groups), len(corners), len(corners), dtype=torch.float64)
        for row, names in enumerate(groups):
            for name in names:
                if name in self._point.parameters:
                    wide = torch.stack([corner[name].double().flatten().cpu() for corner in corners])
                    vectors = torch.cat([wide[:1], wide[1:] - wide[:1]])
                    products[row] += vectors @ vectors.T
        return products if by_layer else products[0]

    def select(self, corners: Corners, numbers: list[int]) -> Corners:
        return [corners[number] for number in numbers]

    def vectors(self, corners: Corners) -> Vectors:
        own = dict(self.module.named_parameters())
        return {
            name: torch.stack([corner[name].to(value).flatten() for corner in corners]) for name, value in own.items()
        }

    def insert_inner_nodes(self, ends: Corners, inner: Vectors) -> Corners:
        return module_curves.insert_inner_nodes(ends, inner, self._point.statistics)

    def networks_at_once(self, requested: int, recipe: Recipe) -> int:
        return 1

    def steps(self, recipe: Recipe) -> int:
        require_single(self.module, "curve")
        return self.estimated_on.count

    def gradients(self, streams: Sequence[Sequence[int]], recipe: Recipe, epoch: int) -> Iterator[Gradient]:
        return module_curves.gradients(self._point, self._reestimation, self.measured.loss, [*streams[0], epoch])
