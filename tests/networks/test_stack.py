"""A stack computes what its networks compute one by one; the algebra of parameters is exact."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from lmc_utils import stack
from lmc_utils.models import Architecture, build


def double(values: stack.Parameters) -> stack.Parameters:
    return {name: value.double() for name, value in values.items()}


@pytest.fixture
def network() -> nn.Module:
    return build(Architecture(widths=(5, 4), activation="tanh", norm="layer"), (6, 1), 3)


@pytest.mark.parametrize("spatial_axes", [1, 2])
@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (3, 1), (1, 1), (3, 3)])
def test_convolution_is_torchs_convolution(spatial_axes: int, kernel: int, stride: int) -> None:
    layer = stack.Conv(3, spatial_axes, kernel, stride, channels_in=2, channels_out=4).double()
    torch.manual_seed(0)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    inputs = torch.randn(3, 5, *(9, 8)[:spatial_axes], 2, dtype=torch.float64)
    convolve = (functional.conv1d, functional.conv2d)[spatial_axes - 1]
    for network in range(3):
        weight = layer.weight[network].T.reshape(4, 2, *(kernel,) * spatial_axes)
        expected = convolve(inputs[network].movedim(-1, 1), weight, layer.bias[network, 0], stride, kernel // 2)
        torch.testing.assert_close(layer(inputs)[network], expected.movedim(1, -1))


def test_layer_norm_is_torchs_layer_norm() -> None:
    layer = stack.LayerNorm(2, 4)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    inputs = torch.randn(2, 3, 7, 4)
    for network in range(2):
        expected = functional.layer_norm(inputs[network], (4,), layer.weight[network, 0], layer.bias[network, 0])
        torch.testing.assert_close(layer(inputs)[network], expected)


def test_a_stack_is_its_networks_one_by_one(network: nn.Module) -> None:
    values = double(stack.initialise(network, [1, 2, 3]))
    inputs = torch.randn(3, 8, 6, 1, dtype=torch.float64)
    together = stack.load(network, values)(inputs)
    for row in range(3):
        alone = stack.load(network, stack.select(values, [row]))(inputs[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)


def test_each_network_gets_its_own_gradient_from_the_summed_loss(network: nn.Module) -> None:
    values = double(stack.initialise(network, [1, 2]))
    inputs = torch.randn(2, 8, 6, 1, dtype=torch.float64)
    both = stack.load(network, values)
    both(inputs).square().mean((1, 2)).sum().backward()
    for row in range(2):
        one = stack.load(network, stack.select(values, [row]))
        one(inputs[row : row + 1]).square().mean().backward()
        for shared, alone in zip(both.parameters(), one.parameters(), strict=True):
            torch.testing.assert_close(shared.grad[row : row + 1], alone.grad)


def test_initialisation_depends_on_the_networks_own_seed_alone(network: nn.Module) -> None:
    few, many = stack.initialise(network, [7]), stack.initialise(network, [0, 7, 3])
    for name in few:
        assert torch.equal(few[name][0], many[name][1])
    assert not torch.equal(many["linear1.weight"][0], many["linear1.weight"][1])


def test_he_initialisation_has_variance_two_over_fan_in() -> None:
    weight = stack.initialise(stack.Linear(1, 200, 500), [0])["weight"]
    # The standard error of a variance over 100,000 normal draws is 0.45 percent; 2 percent is four of them.
    assert weight.var().item() == pytest.approx(2 / 200, rel=0.02)


def test_initialising_leaves_the_global_generator_alone(network: nn.Module) -> None:
    before = torch.get_rng_state()
    stack.initialise(network, [5])
    assert torch.equal(before, torch.get_rng_state())


def test_flatten_and_unflatten_undo_each_other(network: nn.Module) -> None:
    values = stack.initialise(network, [1, 2])
    back = stack.unflatten(stack.flatten(values), network)
    assert list(back) == list(values)
    assert all(torch.equal(back[name], values[name]) for name in values)


def test_layer_slices_cut_the_flat_vector_into_its_layers(network: nn.Module) -> None:
    values = stack.initialise(network, [1])
    theta = stack.flatten(values)[0]
    slices = stack.layer_slices(network)
    assert list(slices) == ["linear1", "norm1", "linear2", "norm2", "linear3"]
    assert torch.cat([theta[block] for block in slices.values()]).equal(theta)
    for layer, block in slices.items():
        own = torch.cat([value.flatten() for name, value in values.items() if name.startswith(f"{layer}.")])
        assert own.equal(theta[block])


def test_load_copies_and_never_shares(network: nn.Module) -> None:
    values = stack.initialise(network, [1])
    loaded = stack.load(network, values)
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.zero_()
    assert values["linear1.weight"].abs().sum() > 0
    assert len(next(network.parameters())) == 1


def test_the_algebra_leaves_its_arguments_alone(network: nn.Module) -> None:
    values = stack.initialise(network, [1, 2])
    before = {name: value.clone() for name, value in values.items()}
    grown = stack.append(values, stack.select(values, [0, 0]))
    for value in grown.values():
        value.zero_()
    assert all(torch.equal(before[name], values[name]) for name in values)


def test_mix_is_exact_at_the_endpoints_and_linear_between() -> None:
    first, second = torch.randn(2, 1000), torch.randn(2, 1000)
    points = stack.mix(first, second, torch.tensor([0.0, 0.25, 1.0]))
    assert torch.equal(points[:, 0], first)
    assert torch.equal(points[:, 2], second)
    torch.testing.assert_close(points[:, 1], 0.75 * first + 0.25 * second)


def test_misfits_are_named(network: nn.Module) -> None:
    with pytest.raises(ValueError, match="expected parameter vectors of length 92, got 91"):
        stack.unflatten(torch.zeros(1, 91), network)
    with pytest.raises(ValueError, match="expected the parameters"):
        stack.load(network, {"weight": torch.zeros(1)})


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
    lifted = stack.Lifted(module)
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
    lifted = stack.Lifted(Tied()).double()
    assert lifted(torch.zeros(1, 5, 4, dtype=torch.float64)).dtype == torch.float64


def test_only_what_is_no_stack_is_lifted() -> None:
    network = nn.Sequential(stack.Linear(1, 2, 3), nn.ReLU(), stack.LayerNorm(1, 3))
    assert stack.as_stack(network) is network
    lifted = stack.as_stack(Tied())
    assert isinstance(lifted, stack.Lifted)
    assert stack.as_stack(lifted) is lifted
    assert isinstance(stack.as_stack(nn.Sequential(network, nn.Linear(3, 3))), stack.Lifted)
