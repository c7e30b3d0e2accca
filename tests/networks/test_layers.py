"""Each layer computes what torch's own computes, network by network, and so do its derivatives."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.networks import layers

SPACE = (9, 8)


def randomise(layer: nn.Module) -> None:
    for value in layer.parameters():
        nn.init.normal_(value)


def images(axes: int, channels: int) -> Tensor:
    """Samples, three networks, channels, space."""
    return torch.randn(5, 3, channels, *SPACE[:axes], dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (3, 1), (1, 1), (3, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_convolution_is_torchs_convolution(axes: int, kernel: int, stride: int, bias: bool) -> None:
    layer = layers.Conv(
        3, spatial_axes=axes, kernel=kernel, stride=stride, channels_in=2, channels_out=4, bias=bias
    ).double()
    randomise(layer)
    inputs = images(axes, 2)
    outputs = layer(inputs)
    weights = torch.randn_like(outputs)
    for network in range(3):
        convolve = (functional.conv1d, functional.conv2d)[axes - 1]
        shift = layer.bias[network] if bias else None
        expected = convolve(inputs[:, network], layer.weight[network], shift, stride, kernel // 2)
        torch.testing.assert_close(outputs[:, network], expected)
        for value in (inputs, layer.weight):
            (ours,) = torch.autograd.grad((outputs * weights)[:, network].sum(), value, retain_graph=True)
            (torchs,) = torch.autograd.grad((expected * weights[:, network]).sum(), value, retain_graph=True)
            torch.testing.assert_close(ours, torchs)


@pytest.mark.parametrize("axes", [1, 2])
def test_pooling_is_torchs_pooling(axes: int) -> None:
    inputs = images(axes, 2)
    pool = (nn.MaxPool1d, nn.MaxPool2d)[axes - 1](2, ceil_mode=True)
    for network in range(3):
        assert torch.equal(layers.MaxPool()(inputs)[:, network], pool(inputs[:, network]))


def test_images_and_vectors_reshape_without_changing_numbers() -> None:
    inputs = torch.randn(3, 5, *SPACE, 2)
    pictures = layers.Images()(inputs)
    assert pictures.shape == (5, 3, 2, *SPACE)
    assert torch.equal(pictures[4, 1, 0], inputs[1, 4, ..., 0])
    vectors = layers.Vectors()(pictures)
    assert torch.equal(vectors[1, 4], inputs[1, 4].movedim(-1, 0).flatten())
    torch.testing.assert_close(layers.SpaceMean()(pictures)[1, 4], inputs[1, 4].mean((0, 1)))


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_residual_block_adds_its_input(axes: int, stride: int) -> None:
    conv = layers.Conv(
        3, spatial_axes=axes, kernel=3, stride=stride, channels_in=2, channels_out=2 * stride, silent=True
    ).double()
    inputs = images(axes, 2)
    outputs = layers.Residual({"conv": conv}, stride)(inputs)  # the convolution is zero
    every = (..., *(slice(None, None, stride),) * axes)
    assert torch.equal(outputs[:, :, :2], inputs[every])
    assert outputs[:, :, 2:].abs().sum() == 0
    randomise(conv)
    more = layers.Residual({"conv": conv}, stride)(inputs)
    torch.testing.assert_close(more - outputs, conv(inputs))


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_dropout_is_each_networks_own() -> None:
    layer, inputs = layers.Dropout(0.25), torch.ones(3, 400, 50)
    layer.generators = generators(7, 8, 7)
    dropped = layer(inputs)
    assert torch.equal(dropped[0], dropped[2])
    assert not torch.equal(dropped[0], dropped[1])
    torch.testing.assert_close(dropped.unique(), torch.tensor([0.0, 4 / 3]))
    # 60,000 numbers: the fraction that is left has a standard deviation of .0018.
    assert (dropped > 0).float().mean() == pytest.approx(0.75, abs=0.01)
    layer.generators = generators(8)
    assert torch.equal(layer(inputs[:1])[0], dropped[1])
    assert not torch.equal(layer(inputs[:1])[0], dropped[1]), "the next draw is another one"
    assert layer.eval()(inputs) is inputs


def test_dropout_without_as_many_generators_as_networks_is_an_error() -> None:
    with pytest.raises(ValueError, match="generators: expected one for each of 3 networks, got 0"):
        layers.Dropout(0.5)(torch.ones(3, 4, 5))
