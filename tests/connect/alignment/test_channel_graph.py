"""A forward pass is recorded without changing the user's module, or rejected by a line that names the location."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from example_forwards import Written
from torch import Tensor, nn

from lmc_utils.connect.alignment import channel_graph, matching
from lmc_utils.measure.batches import Batch
from lmc_utils.measure.module_state import norms, tensors
from lmc_utils.networks import permutation_symmetry
from lmc_utils.networks.data import import_torchvision
from lmc_utils.settings import ParameterError


def read(network: nn.Module, *shape: int) -> channel_graph.ChannelGraph:
    return channel_graph.read(network, Batch(torch.randn(2, *shape), None, 2))


# Stems and residual streams (4 in ResNets; ResNet-50's stem does not end in one), and layers within blocks.
@pytest.mark.parametrize(("name", "groups"), [("resnet18", 4 + 8), ("resnet50", 1 + 4 + 32), ("vgg11_bn", 8 + 2)])
def test_networks_of_torchvision_permute_freely_and_are_found_again(name: str, groups: int) -> None:
    torch.manual_seed(0)
    network = getattr(import_torchvision().models, name)(weights=None, num_classes=5).eval()
    if name == "vgg11_bn":  # 120 million weights fewer
        network.classifier[0], network.classifier[3] = nn.Linear(512 * 49, 32), nn.Linear(32, 16)
        network.classifier[6] = nn.Linear(16, 5)
    with torch.no_grad():
        for norm in norms(network).values():
            norm.running_mean.normal_(std=0.1)
            norm.weight.uniform_(0.5, 1)
    inputs = torch.randn(2, 3, 32, 32)
    graph = read(network, 3, 32, 32)
    sizes = permutation_symmetry.groups(graph.axes)
    assert len(sizes) == groups
    assert graph.in_order == ()
    values = {name: value.detach()[None] for name, value in tensors(network).items()}
    orders = {group: torch.randperm(size) for group, size in sizes.items()}
    moved = permutation_symmetry.permuted(values, graph.axes, orders)
    other = copy.deepcopy(network)
    other.load_state_dict({name: value[0] for name, value in moved.items()})
    with torch.no_grad():
        one, two = network(inputs), other(inputs)
    assert float((one - two).abs().max() / one.std()) < 1e-4
    first, second = ({name: each[name] for name, _ in network.named_parameters()} for each in (values, moved))
    back = permutation_symmetry.permuted(moved, graph.axes, matching.by_weights(graph.axes, first, second))
    assert all(torch.equal(back[name], value) for name, value in values.items())


def branching(net: Any, x: Tensor) -> Tensor:
    return net.one(x) if x.sum() > 0 else -net.one(x)


def by_numpy(net: Any, x: Tensor) -> Tensor:
    return net.one(torch.from_numpy(x.numpy()))


def masked(net: Any, x: Tensor) -> Tensor:
    return net.one(x[x[:, 0] > 0])


@pytest.mark.parametrize(
    ("forward", "line"),
    [
        (branching, r"the forward pass cannot be traced at `return net.one\(x\) if"),
        (by_numpy, "the forward pass cannot be traced at `return"),
        (masked, r"index.* has a shape that depends on values of the input"),
    ],
)
def test_what_depends_on_values_is_rejected(forward: Any, line: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ParameterError, match=f"^align: .*{line}") as caught:
        read(Written(forward, one=nn.Linear(3, 2)), 3)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_nothing_of_the_module_changes() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        net.kept = net.one(x)
        return net.kept.relu_()

    network = Written(forward, one=nn.Linear(3, 2)).train()
    batch = Batch(torch.randn(2, 3), None, 2)
    before, generator = dict(vars(network)), torch.get_rng_state()
    channel_graph.read(network, batch)
    assert vars(network) == before
    assert network.training
    assert network.one.training
    assert torch.equal(torch.get_rng_state(), generator)


@dataclass
class Answer:
    logits: Tensor
    hidden: Tensor | None = None


def test_every_output_keeps_its_order() -> None:
    def forward(net: Any, x: Tensor, *, factor: float, reading: Tensor) -> Answer:
        return Answer(net.two(hidden := net.one(x)) * factor + reading, hidden.relu())

    network = Written(forward, one=nn.Linear(3, 4), two=nn.Linear(4, 2))
    inputs = {"x": torch.randn(6, 3), "factor": 2.0, "reading": torch.randn(6, 2)}
    axes = channel_graph.read(network, Batch(inputs, None, 6)).axes
    assert permutation_symmetry.groups(axes) == {}


def test_buffers_that_all_networks_share_keep_their_order() -> None:
    network = Written(lambda net, x: net.two(net.one(x) * net.mask), one=nn.Linear(3, 4), two=nn.Linear(4, 2))
    network.register_buffer("mask", torch.tensor([1.0, 0.0, 1.0, 1.0]))
    assert permutation_symmetry.groups(read(network, 3).axes) == {}


def test_parameters_that_are_not_used_keep_their_order() -> None:
    unused = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    network = Written(lambda net, x: net.two(net.one(x)), one=nn.Linear(3, 4), two=nn.Linear(4, 2), other=unused)
    assert permutation_symmetry.groups(read(network, 3).axes) == {"one": 4}


def test_layers_are_those_of_the_graph() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        x = net.norm(net.one(x)).relu()
        x = net.again(net.again(x).relu())
        return net.read(x.mean(-1)).softmax(1)

    network = Written(
        forward, one=nn.ConvTranspose1d(3, 4, 1), norm=nn.BatchNorm1d(4), again=nn.Conv1d(4, 4, 1, bias=False),
        read=nn.Linear(4, 2),
    )  # fmt: skip
    found = [tuple(vars(layer).values()) for layer in read(network, 3, 5).layers]
    again = ("again", "again.weight", None, -2, 0, 2, False, False)
    assert found == [
        ("one", "one.weight", "one.bias", -2, 1, 1, True, False),
        again,
        again,
        ("read", "read.weight", "read.bias", -1, 0, 1, False, True),
    ]
