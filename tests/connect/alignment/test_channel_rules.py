"""Permutation groups agree with hand counts, leave outputs unchanged, and are recovered by matching."""

from __future__ import annotations

import copy
from collections.abc import Callable

import example_forwards
import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from lmc_utils.connect.alignment import channel_graph, matching
from lmc_utils.measure.batches import Batch
from lmc_utils.measure.module_state import norms, tensors
from lmc_utils.networks import permutation_symmetry
from lmc_utils.networks.permutation_symmetry import Axes

EXAMPLES = example_forwards.EXAMPLES
every_kind = pytest.mark.parametrize("kind", EXAMPLES)


def example(kind: str) -> tuple[nn.Module, Tensor, Axes]:
    """A network in float64 with generic numbers, its inputs, and its axes."""
    torch.manual_seed(1)
    network = EXAMPLES[kind].make().double().eval()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.1 * torch.randn_like(value))
        for norm in norms(network).values():
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    inputs = torch.randn(4, *EXAMPLES[kind].shape, dtype=torch.float64)
    return network, inputs, channel_graph.read(network, Batch(inputs, None, 4)).axes


def permuted(network: nn.Module, axes: Axes) -> nn.Module:
    """A copy with all its groups permuted."""
    orders = {group: torch.randperm(size) for group, size in permutation_symmetry.groups(axes).items()}
    values = {name: value.detach()[None] for name, value in tensors(network).items()}
    other = copy.deepcopy(network)
    with torch.no_grad():
        for name, value in permutation_symmetry.permuted(values, axes, orders).items():
            tensors(other)[name].copy_(value[0])
    return other


@every_kind
def test_groups_are_those_counted_by_hand_and_permute_freely(kind: str) -> None:
    network, inputs, axes = example(kind)
    assert sorted(permutation_symmetry.groups(axes).values()) == EXAMPLES[kind].sizes
    for _ in range(3):
        other = permuted(network, axes)
        with torch.no_grad():
            before, after = (pytree.tree_leaves(each(inputs)) for each in (network, other))
        for one, two in zip(before, after, strict=True):
            torch.testing.assert_close(two, one, rtol=1e-11, atol=1e-11)
    assert any(not torch.equal(tensors(other)[name], value) for name, value in tensors(network).items())


@every_kind
def test_a_permuted_network_is_found_again_exactly(kind: str) -> None:
    network, _, axes = example(kind)
    first, second = (
        {name: value.detach()[None] for name, value in each.named_parameters()}
        for each in (network, permuted(network, axes))
    )
    orders = matching.by_weights(axes, first, second, starts=20)
    back = permutation_symmetry.permuted(second, axes, orders)
    assert all(torch.equal(back[name], value) for name, value in first.items())


HIDDEN = 8


def first_half_swapped(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, :2], x[:, 2:4] = x[:, 2:4] * 2, x[:, :2] * 3
    return x


def halves_shuffled(x: Tensor) -> Tensor:
    return x.view(len(x), 2, -1, x.shape[2]).transpose(1, 2).reshape(x.shape)


def weighted(x: Tensor) -> Tensor:
    weights = torch.ones(HIDDEN, 1, dtype=x.dtype)
    weights[2:5] *= torch.arange(3)[:, None]
    return x * weights


def padded_then_written(x: Tensor) -> Tensor:
    x = nn.functional.pad(x, (0, 0, 1, 2))
    x[:, 0] = 1
    return x.cumsum(1)


# Functions of hidden channels (samples, channels, positions), many of which depend on their order.
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "cumsum": lambda x: x.cumsum(1),
    "flip": lambda x: x + x.flip(1),
    "roll": lambda x: x + x.roll(1, 1),
    "sort": lambda x: x.sort(1).values,
    "largest": lambda x: x.topk(3, 1).values,
    "maximum over places": lambda x: x.max(2).values,
    "largest channel": lambda x: x.argmax(1).to(x),
    "index": lambda x: x[:, [3, 1, 2, 0]],
    "gather": lambda x: x.gather(1, x.argsort(2)[:, :2]),
    "repeat": lambda x: x.repeat(1, 2, 1),
    "neighbours": lambda x: nn.functional.local_response_norm(x, 3),
    "pooled channels": lambda x: nn.functional.max_pool1d(x.mT, 2),
    "unfold": lambda x: x.unfold(1, 4, 2),
    "outer product": lambda x: x @ x.mT,
    "upper triangle": lambda x: (x @ x.mT).triu(),
    "Fourier transform": lambda x: torch.fft.fft(x, dim=1).real,
    "place in the order": lambda x: x * torch.arange(HIDDEN)[:, None],
    "softmax": lambda x: x.softmax(1),
    "normalised": lambda x: nn.functional.normalize(x, dim=1),
    "channels last": lambda x: x.movedim(1, -1).relu(),
    "constant padding": lambda x: nn.functional.pad(x, (0, 0, 1, 2), value=2.0),
    "grouped": lambda x: x.unflatten(1, (2, -1)).sum(1),
    "first half swapped": first_half_swapped,
    "halves shuffled": halves_shuffled,
    "weighted": weighted,
    "padded, then written": padded_then_written,
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_depends_on_the_order_of_channels_is_never_permuted(function: str) -> None:
    torch.manual_seed(2)
    network = example_forwards.Written(
        lambda net, x: net.read(FUNCTIONS[function](net.two(net.one(x).tanh())).flatten(1)),
        one=nn.Conv1d(2, 5, 1), two=nn.Conv1d(5, HIDDEN, 1), read=nn.LazyLinear(3),
    )  # fmt: skip
    inputs = torch.randn(4, 2, 6)
    network(inputs)
    network, inputs = network.double().eval(), inputs.double()
    axes = channel_graph.read(network, Batch(inputs, None, 4)).axes
    assert permutation_symmetry.groups(axes)["one"] == 5
    with torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(permuted(network, axes)(inputs), network(inputs), rtol=1e-10, atol=1e-10)
