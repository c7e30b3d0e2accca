"""Each layer computes what torch's own computes, network by network."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from lmc_utils.networks import layers


@pytest.mark.parametrize("spatial_axes", [1, 2])
@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (3, 1), (1, 1), (3, 3)])
def test_convolution_is_torchs_convolution(spatial_axes: int, kernel: int, stride: int) -> None:
    layer = layers.Conv(3, spatial_axes, kernel, stride, channels_in=2, channels_out=4).double()
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
    layer = layers.LayerNorm(2, 4)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    inputs = torch.randn(2, 3, 7, 4)
    for network in range(2):
        expected = functional.layer_norm(inputs[network], (4,), layer.weight[network, 0], layer.bias[network, 0])
        torch.testing.assert_close(layer(inputs)[network], expected)
