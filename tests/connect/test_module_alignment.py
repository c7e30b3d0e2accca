"""A network of torch's layers under other names of its channels is the same network, and is found again."""

from __future__ import annotations

import copy

import example_modules
import numpy as np
import pytest
import torch
from torch import nn

from lmc_utils import connect
from lmc_utils.connect.alignment import Matching
from lmc_utils.settings import ParameterError


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Conv2d(5, 4, 1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(16, 6),
        nn.Dropout(0.5),
        nn.GELU(),
        nn.Linear(6, example_modules.CLASSES),
    )


def by_hand(network: nn.Sequential) -> nn.Sequential:
    """The same network with all its hidden channels in another order."""
    other = copy.deepcopy(network)
    one, two, three = torch.randperm(5), torch.randperm(4), torch.randperm(6)
    with torch.no_grad():
        for part in (other[0][0].weight, other[0][0].bias, *other[0][1].parameters(), *other[0][1].buffers()):
            if part.dim():
                part.copy_(part[one])
        other[1].weight.copy_(other[1].weight[two][:, one])
        other[1].bias.copy_(other[1].bias[two])
        other[4].weight.copy_(other[4].weight.view(6, 4, 4)[three][:, two].reshape(6, 16))
        other[4].bias.copy_(other[4].bias[three])
        other[7].weight.copy_(other[7].weight[:, three])
    return other


def made() -> tuple[nn.Sequential, tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(0)
    network, inputs = convolutional(), torch.randn(30, 1, 6, 6)
    network(3 * inputs)
    return network, (inputs, torch.randint(0, example_modules.CLASSES, (30,)))


@pytest.mark.parametrize("batchnorm", ["reestimate", "interpolate", "keep"])
def test_a_network_under_other_names_is_found_again(batchnorm: str) -> None:
    network, samples = made()
    other = by_hand(network)
    torch.testing.assert_close(network.eval()(samples[0]), other.eval()(samples[0]))
    with torch.no_grad():
        other[7].bias += 0.01  # or the two would be the same
    apart, found = (
        connect.pair(network, other, samples, alphas=3, batchnorm=batchnorm, align=align)
        for align in (False, Matching(starts=8))
    )
    assert found.attrs["distance_after"] == pytest.approx(0.02, rel=1e-4)
    assert found.attrs["distance_before"] > 1
    assert found.attrs["endpoint_difference"] < 1e-5
    np.testing.assert_allclose(found.loss[[0, 2]], apart.loss[[0, 2]], rtol=1e-5)
    assert float(found.loss_barrier) < 1e-4
    assert abs(float(apart.loss_at_half)) > 1e-3


def test_strangers_are_never_farther_apart_and_compute_what_they_did() -> None:
    first, samples = made()
    second = convolutional()
    found = connect.pair(first, second, samples, alphas=3, align=True)
    assert found.attrs["distance_after"] < found.attrs["distance_before"]
    assert 0 < found.attrs["channels_renamed"] <= 1


@pytest.mark.parametrize(
    ("make", "shape", "line"),
    [
        (
            example_modules.Attention,
            (5, 3),
            "network: expected a sequence of known layers, got Attention",
        ),
        (example_modules.perceptron, (3,), "network: expected a sequence of known layers, got LayerNorm at '3'"),
        (lambda: nn.Sequential(nn.Linear(3, 4)), (3,), "network: expected one with channels that can be permuted"),
        (
            lambda: nn.Sequential(nn.Conv1d(4, 4, 1, groups=2), nn.Flatten()),
            (4, 1),
            "network: expected convolutions of one",
        ),
    ],
)
def test_what_is_not_known_is_refused(make: type[nn.Module], shape: tuple[int, ...], line: str) -> None:
    samples = torch.randn(5, *shape), torch.zeros(5, dtype=torch.int64)
    with pytest.raises(ParameterError, match=f"^{line}"):
        connect.pair(make(), make(), samples, align=True)


def test_activations_are_compared_only_in_networks_of_this_package() -> None:
    network, samples = made()
    with pytest.raises(ParameterError, match=r"^align: expected matching by weights, got 'activations'"):
        connect.pair(network, by_hand(network), samples, align=Matching(matching="activations"))


@pytest.mark.parametrize("as_states", [False, True])
def test_other_names_that_would_compute_something_else_are_seen(
    monkeypatch: pytest.MonkeyPatch, as_states: bool
) -> None:
    network, samples = made()
    other = convolutional()
    monkeypatch.setattr(
        "lmc_utils.connect.module_alignment.permutation_symmetry.permuted",
        lambda values, *_: values | {"7.bias": values["7.bias"].flip(1)},
    )
    monkeypatch.setattr("lmc_utils.connect.matching.by_weights", lambda *_: {"0.0": torch.arange(5)})
    given = (network.state_dict(), other.state_dict()) if as_states else (network, other)
    with pytest.raises(
        ParameterError, match=r"^second: expected the outputs of the network itself, the copy .* batch 0"
    ):
        connect.pair(*given, samples, network, align=True)
