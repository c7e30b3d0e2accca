"""Each normalisation computes what torch's own computes, network by network, in training and in evaluation."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lmc_utils.networks import normalisation

CHANNELS = 4
SHAPES = {"vectors": (), "1-D": (9,), "2-D": (5, 6)}


class OverChannels(nn.LayerNorm):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.movedim(1, -1)).movedim(-1, 1)


def batch_norm(space: tuple[int, ...]) -> nn.Module:
    return nn.BatchNorm2d(CHANNELS) if len(space) == 2 else nn.BatchNorm1d(CHANNELS)


NORMS: dict[str, tuple[normalisation.Norm, Callable[[tuple[int, ...]], nn.Module]]] = {
    "layer": (normalisation.LayerNorm(3, CHANNELS), lambda space: OverChannels(CHANNELS)),
    "group": (normalisation.GroupNorm(3, CHANNELS, 2), lambda space: nn.GroupNorm(2, CHANNELS)),
    "batch": (normalisation.BatchNorm(3, CHANNELS), batch_norm),
}


def numbers(space: tuple[int, ...], samples: int = 7) -> tuple[Tensor, Callable[[Tensor, int], Tensor]]:
    """Inputs of three networks, and how to take one network's part, (samples, channels, space...), out of such."""
    shape = (samples, 3, CHANNELS, *space) if space else (3, samples, CHANNELS)
    inputs = (2 + 3 * torch.randn(shape, dtype=torch.float64)).requires_grad_()
    return inputs, (lambda values, network: values[:, network]) if space else (lambda values, network: values[network])


@pytest.mark.parametrize("space", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("training", [True, False])
def test_normalisation_equals_torchs(name: str, space: tuple[int, ...], training: bool) -> None:
    layer, of_torch = NORMS[name]
    layer = layer.double().train(training)
    peers = [of_torch(space).double().train(training) for _ in range(3)]
    inputs, part = numbers(space)
    for value in [*layer.parameters(), *layer.buffers()]:
        nn.init.uniform_(value, 0.5, 2.0)
    for network, peer in enumerate(peers):
        own = {key: value[network] for key, value in layer.state_dict().items()}
        peer.load_state_dict(own, strict=False)
    outputs = layer(inputs)
    weights = torch.randn_like(outputs)
    for network, peer in enumerate(peers):
        expected = peer(part(inputs, network))
        torch.testing.assert_close(part(outputs, network), expected)
        loss = (part(outputs * weights, network)).sum()
        ours = torch.autograd.grad(loss, [inputs, layer.weight, layer.bias], retain_graph=True)
        theirs = torch.autograd.grad((expected * part(weights, network)).sum(), [inputs, peer.weight, peer.bias])
        torch.testing.assert_close(ours[0], theirs[0])
        torch.testing.assert_close([each[network] for each in ours[1:]], list(theirs[1:]))
        for key, value in layer.named_buffers():
            torch.testing.assert_close(value[network], getattr(peer, key))


@pytest.mark.parametrize("space", SHAPES.values(), ids=SHAPES)
def test_statistics_of_the_first_samples_equal_those_of_a_fresh_torch_pass(space: tuple[int, ...]) -> None:
    layer = normalisation.BatchNorm(3, CHANNELS).double().eval()
    nn.init.uniform_(layer.weight, 0.5, 2.0)
    inputs, part = numbers(space, samples=20)
    layer.estimate_from = 12
    outputs = layer(inputs)
    for network in range(3):
        peer = batch_norm(space).double()
        peer.momentum = None
        peer.load_state_dict({key: value[network] for key, value in layer.state_dict().items()}, strict=False)
        peer.reset_running_stats()
        own = part(inputs, network)
        torch.testing.assert_close(part(outputs, network)[:12], peer(own[:12]))
        torch.testing.assert_close(part(outputs, network)[12:], peer.eval()(own[12:]))
