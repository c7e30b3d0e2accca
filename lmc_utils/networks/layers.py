"""Stacked layers: n networks at once, whose parameters carry a leading network axis.

A *stack* of n networks is one `nn.Module` in which every parameter has shape (n, ...). It maps activations of shape
(n, samples, space..., channels) to the same, network by network, with one batched matrix product a layer; channels
come last. The sum of the networks' losses gives each network its own gradient, since no parameter is shared.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

Parameters = dict[str, Tensor]
"""Parameters by name, each of shape (networks, ...), in the order of the module."""

_NARROW = 16  # below so many columns the product of the transposes takes a quarter of the time; it rounds otherwise


class Layer(nn.Module):
    """A layer of n networks that can draw the fresh parameters of one network."""

    def draw(self, generator: torch.Generator) -> Parameters:
        """Fresh parameters of one network, each without the network axis."""
        raise NotImplementedError


class Linear(Layer):
    """n affine maps: (n, samples, fan_in) to (n, samples, fan_out).

    >>> layer = Linear(networks=2, fan_in=3, fan_out=5)
    >>> layer(torch.zeros(2, 7, 3)).shape
    torch.Size([2, 7, 5])
    """

    def __init__(self, networks: int, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(networks, fan_in, fan_out))
        self.bias = nn.Parameter(torch.zeros(networks, 1, fan_out))

    def draw(self, generator: torch.Generator) -> Parameters:
        """He initialisation (He et al. 2015): weights from N(0, 2 / fan_in), biases 0."""
        fan_in, fan_out = self.weight.shape[1:]
        weight = torch.randn(fan_in, fan_out, generator=generator) * math.sqrt(2 / fan_in)
        return {"weight": weight, "bias": torch.zeros(1, fan_out)}

    def forward(self, inputs: Tensor) -> Tensor:
        if self.weight.shape[-1] < _NARROW and not torch.is_grad_enabled():  # training keeps its bits
            return torch.baddbmm(self.bias.mT, self.weight.mT, inputs.mT).mT
        return torch.baddbmm(self.bias, inputs, self.weight)


class Conv(Linear):
    """n convolutions over one or two spatial axes, zero-padded by kernel // 2, as a product with unfolded patches.

    Maps (n, samples, space..., channels_in) to (n, samples, space / stride, channels_out).

    >>> layer = Conv(networks=2, spatial_axes=2, kernel=3, stride=2, channels_in=1, channels_out=4)
    >>> layer(torch.zeros(2, 5, 8, 8, 1)).shape
    torch.Size([2, 5, 4, 4, 4])
    """

    def __init__(
        self, networks: int, spatial_axes: int, kernel: int, stride: int, channels_in: int, channels_out: int
    ) -> None:
        super().__init__(networks, channels_in * kernel**spatial_axes, channels_out)
        self.spatial_axes, self.kernel, self.stride = spatial_axes, kernel, stride

    def patches(self, inputs: Tensor) -> Tensor:
        """What each output site sees: (n, samples, space..., channels) to (n, samples, space / stride, fan_in)."""
        half = self.kernel // 2
        patches = functional.pad(inputs, (0, 0) + (half, half) * self.spatial_axes)
        for axis in range(2, 2 + self.spatial_axes):
            patches = patches.unfold(axis, self.kernel, self.stride)
        return patches.flatten(2 + self.spatial_axes)

    def forward(self, inputs: Tensor) -> Tensor:
        patches = self.patches(inputs)
        outputs = super().forward(patches.flatten(1, -2))
        return outputs.view(*patches.shape[:-1], outputs.shape[-1])


class LayerNorm(Layer):
    """n layer normalisations over the channels (Ba et al. 2016), each with its own scale and shift.

    >>> layer = LayerNorm(networks=1, channels=4)
    >>> nn.init.ones_(layer.weight).shape
    torch.Size([1, 1, 4])
    >>> layer(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])).sum().abs() < 1e-6
    tensor(True)
    """

    def __init__(self, networks: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(networks, 1, channels))
        self.bias = nn.Parameter(torch.zeros(networks, 1, channels))

    def draw(self, generator: torch.Generator) -> Parameters:
        """Scale 1, shift 0."""
        return {"weight": torch.ones(self.weight.shape[1:]), "bias": torch.zeros(self.bias.shape[1:])}

    def forward(self, inputs: Tensor) -> Tensor:
        normal = functional.layer_norm(inputs, inputs.shape[-1:])
        broadcast = (len(self.weight),) + (1,) * (inputs.dim() - 2) + (-1,)
        return torch.addcmul(self.bias.view(broadcast), normal, self.weight.view(broadcast))


class Flatten(nn.Module):
    """Join all axes but those of networks and samples: (n, samples, ...) to (n, samples, features)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(2)
