"""Any module of torch, one network at a time: the evaluator of a reader's own networks.

Corners are lists of states: parameters and buffers by name. A point is written into one copy of the module, which is
then run on batches as they come. Small simple networks are vectorised (`measure.vectorised_module`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmc_utils.measure import vectorised_module
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.derivatives import Derivatives
from lmc_utils.measure.evaluator import Gradient, Vectors
from lmc_utils.measure.mixed_module import Corners, MixedModule
from lmc_utils.measure.mixtures import EITHER, Mixtures, on_line
from lmc_utils.measure.module_derivatives import directional_derivatives, gradient
from lmc_utils.measure.module_scores import Scores, cross_entropy, run_and_score
from lmc_utils.measure.module_state import State, layers, norms, require_single, tensors, versions_of
from lmc_utils.measure.module_statistics import Reestimation
from lmc_utils.measure.stacked_scores import blocks
from lmc_utils.measure.user_code_errors import expected
from lmc_utils.networks.training import Recipe
from lmc_utils.settings import ParameterError, require, require_choice

DIFFERENTIATED = {
    "reestimate": "each batch's own statistics, as functions of the parameters",
    "interpolate": "statistics that are mixed along the line",
    "keep": "each network's own statistics, as constants",
}

_KEPT = "keep (mean of the statistics of each network in turn)"
_VERSIONS = 2**28  # bytes of parameters of points that are vectorised together
_ROUNDING = 1e-5  # of a mean score, between one pass of many points and one of each


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
        known: networks whose scores with their own statistics are known: (splits, scores), float64.
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
        self._known_versions  # noqa: B018

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
    def allows_nonfinite(self) -> bool:
        return True

    @property
    def keeps_statistics(self) -> bool:
        return bool(self.norms) and self.convention == "keep"

    @property
    def batchnorm(self) -> str:
        if not self.norms:
            return "none"
        if self.convention == "reestimate":
            return f"reestimate (on {self._reestimation.description})"
        return "interpolate" if self.convention == "interpolate" else _KEPT

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
    def _known_versions(self) -> list[list[int]]:
        """How often the tensors of each known network had been changed, which may be the user's own."""
        return [versions_of(state) for state, _ in self.known]

    @cached_property
    def _reestimation(self) -> Reestimation:
        return Reestimation(self.module, self.estimated_on)

    @cached_property
    def _groups(self) -> Mapping[str, Sequence[str]]:
        return layers(self.module) if self.groups is None else self.groups

    @cached_property
    def _point(self) -> MixedModule:
        """What takes on the points."""
        return MixedModule(self.module, self._groups)

    def scores(self, corners: Corners, points: Mixtures, splits: Sequence[str]) -> Iterator[tuple[slice, Tensor]]:
        known, done = self._known(corners, points, splits), 0
        while done in known:  # at once, so that an early stop does not lose them
            yield slice(done, done + 1), self._exact(known[done])
            done += 1
        if (not self.norms or self.convention == "interpolate") and vectorised_module.suits(self.module):
            size = sum(value.numel() * value.element_size() for value in self.module.parameters())
            for block in blocks(len(points) - done, max(1, _VERSIONS // size)):
                rows = range(done, done + block.stop - block.start)
                found = self._together(corners, points, rows, splits, known)
                if found is None:
                    break
                yield slice(rows.start, rows.stop), found[:, :, None]
                done = rows.stop
        for row in range(done, len(points)):
            found = self._exact(known[row]) if row in known else self._one(corners, points, row, splits)[None]
            yield slice(row, row + 1), found

    def _exact(self, scores: Tensor) -> Tensor:
        """Known scores, (splits, scores), as those of one point with one or both statistics."""
        return scores[None, :, None].repeat(1, 1, 2 if self.keeps_statistics else 1, 1)

    def _together(
        self, corners: Corners, points: Mixtures, rows: range, splits: Sequence[str], known: Mapping[int, Tensor]
    ) -> Tensor | None:
        """The scores of some points in one pass, (points, splits, scores); None where torch cannot do that.

        Corners go along, and it is the way only where they get the scores that a plain pass of each of them gives.
        """
        numbers = sorted({0, 1, len(corners) - 1})
        checks = Mixtures(torch.eye(len(corners), dtype=torch.float64)[numbers])
        wanted = [row for row in rows if row not in known]
        versions = self._point.versions(corners, points[wanted].with_corners(numbers))
        found = []
        for split in splits:
            try:
                scores = vectorised_module.scores(self.module, versions, self.samples[split], self.measured)
            except ParameterError:  # of one point, which must not take the others with it
                return None
            if scores is None:
                return None
            found.append(scores)
        together = torch.stack(found, 1)
        measured, checked = together[: len(wanted)], together[len(wanted) :]
        plain = self._known(corners, checks, splits)
        for row, each in enumerate(checked):
            exact = plain[row] if row in plain else self._one(corners, checks, row, splits)[:, 0]
            if not torch.allclose(each, exact, rtol=_ROUNDING, atol=_ROUNDING, equal_nan=True):
                return None
        by_row = {**known, **dict(zip(wanted, measured, strict=True))}
        return torch.stack([by_row[row] for row in rows])

    def _known(self, corners: Corners, points: Mixtures, splits: Sequence[str]) -> dict[int, Tensor]:
        """The scores of points that are corners with their own statistics, (splits, scores), where they are known."""
        if (
            points.weights.dim() == 3
            or points.statistics is not None
            or (self.norms and self.convention == "reestimate")
        ):
            return {}
        current = zip(self.known, self._known_versions, strict=True)
        valid = [each for each, versions in current if versions == versions_of(each[0])]
        scores = [next((each for state, each in valid if state is corner), None) for corner in corners]
        columns = [self.splits.index(split) for split in splits]
        corner_of = points.weights.eq(1) & points.weights.ne(0).sum(1, keepdim=True).eq(1)
        found = {}
        for row, corner in corner_of.nonzero().tolist():
            each = scores[corner]
            if each is not None and (not self.keeps_statistics or points.own_homes()[row] == corner):
                found[row] = each[columns]
        return found

    def state(self, corners: Corners, points: Mixtures) -> dict[str, Any]:
        """The first of some points as a network: its tensors as `state_dict` names them, with its running statistics.

        It is built in the copy, one tensor at a time, and shares no memory with it.

        Raises:
            ParameterError: statistics that are kept, of which a mixture has no own ones.
        """
        asked = "reestimate or interpolate, as an average has one set of running statistics"
        require(not self.keeps_statistics, "batchnorm", asked, "keep")
        self._point.mix(corners, points, 0, [*self._point.parameters, *self._point.statistics])
        if self.norms and self.convention == "reestimate":
            self._reestimation.run()
        return self._held_state()

    def restore_attributes(self) -> None:
        """Give the copy the attributes that it had before it was run."""
        self._point.attributes.restore()

    def _held_state(self) -> dict[str, Any]:
        """What the copy holds, as a state of its own: tensors, and extra states where there are some."""
        with torch.no_grad():
            return copy.deepcopy(dict(self.module.state_dict()))

    def _one(self, corners: Corners, points: Mixtures, row: int, splits: Sequence[str]) -> Tensor:
        """The scores of one point: (splits, 1 or 2, scores)."""
        point = self._point
        point.mix(corners, points, row, point.parameters)
        if not self.norms or self.convention == "interpolate":
            point.mix(corners, points, row, point.statistics)
            return torch.stack([self._mean(split) for split in splits])[:, None]
        if self.convention == "reestimate":
            self._reestimation.run()
            return torch.stack([self._mean(split) for split in splits])[:, None]
        home, rows = int(points.own_homes()[row]), []
        for end in (0, 1) if home == EITHER else (home,):
            point.hold(corners[end], point.statistics)
            rows.append(torch.stack([self._mean(split) for split in splits]))
        return torch.stack(rows if len(rows) == 2 else rows * 2, 1)

    def _mean(self, split: str) -> Tensor:
        """The mean scores of what the copy holds, (scores,), float64."""
        total = torch.zeros(len(self.measured.names), dtype=torch.float64)
        self._point.attributes.restore()
        with torch.no_grad():
            for number, batch in enumerate(self.samples[split]):
                total += run_and_score(self.module, batch.to(self.device), self.measured, number)[1]
        return total / self.samples[split].samples

    def derivatives(
        self, pairs: Iterable[Corners], alphas: Sequence[float], *, by_layer: bool, split: str
    ) -> Iterator[Derivatives]:
        require_single(self.module, "curvature")
        line = on_line(torch.tensor(alphas, dtype=torch.float64))
        for corners in pairs:
            by_point = []
            for row in range(len(line)):
                self._point.mix(corners, line, row, [*self._point.parameters, *self._point.statistics])
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
            self._point.hold(corners[home], self._point.statistics)
        own = tensors(self.module)
        names = self._point.parameters + (self._point.statistics if self.convention == "interpolate" else [])
        return directional_derivatives(
            self.module,
            {name: corners[1][name].to(own[name]) - corners[0][name].to(own[name]) for name in names},
            {name: self._point.owners.get(name, []) if by_layer else [0] for name in names},
            count=len(self.layers) if by_layer else 1,
            batches=self.samples[split],
            loss=self.measured.loss,
            batchwise=self.convention == "reestimate" and bool(self.norms),
        )

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
        count = len(next(iter(inner.values())))
        between = []
        for row in range(count):
            alpha = (row + 1) / (count + 1)
            parameters = {name: value[row].view_as(ends[0][name]) for name, value in inner.items()}
            mean = {name: torch.lerp(ends[0][name], ends[1][name], alpha) for name in self._point.statistics}
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
            if self.norms and batch.size < 2 and not self._reestimation.takes(batch):
                continue

            def slopes(networks: Vectors, batch: Batch = batch) -> Vectors:
                self._point.attributes.restore()
                own = dict(self.module.named_parameters())
                point = {name: value.view_as(own[name]) for name, value in networks.items()}
                with expected(
                    "curve: expected samples to estimate on that the network and the loss take, a batch gave"
                ):
                    found = gradient(self.module, point, batch.to(self.device), self.measured.loss)
                return {name: slope.reshape(1, -1) for name, slope in found.items()}

            yield slopes
