"""Stacks are checked by the type of their layers: ours pass, unknown ones give a one-line error."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from lmc_utils.measure.pairs import between
from lmc_utils.measure.stacked_scores import evaluate
from lmc_utils.networks import layers, normalisation, stack
from lmc_utils.networks.models import ACTIVATIONS, BUILDERS, NORMS, Architecture, build
from lmc_utils.networks.state_check import evaluating, require_understood
from lmc_utils.networks.training import Recipe, State, train_epoch
from lmc_utils.settings import ParameterError

INPUTS, LABELS = torch.randn(12, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3


class Branching(nn.Module):
    """Stacked layers put together by hand, without `nn.Sequential`."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.ModuleList([layers.Linear(1, 4, 4), layers.Linear(1, 4, 4)])
        self.last = layers.Linear(1, 4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        for layer in self.inside:
            inputs = inputs + layer(inputs).relu()
        logits: Tensor = self.last(inputs)
        return logits


class Holding(layers.Linear):
    """A stacked layer with an unknown buffer."""

    def __init__(self) -> None:
        super().__init__(1, 4, 3)
        self.register_buffer("passes", torch.zeros(1, 1))


@pytest.mark.parametrize(("norm", "activation"), list(itertools.product(NORMS, ACTIVATIONS)))
@pytest.mark.parametrize("architecture", BUILDERS)
@pytest.mark.parametrize("shape", [(33, 2), (18, 20, 1)])
def test_every_builtin_network_is_supported(
    architecture: str, norm: str, activation: str, shape: tuple[int, ...]
) -> None:
    design = Architecture(architecture=architecture, widths=(4,), norm=norm, activation=activation, norm_groups=2)
    require_understood(build(replace(design, dropout=0.5), shape, 3))


UNKNOWN = [
    pytest.param(Branching(), "got Branching at ''", id="a forward of its own"),
    pytest.param(nn.Linear(4, 3), "got Linear at ''", id="a network of torch"),
    pytest.param(nn.Sequential(layers.Linear(1, 4, 3), nn.Dropout()), "got Dropout at '1'", id="dropout"),
    pytest.param(nn.Sequential(layers.Linear(1, 4, 3), nn.BatchNorm1d(3)), "got BatchNorm1d at '1'", id="batch norm"),
    pytest.param(nn.Sequential(layers.Linear(1, 4, 3), nn.LSTM(3, 3)), "got LSTM at '1'", id="recurrent"),
    pytest.param(nn.Sequential(layers.Linear(1, 4, 3), nn.Softmax(-1)), "got Softmax at '1'", id="a function"),
    pytest.param(Holding(), "no state besides parameters (got the buffers passes", id="a buffer"),
    pytest.param(
        nn.Sequential(normalisation.BatchNorm(1, 4), Holding()),
        "no state besides parameters (got the buffers 1.passes",
        id="a buffer beside running statistics",
    ),
    pytest.param(nn.Sequential(nn.ReLU()), "the network has no parameters", id="no parameters"),
]


@pytest.mark.parametrize(("network", "line"), UNKNOWN)
def test_unsupported_layers_are_one_line_errors_in_training_and_measurement(network: nn.Module, line: str) -> None:
    thetas = torch.zeros(1, sum(value.numel() for value in network.parameters()))
    state = State(thetas, thetas, torch.zeros(1, 0), torch.zeros(1, 0))
    tries = (
        lambda: require_understood(network),
        lambda: evaluate(network, thetas, INPUTS, LABELS),
        lambda: between(network, thetas, thetas, samples={"train": (INPUTS, LABELS)}),
        lambda: train_epoch(network, state, (INPUTS, LABELS), streams=[(0,)], recipe=Recipe(batch_size=4), epoch=0),
    )
    for attempt in tries if any(True for _ in network.parameters()) else tries[:1]:
        with pytest.raises(ParameterError) as caught:
            attempt()
        said = str(caught.value)
        assert said.startswith(("network must ", "the network "))
        assert line in said
        assert "\n" not in said


@pytest.mark.parametrize("training", [True, False])
def test_a_stack_is_measured_in_evaluation_mode_and_left_in_its_own(training: bool) -> None:
    network = nn.Sequential(layers.Linear(1, 4, 3), layers.Dropout(0.5)).train(training)
    before = [value.clone() for value in network.parameters()]
    random = torch.get_rng_state()
    assert not any(module.training for module in evaluating(network).modules())
    evaluate(network, torch.ones(2, 15), INPUTS, LABELS)
    assert network.training is training
    assert all(map(torch.equal, before, network.parameters()))
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_network_can_be_measured_on_few_samples(count: int) -> None:
    network = layers.Linear(1, 4, 3)
    thetas = stack.flatten(stack.initialise(network, [0, 1]))
    loss, _ = evaluate(network, thetas, INPUTS[:count], LABELS[:count])
    logits = torch.einsum("sf,nfc->nsc", INPUTS[:count], thetas[:, :12].view(2, 4, 3))
    expected = [nn.functional.cross_entropy(each, LABELS[:count]).item() for each in logits]
    assert loss.tolist() == pytest.approx(expected, rel=1e-5)
