"""Any module of torch, one network at a time: the evaluator of a reader's own networks.

Corners are lists of states: parameters and buffers by name. A point is written into one copy of the module, which is
then run on batches as they come. Small simple networks are vectorised (`measure.vectorised_module`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from lmc_utils.measure import vectorised_module
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.batchnorm import CONVENTIONS, reestimate
from lmc_utils.measure.derivatives import Derivatives
from lmc_utils.measure.evaluator import Gradient, Vectors
from lmc_utils.measure.mixtures import EITHER, Mixtures, on_line
from lmc_utils.measure.module_derivatives import directional_derivatives, gradient
from lmc_utils.measure.module_scores import Scores, cross_entropy
from lmc_utils.measure.module_state import State, layers, mixed, norms, require_single, statistics, tensors
from lmc_utils.measure.stacked_scores import blocks
from lmc_utils.measure.user_code_errors import expected
from lmc_utils.networks.training import Recipe
from lmc_utils.settings import require_choice

DIFFERENTIATED = {
    "reestimate": "each batch's own statistics, as functions of the parameters",
    "interpolate": "statistics that are mixed along the line",
    "keep": "each network's own statistics, as constants",
}

Corners = Sequence[State]

_VERSIONS = 2**28  # bytes of parameters of points that are vectorised together


@dataclass(frozen=True)
class ModuleEvaluator:
    """Measures networks of any architecture, see `measure.evaluator.Evaluator`.

    Attributes:
        module: a copy in evaluation mode, without gradients; it takes the points.
        samples: batches of each split, under its name.
        measured: loss, and error where there is one.
        convention: where running statistics come from, one of `batchnorm.CONVENTIONS`.
        estimated_on: the samples that they are re-estimated on, and that curves are trained on.
        groups: the tensors of each layer, by its name; by default every part that holds parameters itself.
    """

    module: nn.Module
    samples: Mapping[str, Batches]
    measured: Scores
    convention: str
    estimated_on: Batches
    groups: Mapping[str, Sequence[str]] | None = None

    def __post_init__(self) -> None:
        require_choice("batchnorm", self.convention, CONVENTIONS)

    @property
    def quantities(self) -> dict[str, tuple[str, str]]:
        unit = "nats" if self.measured.loss is cross_entropy else ""
        return {"loss": (unit, "")} | ({"error": ("percent", "")} if self.measured.error else {})

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
    def keeps_statistics(self) -> bool:
        return bool(self.norms) and self.convention == "keep"

    @property
    def batchnorm(self) -> str:
        described = {
            "reestimate": f"reestimate (on {self.estimated_on.description})",
            "interpolate": "interpolate",
            "keep": "keep (mean of the statistics of each network in turn)",
        }
        return described[self.convention] if self.norms else "none"

    @property
    def differentiated(self) -> str:
        return DIFFERENTIATED[self.convention] if self.norms else "no statistics"

    @property
    def device(self) -> torch.device:
        """Where the copy is."""
        return next(self.module.parameters()).device

    @cached_property
    def norms(self) -> list[nn.Module]:
        """The normalisations that keep running statistics."""
        return list(norms(self.module).values())

    @cached_property
    def _parameters(self) -> list[str]:
        return [name for name, _ in self.module.named_parameters()]

    @cached_property
    def _statistics(self) -> list[str]:
        return statistics(self.module)

    @cached_property
    def _groups(self) -> Mapping[str, Sequence[str]]:
        return layers(self.module) if self.groups is None else self.groups

    @cached_property
    def _owners(self) -> dict[str, list[int]]:
        """The layers that each tensor belongs to."""
        result: dict[str, list[int]] = {}
        for layer, names in enumerate(self._groups.values()):
            for name in names:
                result.setdefault(name, []).append(layer)
        return result

    def hold(self, state: State, names: Iterable[str] | None = None) -> None:
        """Write the tensors of a state, or those of these names, into the copy."""
        own = tensors(self.module)
        with torch.no_grad():
            for name in state if names is None else names:
                own[name].copy_(state[name])

    def scores(self, corners: Corners, points: Mixtures, splits: Sequence[str]) -> Iterator[tuple[slice, Tensor]]:
        constant = not self.norms or self.convention == "interpolate"
        done = 0
        if constant and vectorised_module.suits(self.module):
            size = sum(value.numel() * value.element_size() for value in self.module.parameters())
            for rows in blocks(len(points), max(1, _VERSIONS // size)):
                versions = self._versions(corners, points[rows])
                found = [
                    vectorised_module.scores(self.module, versions, self.samples[s], self.measured) for s in splits
                ]
                if any(each is None for each in found):
                    break
                yield rows, torch.stack([each for each in found if each is not None], 1)[:, :, None]
                done = rows.stop
        for row in range(done, len(points)):
            yield slice(row, row + 1), self._one(corners, points, row, splits)[None]

    def _one(self, corners: Corners, points: Mixtures, row: int, splits: Sequence[str]) -> Tensor:
        """The scores of one point: (splits, 1 or 2, scores)."""
        self._mix(corners, points, row, self._parameters)
        if not self.norms or self.convention == "interpolate":
            self._mix(corners, points, row, self._statistics)
            return torch.stack([self._mean(split) for split in splits])[:, None]
        if self.convention == "reestimate":
            with expected("batchnorm: expected statistics that can be re-estimated, a batch in training mode gave"):
                reestimate(self.norms, self.estimated_on, self._run, size=lambda batch: batch.size)
            return torch.stack([self._mean(split) for split in splits])[:, None]
        home, rows = int(points.own_homes()[row]), []
        for end in (0, 1) if home == EITHER else (home,):
            self.hold(corners[end], self._statistics)
            rows.append(torch.stack([self._mean(split) for split in splits]))
        return torch.stack(rows if len(rows) == 2 else rows * 2, 1)

    def _run(self, batch: Batch) -> object:
        return batch.to(self.device).run(self.module)

    def _mean(self, split: str) -> Tensor:
        """The mean scores of what the copy holds, (scores,), float64."""
        total = torch.zeros(len(self.measured.names), dtype=torch.float64)
        with torch.no_grad():
            for number, batch in enumerate(self.samples[split]):
                there = batch.to(self.device)
                with expected(f"data: expected inputs that the network takes, batch {number} gave"):
                    output = there.run(self.module)
                total += self.measured.sums(output, there).cpu()
        return total / self.samples[split].samples

    def _mix(self, corners: Corners, points: Mixtures, row: int, names: Iterable[str]) -> None:
        """Write what a point has under these names into the copy."""
        own = tensors(self.module)
        with torch.no_grad():
            for name in names:
                weights = self._weights(points, row, name)
                mixed([corner[name] for corner in corners[: len(weights)]], weights, own[name])

    def _weights(self, points: Mixtures, row: int, name: str) -> list[float]:
        """How much of each corner a tensor of a point has."""
        weights = points.weights[row]
        if points.statistics is not None and name in self._statistics:
            weights = points.statistics[row]
        elif weights.dim() == 2:
            home = torch.zeros(weights.shape[1], dtype=weights.dtype)
            home[points.own_homes()[row]] = 1
            moved = [weights[layer] for layer in self._owners.get(name, []) if not torch.equal(weights[layer], home)]
            weights = moved[0] if moved else home
        if name in self._statistics:  # beyond the networks, as `batchnorm.mixed` has them
            weights = weights.clamp(min=0) / weights.clamp(min=0).sum()
        return weights.tolist()

    def _versions(self, corners: Corners, points: Mixtures) -> State:
        """All points side by side; the copy holds the last one."""
        own, names = tensors(self.module), [*self._parameters, *self._statistics]
        result = {name: own[name].new_empty(len(points), *own[name].shape) for name in names}
        for row in range(len(points)):
            self._mix(corners, points, row, names)
            for name in names:
                result[name][row] = own[name]
        return result

    def derivatives(
        self, pairs: Iterable[Corners], alphas: Sequence[float], *, by_layer: bool, split: str
    ) -> Iterator[Derivatives]:
        require_single(self.module, "curvature")
        line = on_line(torch.tensor(alphas, dtype=torch.float64))
        for corners in pairs:
            by_point = []
            for row in range(len(line)):
                self._mix(corners, line, row, [*self._parameters, *self._statistics])
                homes = line.own_homes()[row].item() if self.keeps_statistics else None
                ends = (0, 1) if homes == EITHER else (homes,)
                rows = [
                    self._derivatives_here(corners, by_layer, split, None if end is None else int(end)) for end in ends
                ]
                by_point.append(Derivatives(*(torch.stack(parts).mean(0) for parts in zip(*rows, strict=True))))
            yield Derivatives(*map(torch.stack, zip(*by_point, strict=True)))

    def _derivatives_here(self, corners: Corners, by_layer: bool, split: str, home: int | None) -> Derivatives:
        """Derivatives at what the copy holds; with the statistics of one end where it is given."""
        if home is not None:
            self.hold(corners[home], self._statistics)
        own = tensors(self.module)
        names = self._parameters + (self._statistics if self.convention == "interpolate" else [])
        return directional_derivatives(
            self.module,
            {name: corners[1][name].to(own[name]) - corners[0][name].to(own[name]) for name in names},
            {name: self._owners.get(name, []) if by_layer else [0] for name in names},
            count=len(self.layers) if by_layer else 1,
            batches=self.samples[split],
            loss=self.measured.loss,
            batchwise=self.convention == "reestimate" and bool(self.norms),
        )

    def gram(self, corners: Corners, *, by_layer: bool = False) -> Tensor:
        groups = self._groups.values() if by_layer else [self._parameters]
        products = torch.zeros(len(groups), len(corners), len(corners), dtype=torch.float64)
        for row, names in enumerate(groups):
            for name in names:
                if name in self._parameters:
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
        count = len(next(iter(inner.values())))
        between = []
        for row in range(count):
            alpha = (row + 1) / (count + 1)
            parameters = {name: value[row].view_as(ends[0][name]) for name, value in inner.items()}
            mean = {name: torch.lerp(ends[0][name], ends[1][name], alpha) for name in self._statistics}
            between.append({**ends[0], **mean, **parameters})
        return [ends[0], *between, ends[1]]

    def networks_at_once(self, requested: int, recipe: Recipe) -> int:
        return 1

    def steps(self, recipe: Recipe) -> int:
        require_single(self.module, "curve")
        return self.estimated_on.count

    def gradients(self, streams: Sequence[Sequence[int]], recipe: Recipe, epoch: int) -> Iterator[Gradient]:
        batches = self.estimated_on.batches
        if isinstance(batches, list):
            batches = [batches[row] for row in np.random.default_rng([*streams[0], epoch]).permutation(len(batches))]
        for batch in batches:
            if batch.size < 2 and self.norms:
                continue

            def slopes(networks: Vectors, batch: Batch = batch) -> Vectors:
                own = dict(self.module.named_parameters())
                point = {name: value.view_as(own[name]) for name, value in networks.items()}
                found = gradient(self.module, point, batch.to(self.device), self.measured.loss)
                return {name: slope.reshape(1, -1) for name, slope in found.items()}

            yield slopes
