"""`delta^T H delta` of many networks, as a whole and by layer: double backward against alternatives.

As a whole, all contenders compute one number for each network; by layer, the blocks `delta_l^T H delta_l` of all
layers, and the total. Those that work on the stack also return the losses, all slopes and the blocks between different
layers; curvlinops computes one product for each layer and one for all. Agreement is checked first, in float64.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from curvlinops import HessianLinearOperator
from torch import Tensor, nn
from torch.func import grad, jvp
from torch.nn import functional

from benchmarks import plain
from benchmarks.timing import Times, interleaved, rounded, with_range
from lmc_utils.forking import Experiment, train
from lmc_utils.measure import stacked_derivatives, stacked_scores
from lmc_utils.measure.derivatives import Derivatives, Loss, differentiate, shift_parameters
from lmc_utils.networks import data, models, stack

OURS = "double backward (`stacked_derivatives.directional_derivatives`)"
OVER = "forward over reverse"
NESTED = "nested forward mode"
CURVLINOPS = "curvlinops, one network after the other"
LOOP = "double backward, one network after the other"
FORWARD = "forward pass"
FAMILIES = ("mlp", "cnn", "none", "group", "functions", "constants")
_CHECKED = 40  # samples on which contenders must agree

Contender = Callable[["Task", bool], Tensor]
"""From a task, and whether by layer, to numbers (networks, 1) or (networks, layers + 1), the total last."""


@dataclass(frozen=True)
class Task:
    """Many networks, each with its own direction, and the samples that all of them see.

    Attributes:
        given: batch-norm arguments of `stacked_derivatives.directional_derivatives`.
        left_out: contenders that cannot do this, or not within minutes.
    """

    design: nn.Module
    thetas: Tensor
    deltas: Tensor
    inputs: Tensor
    labels: Tensor
    given: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, experiment: Experiment) -> Task:
        """Both ends of every pair of siblings after training, along the line between them."""
        run = train(experiment)
        ends = torch.stack([pair.theta for _, pair in run.pairs()])
        deltas = (ends[:, 1] - ends[:, 0]).repeat_interleave(2, 0)
        return cls(run.network, ends.flatten(0, 1), deltas, *run.dataset.train)

    @classmethod
    def fresh(
        cls, design: models.Architecture, statistics: str = "none", networks: int = 4, samples: int = 1000
    ) -> Task:
        """Fresh networks, along random directions.

        Args:
            design: the architecture.
            statistics: statistics of batch normalisation, as `functions` of the parameters or as `constants`.
            networks, samples: their numbers.
        """
        inputs, labels = (part[:samples] for part in data.load(data.Source()).train)
        network = models.build(design, tuple(inputs.shape[1:]), 10)
        thetas = stack.flatten(stack.initialise(network, list(range(networks))))
        deltas = 0.01 * torch.randn(thetas.shape, generator=torch.Generator().manual_seed(0))
        estimation, left_out = inputs[:500], ()
        if design.norm == "group":  # torch has no forward mode for its gradient
            left_out = (OVER, CURVLINOPS)
        if statistics == "functions":
            return cls(network, thetas, deltas, inputs, labels, {"estimation": estimation}, (CURVLINOPS, LOOP))
        given = (
            {"buffers": stacked_scores.reestimated(network, thetas, estimation)} if statistics == "constants" else {}
        )
        return cls(network, thetas + deltas, deltas, inputs, labels, given, left_out)

    def exact(self) -> Task:
        """A part of the task in float64."""
        given = {name: value.double() for name, value in self.given.items()}
        if "estimation" in given:
            given["estimation"] = given["estimation"][:_CHECKED]
        some = {"inputs": self.inputs[:_CHECKED].double(), "labels": self.labels[:_CHECKED]}
        both = {"thetas": self.thetas[:2].double(), "deltas": self.deltas[:2].double()}
        if "buffers" in given:
            given["buffers"] = given["buffers"][:2]
        return replace(self, design=copy.deepcopy(self.design).double(), given=given, **some, **both)


def family(name: str, experiment: Experiment) -> Task:
    """The trained experiment for `mlp`; fresh networks for the others of `FAMILIES`."""
    if name == "mlp":
        return Task.of(experiment)
    if name == "cnn":
        return Task.fresh(models.Architecture(architecture="cnn", widths=(16, 32, 64)))
    norm = "batch" if name in ("functions", "constants") else name
    return Task.fresh(models.Architecture(architecture="resnet8", widths=(8,), norm=norm), name)


def compare(task: Task, by_layer: bool, repeats: int) -> Times:
    """Seconds of each contender, after checking that they agree, and of one forward pass of the same networks."""
    contenders = _contenders(task, by_layer)
    _check_equal(task, by_layer)
    statistics = task.given.get("buffers")
    if "estimation" in task.given:
        statistics = stacked_scores.reestimated(task.design, task.thetas, task.given["estimation"])
    runs: dict[str, Callable[[], object]] = {
        name: partial(measure, task, by_layer) for name, measure in contenders.items()
    }
    runs[FORWARD] = lambda: stacked_scores.evaluate(
        task.design, task.thetas, task.inputs, task.labels, buffers=statistics
    )
    return interleaved(runs, repeats)


def table(whole: Times, by_layer: Times) -> str:
    """A Markdown table of the median of each contender, in seconds with their range, and in forward passes."""
    head = (
        "| method | whole: median seconds (fastest to slowest) | forward passes "
        "| by layer: median seconds (fastest to slowest) | forward passes |"
    )
    rows = [head, "| --- | ---: | ---: | ---: | ---: |"]
    for name in whole:
        cells = []
        for times in (whole, by_layer):
            if name in times:
                seconds = median(times[name])
                passes = rounded(seconds / median(times[FORWARD]), 2)
                cells += [with_range(seconds, times[name], 3), passes]
            else:
                cells += ["", ""]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _contenders(task: Task, by_layer: bool) -> dict[str, Contender]:
    found: dict[str, Contender] = {
        OURS: partial(_stacked, differentiate),
        OVER: partial(_stacked, _forward_over_reverse),
        NESTED: partial(_stacked, _nested_forward),
        CURVLINOPS: partial(_one_by_one, _curvlinops),
        LOOP: partial(_one_by_one, _double_backward),
    }
    layers = len(stack.layer_slices(task.design))
    slow = (NESTED,) if by_layer and layers > 4 else ()  # as many passes as pairs of layers
    return {name: measure for name, measure in found.items() if name not in task.left_out + slow}


def _check_equal(task: Task, by_layer: bool) -> None:
    exact = task.exact()
    ours, *others = (measure(exact, by_layer) for measure in _contenders(task, by_layer).values())
    for theirs in others:
        torch.testing.assert_close(theirs, ours, rtol=1e-8, atol=1e-8 * float(ours.abs().max()))


def _stacked(method: Callable[[Loss, Tensor], Derivatives], task: Task, by_layer: bool) -> Tensor:
    """`stacked_derivatives.directional_derivatives` with another method of differentiation."""
    with patch.object(stacked_derivatives, "differentiate", method):
        found = stacked_derivatives.directional_derivatives(
            task.design,
            task.thetas,
            task.deltas,
            inputs=task.inputs,
            labels=task.labels,
            by_layer=by_layer,
            **task.given,
        ).curvature
    return torch.cat([found.diagonal(dim1=1, dim2=2), found.sum((1, 2)).unsqueeze(1)], 1) if by_layer else found[:, 0]


def _forward_over_reverse(loss: Loss, coefficients: Tensor) -> Derivatives:
    """The derivative of the gradient along each coefficient, in forward mode; by symmetry, only of its later part."""
    every, rows = coefficients.unbind(-1), coefficients.new_zeros(*coefficients.shape, coefficients.shape[-1])
    slopes = torch.zeros_like(coefficients)
    for row in range(len(every)):

        def gradient(*later: Tensor, row: int = row) -> tuple[Tensor, ...]:
            found: tuple[Tensor, ...] = grad(lambda some: loss((*every[:row], *some)).sum())(later)
            return found

        along = [torch.zeros_like(each) for each in every[row:]]
        along[0] = torch.ones_like(along[0])
        values, found = jvp(gradient, every[row:], tuple(along))
        slopes[..., row] = values[0]
        rows[..., row, row:] = rows[..., row:, row] = torch.stack(found, -1)
    return Derivatives(loss(every).detach(), slopes, rows)


def _nested_forward(loss: Loss, coefficients: Tensor) -> Derivatives:
    """Forward mode nested in forward mode, for every pair of coefficients."""
    every, rows = coefficients.unbind(-1), coefficients.new_zeros(*coefficients.shape, coefficients.shape[-1])
    slopes = torch.zeros_like(coefficients)
    for row in range(len(every)):
        for column in range(row, len(every)):

            def slope(step: Tensor, row: int = row, column: int = column) -> Tensor:
                def at(other: Tensor) -> Tensor:
                    moved = list(every)
                    moved[column] = moved[column] + step
                    moved[row] = moved[row] + other
                    return loss(tuple(moved))

                first: Tensor = jvp(at, (torch.zeros_like(step),), (torch.ones_like(step),))[1]
                return first

            zero = torch.zeros_like(every[row])
            slopes[..., row], rows[..., row, column] = jvp(slope, (zero,), (torch.ones_like(zero),))
            rows[..., column, row] = rows[..., row, column]
    return Derivatives(loss(every).detach(), slopes, rows)


Parameters = dict[str, Tensor]
Block = Callable[[nn.Module, list[list[str]], Parameters, Tensor, Tensor], list[Tensor]]


def _one_by_one(measure: Block, task: Task, by_layer: bool) -> Tensor:
    """Measure one network after the other in an ordinary nn.Module."""
    rows, inputs = [], task.inputs
    buffers = task.given.get("buffers", [None] * len(task.thetas))
    if not any(hasattr(layer, "stride") for layer in task.design.modules()):
        inputs = inputs.flatten(1)
    for theta, delta, kept in zip(task.thetas, task.deltas, buffers, strict=True):
        network = plain.network(task.design, theta, kept).eval()
        moves = {name: move.contiguous() for name, move in plain.state(task.design, delta).items()}
        layers: dict[str, list[str]] = {}
        for name in moves:
            layers.setdefault(name.rpartition(".")[0], []).append(name)
        groups = [*layers.values(), list(moves)] if by_layer else [list(moves)]
        rows.append(torch.stack(measure(network, groups, moves, inputs, task.labels)))
    return torch.stack(rows).double()


def _curvlinops(
    network: nn.Module, groups: list[list[str]], moves: Parameters, inputs: Tensor, labels: Tensor
) -> list[Tensor]:
    """One operator and one product for each group of parameters."""
    parameters, loss, found = dict(network.named_parameters()), nn.CrossEntropyLoss(), []
    for group in groups:
        operator = HessianLinearOperator(
            network,
            loss,
            [parameters[name] for name in group],
            [(inputs, labels)],
            check_deterministic=False,
            num_data=len(labels),
        )
        along = [moves[name] for name in group]
        found.append(sum((one * other).sum() for one, other in zip(operator @ along, along, strict=True)).detach())
    return found


def _double_backward(
    network: nn.Module, groups: list[list[str]], moves: Parameters, inputs: Tensor, labels: Tensor
) -> list[Tensor]:
    """`differentiate` for one module; the total is the sum over every two layers."""
    values, layers = dict(network.named_parameters()), groups[:-1] or groups
    order = {name: place for place, group in enumerate(layers) for name in group}

    def loss(steps: tuple[Tensor, ...]) -> Tensor:
        points = shift_parameters(values, moves, {name: steps[place] for name, place in order.items()})
        return functional.cross_entropy(torch.func.functional_call(network, points, (inputs,)), labels)

    found = differentiate(loss, inputs.new_zeros(len(layers))).curvature
    return [*found.diagonal(), found.sum()] if len(groups) > 1 else [found.sum()]
