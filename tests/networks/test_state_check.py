"""State that is not understood is refused in one line, wherever a network is measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.measure import curvature, evaluator, lines, planes, ridges
from lmc_utils.measure.pairs import Pairs, between
from lmc_utils.networks import layers, normalisation, stack
from lmc_utils.networks.lifted import as_stack
from lmc_utils.networks.state_check import refuse_state
from lmc_utils.settings import ParameterError


class Counting(nn.Module):
    """Counts its forward passes, and says so nowhere in its parameters."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside, self.passes = inside, 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.passes += 1
        outputs: Tensor = self.inside(inputs)
        return outputs


class Remembering(nn.Module):
    """Keeps a running mean as a plain attribute, where no list of buffers shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.mean = nn.Linear(4, 3), torch.zeros(3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.linear(inputs)
        self.mean = 0.9 * self.mean + 0.1 * outputs.mean(0)
        return outputs - self.mean


class Shrinking(nn.Module):
    """Changes its own weights while it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        self.linear.weight.data.mul_(0.5)
        outputs: Tensor = self.linear(inputs)
        return outputs


class AlwaysDropping(nn.Module):
    """Drops units in evaluation mode, too."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = layers.Linear(1, 4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.dropout(self.linear(inputs), 0.5)


class Holding(nn.Module):
    """Holds something beside its parameters."""

    def __init__(self, held: object) -> None:
        super().__init__()
        self.linear, self.held = layers.Linear(1, 4, 3), held

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.linear(inputs)
        return outputs


class Circle:
    """Leads back to itself."""

    def __init__(self) -> None:
        self.itself, self.radius = self, [1.0, np.zeros(3), {"none": None}]


class Function(nn.Module):
    """A layer, and whatever a function makes of its outputs."""

    def __init__(self, layer: nn.Module, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(self.layer(inputs))


class Wrapped(nn.Module):
    """Its child has a name that other wrappers have taken, too."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.module(inputs)
        return outputs


def counted() -> Callable[[Tensor], Tensor]:
    """Adds how often it was called, which no attribute shows."""
    calls: list[int] = []

    def add(outputs: Tensor) -> Tensor:
        calls.append(1)
        return outputs + len(calls)

    return add


def coarse(outputs: Tensor) -> Tensor:
    return outputs + (np.random.random() < 0.5)  # noqa: NPY002


OFFSET = torch.tensor([0.0, 0.0, -1e6])
BATCH_NORM = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
CASES = [
    pytest.param(BATCH_NORM, "has the buffers 1.running_mean, 1.running_var, 1.num_batches_tracked", id="batch norm"),
    pytest.param(
        nn.Sequential(*(nn.BatchNorm1d(4) for _ in range(2)), nn.Linear(4, 3)),
        "has the buffers 0.running_mean, 0.running_var, 0.num_batches_tracked, 1.running_mean and 2 more",
        id="many buffers",
    ),
    pytest.param(
        nn.Sequential(layers.Linear(1, 4, 3), nn.BatchNorm1d(7, affine=False)),
        "has the buffers 1.running_mean",
        id="batch norm in a stack",
    ),
    pytest.param(Counting(nn.Linear(4, 3)), "changes in a forward pass: passes", id="a counter"),
    pytest.param(Counting(layers.Linear(1, 4, 3)), "changes in a forward pass: passes", id="a counter in a stack"),
    pytest.param(Remembering(), "changes in a forward pass: mean", id="a running mean"),
    pytest.param(Shrinking(), "changes in a forward pass: linear.weight", id="weights"),
    pytest.param(AlwaysDropping(), "draws random numbers in a forward pass", id="dropout for ever"),
    pytest.param(
        Function(layers.Linear(1, 4, 3), counted()),
        "answers otherwise when it is asked again",
        id="a counter in a closure",
    ),
    pytest.param(Function(layers.Linear(1, 4, 3), coarse), "draws random numbers", id="numpy's random numbers"),
    pytest.param(
        Function(layers.Linear(1, 4, 3), lambda x: x - x.mean(1, keepdim=True)),
        "mixes the samples of a batch",
        id="samples in a stack",
    ),
    pytest.param(
        Function(nn.Linear(4, 3), lambda x: x - x.mean(0) + OFFSET),
        "mixes the samples of a batch",
        id="samples beside a large logit",
    ),
    pytest.param(
        Function(layers.Linear(1, 4, 3), lambda x: x - x.mean(0)), "mixes the networks of a stack", id="networks"
    ),
    pytest.param(nn.Sequential(nn.ReLU(inplace=True), layers.Linear(1, 4, 3)), "changes the samples", id="in place"),
    pytest.param(
        nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 3)),
        "mixes the samples of a batch",
        id="batch statistics",
    ),
]
every_case = pytest.mark.parametrize(("network", "why"), CASES)


def size(network: nn.Module) -> int:
    return sum(value[0].numel() for value in as_stack(network).parameters())


def samples() -> tuple[Tensor, Tensor]:
    return torch.randn(12, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3


def pairs_of(network: nn.Module, ends: Tensor) -> Pairs:
    return between(network, ends[:1], ends[1:], {"train": samples()}, ends[:1] + torch.randn(1, ends.shape[1]))


MEASUREMENTS: dict[str, Callable[[nn.Module, Tensor], object]] = {
    "evaluate": lambda network, ends: evaluator.evaluate(network, ends, *samples()),
    "jet": lambda network, ends: curvature.jet(network, ends, ends, *samples()),
    "along": lambda network, ends: curvature.along(pairs_of(network, ends)),
    "line": lambda network, ends: lines.line(pairs_of(network, ends), lines.LineGrid()),
    "layer_line": lambda network, ends: lines.layer_line(pairs_of(network, ends)),
    "plane": lambda network, ends: planes.plane(pairs_of(network, ends), planes.PlaneGrid(grid=2)),
    "tracks": lambda network, ends: ridges.tracks(pairs_of(network, ends), [0.0, 1.0]),
}


@every_case
@pytest.mark.parametrize("measure", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_every_measurement_refuses_it_in_one_line(
    network: nn.Module, why: str, measure: Callable[[nn.Module, Tensor], object]
) -> None:
    with pytest.raises(ParameterError) as caught:
        measure(network, torch.zeros(2, size(network)))
    said = str(caught.value)
    assert said.startswith("network: expected parameters and no other state, this one ")
    assert why in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Dropout(0.5), nn.GELU(), nn.Linear(5, 3)),
        nn.Sequential(layers.Linear(1, 4, 5), normalisation.LayerNorm(1, 5), nn.ReLU(), layers.Linear(1, 5, 3)),
        nn.Sequential(layers.Linear(1, 4, 3), nn.Dropout(0.5)),
        Holding(Circle()),
        Holding(torch.tensor([float("nan")])),
        Holding(nn.ReLU().forward),
        Wrapped(nn.Linear(4, 3)),
        nn.Sequential(
            nn.Linear(4, 8),
            nn.Unflatten(1, (2, 4)),
            nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
            nn.Flatten(),
        ),
    ],
    ids=[
        "plain",
        "stacked",
        "dropout, switched off",
        "an attribute of any kind",
        "nan",
        "a method",
        "wrapped",
        "attention",
    ],
)
def test_what_is_understood_is_let_through_and_left_as_it_was(network: nn.Module) -> None:
    random = torch.get_rng_state()
    before = [value.clone() for value in network.parameters()]
    refuse_state(as_stack(network), samples()[0])
    evaluator.evaluate(network, torch.zeros(2, size(network)), *samples())
    assert all(map(torch.equal, before, network.parameters()))
    assert torch.equal(random, torch.get_rng_state())


def test_samples_are_never_changed() -> None:
    inputs, labels = samples()
    before = inputs.clone()
    with pytest.raises(ParameterError, match="changes the samples"):
        evaluator.evaluate(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3)), torch.zeros(1, 15), inputs, labels)
    assert torch.equal(inputs, before)


def test_a_network_without_parameters_is_refused() -> None:
    with pytest.raises(ParameterError, match="this one has no parameters"):
        evaluator.evaluate(nn.Flatten(), torch.zeros(1, 0), *samples())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_samples_are_enough_to_be_measured(count: int) -> None:
    inputs, labels = samples()
    network = layers.Linear(1, 4, 3)
    thetas = stack.flatten(stack.initialise(network, [0, 1]))
    loss, _ = evaluator.evaluate(network, thetas, inputs[:count], labels[:count])
    assert loss.isfinite().all()


@pytest.mark.parametrize("inside", [layers.Linear(1, 4, 3), nn.Linear(4, 3)], ids=["a stack", "any module"])
def test_what_cannot_be_copied_is_refused_in_one_line(inside: nn.Module) -> None:
    network = Counting(inside)
    network.passes = (piece for piece in "abc")
    with pytest.raises(ParameterError, match="network: expected one that can be copied, this one cannot"):
        evaluator.evaluate(network, torch.zeros(2, 15), *samples())
