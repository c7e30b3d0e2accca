"""Matching recovers exact permutations, and the optimal assignment of one layer."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lmc_utils.connect.alignment import aligned_pairs, matching
from lmc_utils.networks import layers, permutation_symmetry, stack
from lmc_utils.networks.models import Architecture, build
from lmc_utils.networks.stack import Networks
from lmc_utils.settings import ParameterError

DESIGNS = [
    Architecture(widths=(12, 9)),
    Architecture(widths=(12,), activation="tanh", norm="layer"),
    Architecture(architecture="cnn", widths=(6, 7), activation="gelu"),
    Architecture(architecture="resnet8", widths=(5,), norm="batch", activation="gelu"),
    Architecture(architecture="resnet20", widths=(4,), norm="group"),
    Architecture(architecture="vgg11", widths=(3,), norm="batch", activation="gelu"),
]  # with synthetic running statistics, ReLU has dead channels, which are indistinguishable
every_design = pytest.mark.parametrize("design", DESIGNS, ids=lambda design: f"{design.architecture}-{design.norm}")


def fresh(design: Architecture, seeds: list[int]) -> tuple[nn.Module, Tensor, Tensor]:
    """A network, parameter vectors (networks, parameters), and buffers, without repeated numbers."""
    network = build(design, (40, 1), 4)
    thetas = stack.flatten(stack.initialise(network, seeds))
    generator = torch.Generator().manual_seed(7)
    thetas += 0.05 * torch.randn(thetas.shape, generator=generator)
    kept = 0.5 + torch.rand(len(seeds), stack.fresh_buffers(network, 1).shape[1], generator=generator)
    return network, thetas, kept


def by_weights(network: nn.Module, thetas: Tensor, **options: Any) -> matching.Permutations:
    """Match the second of two parameter vectors, (2, parameters)."""
    values = stack.unflatten(thetas, network)
    first, second = ({name: value[row : row + 1] for name, value in values.items()} for row in (0, 1))
    return matching.by_weights(permutation_symmetry.axes(network), first, second, **options)


def hidden(network: nn.Module) -> matching.Permutations:
    generator = torch.Generator().manual_seed(3)
    sizes = permutation_symmetry.groups(permutation_symmetry.axes(network))
    return {group: torch.randperm(size, generator=generator) for group, size in sizes.items()}


@every_design
@pytest.mark.parametrize("method", aligned_pairs.METHODS)
def test_a_known_permutation_is_recovered_exactly(design: Architecture, method: str) -> None:
    network, thetas, kept = fresh(design, [1])
    theta_order, kept_order = aligned_pairs.order(network, hidden(network))
    ends = torch.stack([thetas[0], thetas[0][theta_order]])
    if method == "weights":
        found = by_weights(network, ends)
    else:
        inputs = torch.randn(300, 40, 1, generator=torch.Generator().manual_seed(0))
        both = Networks(ends, torch.stack([kept[0], kept[0][kept_order]]))
        found = matching.by_activations(network, both, inputs)
    back, kept_back = aligned_pairs.order(network, found)
    assert torch.equal(ends[1][back], thetas[0])
    assert torch.equal(kept[0][kept_order][kept_back], kept[0])


@every_design
@pytest.mark.parametrize("method", aligned_pairs.METHODS)
def test_a_network_matched_with_itself_is_not_permuted(design: Architecture, method: str) -> None:
    network, thetas, kept = fresh(design, [1])
    ends = thetas.repeat(2, 1)
    inputs = torch.randn(300, 40, 1, generator=torch.Generator().manual_seed(0))
    found = (
        by_weights(network, ends)
        if method == "weights"
        else matching.by_activations(network, Networks(ends, kept.repeat(2, 1)), inputs)
    )
    assert set(found) == set(permutation_symmetry.groups(permutation_symmetry.axes(network)))
    assert all(torch.equal(order, torch.arange(len(order))) for order in found.values())


@pytest.mark.parametrize("starts", [0, 3])
def test_one_hidden_layer_gets_the_optimal_permutation(starts: int) -> None:
    network, thetas, _ = fresh(Architecture(widths=(5,)), [1, 2])
    orders = [
        aligned_pairs.order(network, {"linear1": torch.tensor(each)})[0] for each in itertools.permutations(range(5))
    ]
    distances = torch.stack([(thetas[1].double()[order] - thetas[0].double()).norm() for order in orders])
    found = aligned_pairs.order(network, by_weights(network, thetas, starts=starts))[0]
    torch.testing.assert_close((thetas[1].double()[found] - thetas[0].double()).norm(), distances.min())


@every_design
def test_matching_never_increases_the_distance_and_more_starts_never_do_worse(design: Architecture) -> None:
    network, thetas, _ = fresh(design, [1, 2])
    distances = [(thetas[1] - thetas[0]).norm()]
    for starts in (0, 3):
        order = aligned_pairs.order(network, by_weights(network, thetas, starts=starts))[0]
        distances.append((thetas[1][order] - thetas[0]).norm())
    assert distances[1] < distances[0]
    random = by_weights(network, thetas, starts=3, seed=(5,))
    again = by_weights(network, thetas, starts=3, seed=(5,))
    assert all(torch.equal(random[group], again[group]) for group in random)
    assert distances[2] <= distances[0]


def test_random_starts_escape_the_local_optimum_of_the_identity() -> None:
    # Two hidden layers permuted such that neither can be aligned before the other.
    network = nn.Sequential(
        layers.Linear(1, 1, 2), nn.ReLU(), layers.Linear(1, 2, 2), nn.ReLU(), layers.Linear(1, 2, 1)
    )
    values = {
        "0.weight": [[1.0, 1.0]], "0.bias": [[0.0, 0.0]],
        "2.weight": [[1.0, 0.0], [0.0, 1.1]], "2.bias": [[0.0, 0.0]],
        "4.weight": [[1.0], [1.0]], "4.bias": [[0.0]],
    }  # fmt: skip
    theta = stack.flatten({name: torch.tensor([value]) for name, value in values.items()})[0]
    turn = {"0": torch.tensor([1, 0]), "2": torch.tensor([1, 0])}
    ends = torch.stack([theta, theta[aligned_pairs.order(network, turn)[0]]])
    stays = aligned_pairs.order(network, by_weights(network, ends, starts=0))[0]
    assert not torch.equal(ends[1][stays], theta)
    left = aligned_pairs.order(network, by_weights(network, ends, starts=8))[0]
    assert torch.equal(ends[1][left], theta)


def test_correlations_equal_numpys_and_are_zero_for_dead_channels() -> None:
    network, thetas, _ = fresh(Architecture(widths=(6,)), [1, 2])
    values = dict(stack.unflatten(thetas, network))
    values["linear1.weight"] = values["linear1.weight"].index_fill(2, torch.tensor([2]), 0.0)
    values["linear1.bias"] = values["linear1.bias"].index_fill(2, torch.tensor([2]), -1.0)  # a dead unit
    inputs = torch.randn(700, 40, 1, generator=torch.Generator().manual_seed(0))
    first, second = torch.relu(inputs[:, :, 0].double() @ values["linear1.weight"].double() + values["linear1.bias"])
    sums = torch.stack([first.sum(0), second.sum(0)])
    products = torch.stack([first.T @ second, first.T @ first, second.T @ second])
    found = matching._correlations(sums, products, 700)
    alive = torch.tensor([0, 1, 3, 4, 5])
    wanted = torch.corrcoef(torch.cat([first[:, alive], second[:, alive]], 1).T)[:5, 5:]
    torch.testing.assert_close(found[alive][:, alive], wanted)
    assert not found[2].any()
    assert not found[:, 2].any()


def test_parameters_that_are_not_finite_are_rejected() -> None:
    network = build(Architecture(widths=(6,)), (10, 1), 4)
    ends = torch.full((2, 94), torch.nan)
    for match in (by_weights, lambda *given: matching.by_activations(given[0], Networks(ends), torch.zeros(3, 10, 1))):
        with pytest.raises(ParameterError, match="endpoints: some parameters are NaN or infinite"):
            match(network, ends)


def test_networks_with_ordered_channels_are_rejected() -> None:
    design = Architecture(architecture="cnn", widths=(4, 6), norm="group", norm_groups=2)
    network = build(design, (33, 2), 3)
    ends = stack.flatten(stack.initialise(network, [1, 2]))
    with pytest.raises(ParameterError, match="no channels can be permuted; all of this one keep an order"):
        by_weights(network, ends)
