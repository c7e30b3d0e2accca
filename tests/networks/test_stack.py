"""A stack gives the same results as its networks one by one; conversions of parameters are exact."""

import pytest
import torch
from torch import nn

from lmc_utils.networks import layers, stack
from lmc_utils.networks.models import Architecture, build


def double(values: layers.Parameters) -> layers.Parameters:
    return {name: value.double() for name, value in values.items()}


def one_of(values: layers.Parameters, row: int) -> layers.Parameters:
    return {name: value[row : row + 1] for name, value in values.items()}


@pytest.fixture
def network() -> nn.Module:
    return build(Architecture(widths=(5, 4), activation="tanh", norm="layer"), (6, 1), 3)


def test_a_stack_is_its_networks_one_by_one(network: nn.Module) -> None:
    values = double(stack.initialise(network, [1, 2, 3]))
    inputs = torch.randn(3, 8, 6, 1, dtype=torch.float64)
    together = stack.load(network, values)(inputs)
    for row in range(3):
        alone = stack.load(network, one_of(values, row))(inputs[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)


def test_each_network_gets_its_own_gradient_from_the_summed_loss(network: nn.Module) -> None:
    values = double(stack.initialise(network, [1, 2]))
    inputs = torch.randn(2, 8, 6, 1, dtype=torch.float64)
    both = stack.load(network, values)
    both(inputs).square().mean((1, 2)).sum().backward()
    for row in range(2):
        one = stack.load(network, one_of(values, row))
        one(inputs[row : row + 1]).square().mean().backward()
        for shared, alone in zip(both.parameters(), one.parameters(), strict=True):
            torch.testing.assert_close(shared.grad[row : row + 1], alone.grad)


def test_initialisation_depends_on_the_networks_own_seed_alone(network: nn.Module) -> None:
    few, many = stack.initialise(network, [7]), stack.initialise(network, [0, 7, 3])
    for name in few:
        assert torch.equal(few[name][0], many[name][1])
    assert not torch.equal(many["linear1.weight"][0], many["linear1.weight"][1])


def test_he_initialisation_has_variance_two_over_fan_in() -> None:
    weight = stack.initialise(layers.Linear(1, 200, 500), [0])["weight"]
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


def test_load_copies_the_values(network: nn.Module) -> None:
    values = stack.initialise(network, [1])
    loaded = stack.load(network, values)
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.zero_()
    assert values["linear1.weight"].abs().sum() > 0
    assert len(next(network.parameters())) == 1


def test_bound_parameters_are_the_vector_itself(network: nn.Module) -> None:
    thetas = stack.flatten(stack.initialise(network, [1, 2]))
    inputs = torch.randn(2, 5, 6, 1)
    bound = stack.bound(network, thetas)
    thetas.add_(0.1)
    torch.testing.assert_close(bound(inputs), stack.load(network, stack.unflatten(thetas, network))(inputs))


def test_vectors_that_do_not_fit_the_network_are_rejected(network: nn.Module) -> None:
    with pytest.raises(ValueError, match="expected parameter vectors of length 92, got 91"):
        stack.unflatten(torch.zeros(1, 91), network)
    with pytest.raises(ValueError, match="expected the parameters"):
        stack.load(network, {"weight": torch.zeros(1)})
