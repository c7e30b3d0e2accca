"""Any module becomes a stack that computes what the module computes, network by network."""

import pytest
import torch
from torch import nn

from lmc_utils.networks import layers, normalisation, stack
from lmc_utils.networks.lifted import Lifted, as_stack, is_stack


class Tied(nn.Module):
    """An ordinary module with nested names, a reused layer and a dropout that evaluation mode must switch off."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"inner": nn.Linear(4, 4), "drop": nn.Dropout(0.9)})
        self.one = nn.Linear(4, 2)
        self.shift: torch.Tensor
        self.register_buffer("shift", torch.ones(2))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.body["inner"](self.body["drop"](self.body["inner"](inputs).tanh()))
        logits: torch.Tensor = self.one(hidden) + self.shift
        return logits


def test_a_lifted_module_is_many_of_it() -> None:
    module = Tied()
    lifted = Lifted(module)
    assert [name for name, _ in lifted.named_parameters()] == [name for name, _ in module.named_parameters()]
    assert list(stack.layer_slices(lifted)) == ["body.inner", "one"]
    one = nn.utils.parameters_to_vector(module.parameters()).detach()
    thetas = torch.stack([one, -one, 2 * one])
    inputs = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    outputs = stack.load(lifted, stack.unflatten(thetas, lifted))(inputs)
    module.eval()
    for theta, samples, output in zip(thetas, inputs, outputs, strict=True):
        nn.utils.vector_to_parameters(theta, module.parameters())
        torch.testing.assert_close(output, module(samples))


def test_a_lifted_modules_buffers_change_their_type_with_its_parameters() -> None:
    lifted = Lifted(Tied()).double()
    assert lifted(torch.zeros(1, 5, 4, dtype=torch.float64)).dtype == torch.float64


def test_only_what_is_no_stack_is_lifted() -> None:
    network = nn.Sequential(layers.Linear(1, 2, 3), nn.ReLU(), normalisation.LayerNorm(1, 3))
    assert type(as_stack(network)) is nn.Sequential
    lifted = as_stack(Tied())
    assert isinstance(lifted, Lifted)
    assert as_stack(lifted) is lifted
    assert isinstance(as_stack(nn.Sequential(network, nn.Linear(3, 3))), Lifted)


class Residual(nn.Module):
    """Stacked layers put together by hand, without `nn.Sequential`."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.ModuleList([layers.Linear(1, 4, 4), layers.Linear(1, 4, 4)])
        self.last = layers.Linear(1, 4, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs.flatten(2)
        for layer in self.inside:
            hidden = hidden + layer(hidden).relu()
        logits: torch.Tensor = self.last(hidden)
        return logits


def test_any_module_built_of_stacked_layers_is_a_stack() -> None:
    assert is_stack(Residual())
    assert type(as_stack(Residual())) is Residual


@pytest.mark.parametrize("training", [True, False])
def test_a_stack_is_measured_in_evaluation_mode_and_left_in_its_own(training: bool) -> None:
    network = nn.Sequential(layers.Linear(1, 4, 3), nn.Dropout(0.5)).train(training)
    assert not any(module.training for module in as_stack(network).modules())
    assert network.training is training
