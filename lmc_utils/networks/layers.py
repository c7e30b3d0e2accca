"""Stacked layers: n networks at once, whose parameters carry a leading network axis.

A *stack* of n networks is one `nn.Module` in which every parameter has shape (n, ...). It maps inputs of shape (n,
samples, space..., channels) to logits (n, samples, classes), network by network. The gradient of the sum of the
networks' losses contains each network's own gradient, since no parameter is shared. Inside, activations have one of two
shapes, chosen for the speed of the layers:

    vectors     (n, samples, features)               one batched matrix product for each layer
    images      (samples, n, channels, space...)     one grouped convolution for each layer, one or two spatial axes

`Images` converts the inputs to images, `Vectors` and `SpaceMean` convert images to vectors. In both, axis 2 is the
channel axis. Convolutions are grouped convolutions rather than products with unfolded patches, which are slower except
for few channels in one dimension: `benchmarks/convolutions.py` measures both, and the page *Benchmarks* has the table.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

Parameters = dict[str, Tensor]
"""Parameters, or buffers, by name, each of shape (networks, ...), in the order of the module."""

_NARROW = 16  # with fewer columns the product of the transposes takes a quarter of the time, but rounds differently


class Layer(nn.Module):
    """A layer of n networks that can draw initial parameters for one network.

    Any module that defines its own `forward` must derive from `Layer` and keep networks and samples independent.
    """

    def draw(self, generator: torch.Generator) -> Parameters:
        """Initial parameters of one network, without the network axis, except those of layers inside it."""
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
        if self.weight.shape[-1] < _NARROW and not torch.is_grad_enabled():  # training must stay bit-identical
            return torch.baddbmm(self.bias.mT, self.weight.mT, inputs.mT).mT
        return torch.baddbmm(self.bias, inputs, self.weight)


class Conv(Layer):
    """n convolutions over one or two spatial axes, zero-padded by kernel // 2.

    Maps (samples, n, channels_in, space...) to (samples, n, channels_out, space / stride...).

    Args:
        bias: whether it has a bias, which a normalisation that follows makes redundant.
        silent: initialise weights to zero, as for the last convolution of a residual block without normalisation.

    >>> layer = Conv(networks=2, spatial_axes=2, kernel=3, stride=2, channels_in=1, channels_out=4)
    >>> layer(torch.zeros(5, 2, 1, 8, 8)).shape
    torch.Size([5, 2, 4, 4, 4])
    """

    def __init__(
        self,
        networks: int,
        *,
        spatial_axes: int,
        kernel: int,
        stride: int,
        channels_in: int,
        channels_out: int,
        bias: bool = True,
        silent: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(networks, channels_out, channels_in, *(kernel,) * spatial_axes))
        self.bias = nn.Parameter(torch.zeros(networks, channels_out)) if bias else None
        self.stride, self.silent = stride, silent

    def draw(self, generator: torch.Generator) -> Parameters:
        """He initialisation (He et al. 2015), `fan_in = channels_in * kernel^axes`; biases 0; all 0 if silent."""
        shape = self.weight.shape[1:]
        size = 0.0 if self.silent else math.sqrt(2 / math.prod(shape[1:]))
        weight = torch.randn(shape, generator=generator) * size
        return {"weight": weight} | ({} if self.bias is None else {"bias": torch.zeros(shape[0])})

    def forward(self, inputs: Tensor) -> Tensor:
        convolve = functional.conv1d if self.weight.dim() == 4 else functional.conv2d
        weight, bias = self.weight.flatten(0, 1), None if self.bias is None else self.bias.flatten()
        padding, networks = self.weight.shape[-1] // 2, len(self.weight)
        outputs: Tensor = convolve(inputs.flatten(1, 2), weight, bias, self.stride, padding, groups=networks)
        return torch.unflatten(outputs, 1, self.weight.shape[:2])


class MaxPool(nn.Module):
    """Max pooling over 2 or 2 x 2 neighbours: (samples, n, channels, space...) to half the space, rounded up."""

    def forward(self, inputs: Tensor) -> Tensor:
        pool = functional.max_pool1d if inputs.dim() == 4 else functional.max_pool2d
        outputs: Tensor = pool(inputs.flatten(1, 2), 2, ceil_mode=True)
        return torch.unflatten(outputs, 1, inputs.shape[1:3])


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) with a random generator for each network.

    In training, each number is zeroed with a probability and the others are scaled up. What a network drops depends
    only on its own seed.

    Args:
        fraction: the probability, at least 0 and below 1.
    """

    def __init__(self, fraction: float) -> None:
        super().__init__()
        self.fraction = fraction
        self.generators: list[torch.Generator] = []

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors to vectors; the identity in evaluation mode."""
        if not self.training:
            return inputs
        if len(self.generators) != len(inputs):
            raise ValueError(f"generators: expected one for each of {len(inputs)} networks, got {len(self.generators)}")
        shape, dtype, device = inputs.shape[1:], inputs.dtype, inputs.device
        drawn = [torch.rand(shape, generator=each, dtype=dtype, device=device) for each in self.generators]
        return inputs * (torch.stack(drawn) >= self.fraction) / (1 - self.fraction)


class Residual(nn.Sequential):
    """Layers whose outputs are added to their inputs, (samples, n, channels, space...) (He et al. 2016).

    If the layers halve the space or add channels, the shortcut subsamples the inputs by `stride` and pads them with
    zero channels: the parameter-free "option A" of section 4.2 there.
    """

    def __init__(self, layers: dict[str, nn.Module], stride: int) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.stride = stride

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = super().forward(inputs)  # type: ignore[no-untyped-call]
        axes = inputs.dim() - 3
        read = inputs[(slice(None),) * 3 + (slice(None, None, self.stride),) * axes]
        return outputs + functional.pad(read, (0, 0) * axes + (0, outputs.shape[2] - inputs.shape[2]))


class Images(nn.Module):
    """Inputs (n, samples, space..., channels) as images (samples, n, channels, space...)."""

    def forward(self, inputs: Tensor) -> Tensor:
        images = inputs.movedim(-1, 2).transpose(0, 1).contiguous()
        if images.dim() == 5 and images.is_cuda:  # channels last in memory, which CUDA libraries prefer
            flat = images.flatten(1, 2).contiguous(memory_format=torch.channels_last)
            return torch.unflatten(flat, 1, images.shape[1:3])
        return images


class Vectors(nn.Module):
    """Images (samples, n, channels, space...) as vectors (n, samples, features), with space varying fastest."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.transpose(0, 1).flatten(2)


class SpaceMean(nn.Module):
    """The mean over space of images (samples, n, channels, space...): vectors (n, samples, channels)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(3).mean(3).transpose(0, 1)


class Flatten(nn.Module):
    """Join all axes but those of networks and samples: (n, samples, ...) to (n, samples, features)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(2)


STATELESS = (Images, Vectors, SpaceMean, Flatten, MaxPool, Dropout)
"""Layers without parameters that work on each sample and network by itself."""
