"""Rescaled activations have interpolated moments, and losses equal those of a plain loop and of stacks."""

from __future__ import annotations

import copy
from typing import Any

import example_forwards
import example_modules
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lmc_utils import connect
from lmc_utils.connect.alignment import activation_rescaling
from lmc_utils.networks import layers as stacked
from lmc_utils.networks import stack
from lmc_utils.settings import ParameterError

ALPHAS = [0.0, 0.3, 0.5, 1.0]


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 5, 3, stride=2), nn.ReLU(), nn.Conv2d(5, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 6),
        nn.GELU(), nn.Linear(6, 3),
    ).double()  # fmt: skip


def transposed() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 5, 3, stride=2), nn.ReLU(), nn.ConvTranspose2d(5, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3),
    ).double()  # fmt: skip


def normalised() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(180, 6), nn.GELU(),
        nn.Linear(6, 3),
    ).double()  # fmt: skip


def samples() -> list[tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    x, y = torch.randn(40, 1, 8, 8, dtype=torch.float64), torch.randint(0, 3, (40,))
    return list(zip(x.split(16), y.split(16), strict=True))


def outputs_of(network: nn.Sequential, place: int, x: Tensor) -> Tensor:
    """Outputs of a layer, (channels, samples and space)."""
    return network[: place + 1](x).transpose(0, 1).flatten(1)


def loss_of_a_plain_loop(first: nn.Sequential, second: nn.Sequential, alpha: float, places: list[int]) -> float:
    """Mixed parameters, rescaled layer after layer, with the statistics of `update_bn`."""
    batches = samples()
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    ends = [copy.deepcopy(each) for each in (first, second)]
    point = copy.deepcopy(first)
    with torch.no_grad():
        for one, two, mixed in zip(first.parameters(), second.parameters(), point.parameters(), strict=True):
            mixed.copy_((1 - alpha) * one + alpha * two)
        for each in (*ends, point):
            with_statistics(each, x)
        for place in places if 0 < alpha < 1 else []:
            now = outputs_of(point, place, x)
            a, b = (outputs_of(each, place, x) for each in ends)
            scale = ((1 - alpha) * a.std(1, correction=0) + alpha * b.std(1, correction=0)) / now.std(1, correction=0)
            shift = (1 - alpha) * a.mean(1) + alpha * b.mean(1) - scale * now.mean(1)
            layer: Any = point[place]
            filters_first = layer.weight.transpose(0, int(isinstance(layer, nn.ConvTranspose2d)))
            filters_first.mul_(scale.view(-1, *(1,) * (layer.weight.dim() - 1)))
            layer.bias.mul_(scale).add_(shift)
        return float(F.cross_entropy(point(x), y))


def with_statistics(network: nn.Sequential, x: Tensor) -> None:
    torch.optim.swa_utils.update_bn([x[rows] for rows in torch.arange(len(x)).split(len(x))], network)
    network.eval()


@pytest.mark.parametrize(("make", "places"), [(convolutional, [0, 2, 5]), (transposed, [0, 2]), (normalised, [4])])
def test_losses_are_those_of_a_plain_loop(make: Any, places: list[int]) -> None:
    torch.manual_seed(3)
    first, second = make(), make()
    batches = [tuple(map(torch.cat, zip(*samples(), strict=True)))] if make is normalised else samples()
    before = copy.deepcopy(first.state_dict()), copy.deepcopy(second.state_dict())
    found = connect.pair(first, second, batches, alphas=ALPHAS, rescale=True)
    for alpha in ALPHAS:
        assert float(found.loss.sel(alpha=alpha)) == pytest.approx(
            loss_of_a_plain_loop(first, second, alpha, places), rel=1e-9
        )
    plain = connect.pair(first, second, batches, alphas=ALPHAS)
    assert abs(float(found.loss_at_half - plain.loss_at_half)) > 1e-5
    assert f"{len(places)} layers" in found.attrs["rescaled"]
    for network, kept in zip((first, second), before, strict=True):
        assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())


def test_stacks_are_rescaled_alike() -> None:
    torch.manual_seed(5)
    network = nn.Sequential(
        stacked.Linear(1, 4, 6), nn.ReLU(), stacked.Linear(1, 6, 5), nn.Tanh(), stacked.Linear(1, 5, 2)
    ).double()
    ends, x = 0.5 * torch.randn(2, 77, dtype=torch.float64), torch.randn(30, 4, dtype=torch.float64)
    at_ends = activation_rescaling.moments(network, ends, x)
    middle = activation_rescaling.rescale(
        network,
        ends.mean(0, keepdim=True),
        {name: each.mean(1, keepdim=True) for name, each in at_ends.items()},
        inputs=x,
    )
    outputs = stack.bound(network, middle, torch.zeros(1, 0))(x[None])[0].detach()

    def module(theta: Tensor) -> nn.Module:
        own = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)).double()
        with torch.no_grad():
            for name, value in stack.unflatten(theta[None], network).items():
                own.get_parameter(name).copy_(value[0].T if "weight" in name else value.flatten())
        return own

    y = torch.randint(0, 2, (30,))
    found = connect.pair(module(ends[0]), module(ends[1]), (x, y), alphas=3, rescale=True)
    assert float(found.loss.sel(alpha=0.5)) == pytest.approx(float(F.cross_entropy(outputs, y)), rel=1e-10)


def test_statistics_of_batch_normalisation_are_the_whole_repair() -> None:
    def make() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3)
        )

    torch.manual_seed(1)
    first, second, batches = make().double(), make().double(), samples()
    plain, found = (connect.pair(first, second, batches, alphas=3, rescale=each) for each in (False, True))
    assert (plain.loss == found.loss).all()
    with pytest.raises(ParameterError, match=r"^batchnorm must be 'reestimate' with rescale=True \(got 'keep'\)"):
        connect.pair(first, second, batches, batchnorm="keep", rescale=True)


def test_parts_that_are_not_measured_beside_rescaling_are_named() -> None:
    first, second, samples = example_modules.two("perceptron")
    with pytest.raises(ParameterError, match=r"^rescale cannot be combined with layers, curve$"):
        connect.pair(first, second, samples, rescale=True, layers=["0"], curve=True)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda: nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2)),
            r"each layer needs a bias, or batch normalisation after it \('0' has",
        ),
        (lambda: nn.Sequential(nn.Linear(3, 2)), "the network has no linear or convolutional layers before the last"),
        (
            lambda: example_forwards.Written(
                lambda net, x: net.two(net.one(net.one(x))), one=nn.Linear(3, 3), two=nn.Linear(3, 2)
            ),
            r"each layer must be used once in a forward pass \('one' is not\)",
        ),
        (
            lambda: example_forwards.Written(
                lambda net, x: net.two(net.one(x[:, :2, None]).flatten(1)),
                one=nn.ConvTranspose1d(2, 4, 1, groups=2),
                two=nn.Linear(4, 2),
            ),
            r"transposed convolutions must have one group \('one' has 2\)",
        ),
        (
            lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.Linear(4, 2)),
            "layers must be modules of torch; '0', a ParametrizedLinear,",
        ),
    ],
)
def test_layers_that_cannot_be_rescaled_are_rejected(make: Any, line: str) -> None:
    data = torch.randn(9, 3), torch.zeros(9, dtype=torch.int64)
    with pytest.raises(ParameterError, match=f"^rescale: .*{line}"):
        connect.pair(make(), make(), data, rescale=True)
