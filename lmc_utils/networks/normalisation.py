"""Stacked normalisation layers: batch, group and layer normalisation.

Each subtracts a mean, divides by a standard deviation, then scales and shifts each channel. They differ in the axes of
mean and variance. Each accepts both vectors and images, see `networks.layers`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.networks.layers import Layer, Parameters

EPS = 1e-5  # added to each variance, the default of torch
MOMENTUM = 0.1  # weight of a batch in the running statistics, the default of torch


def by_channel(values: Tensor, like: Tensor) -> Tensor:
    """Reshape numbers of each network and channel, (n, channels), to broadcast with vectors or images.

    >>> [by_channel(torch.zeros(2, 3), torch.zeros(shape)).shape for shape in [(2, 5, 3), (5, 2, 3, 8)]]
    [torch.Size([2, 1, 3]), torch.Size([2, 3, 1])]
    """
    return values.unsqueeze(1) if like.dim() == 3 else values[(...,) + (None,) * (like.dim() - 3)]


class Norm(Layer):
    """A normalisation of n networks, with a scale `weight` and a shift `bias` for each channel, both (n, channels)."""

    def __init__(self, networks: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(networks, channels))
        self.bias = nn.Parameter(torch.zeros(networks, channels))

    def draw(self, generator: torch.Generator) -> Parameters:
        """Scale 1, shift 0."""
        return {"weight": torch.ones(self.weight.shape[1:]), "bias": torch.zeros(self.bias.shape[1:])}

    def scaled(self, normal: Tensor) -> Tensor:
        return torch.addcmul(by_channel(self.bias, normal), normal, by_channel(self.weight, normal))


class LayerNorm(Norm):
    """Layer normalisation over the channels, at each position of each sample (Ba et al. 2016).

    >>> layer = LayerNorm(networks=1, channels=4)
    >>> nn.init.ones_(layer.weight).shape
    torch.Size([1, 4])
    >>> layer(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])).sum().abs() < 1e-6
    tensor(True)
    """

    def forward(self, inputs: Tensor) -> Tensor:
        last = inputs.movedim(2, -1)
        return self.scaled(functional.layer_norm(last, last.shape[-1:], eps=EPS).movedim(-1, 2))


class GroupNorm(Norm):
    """Group normalisation over the channels of a group and all of space, for each sample (Wu and He 2018).

    Args:
        groups: the number of groups, which must divide the number of channels.
    """

    def __init__(self, networks: int, channels: int, groups: int) -> None:
        super().__init__(networks, channels)
        self.groups = groups

    def forward(self, inputs: Tensor) -> Tensor:
        joined = functional.group_norm(inputs.flatten(0, 1), self.groups, eps=EPS)
        return self.scaled(torch.unflatten(joined, 0, inputs.shape[:2]))


class BatchNorm(Norm):
    """Batch normalisation over samples and space, for each channel (Ioffe and Szegedy 2015).

    In training a batch is normalised by its own statistics, which also update the running statistics, the buffers
    `running_mean` and `running_var`, both (n, channels); these are used in evaluation mode. As in torch, a batch is
    normalised with its biased variance, and the running variance is the unbiased one, larger by N / (N - 1).

    Attributes:
        momentum: the weight of a batch in the running statistics.
        estimate_from: in evaluation mode, None to use running statistics, or a number n to normalise each batch by the
            statistics of its first n samples, which can then be differentiated as functions of the parameters.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, networks: int, channels: int) -> None:
        super().__init__(networks, channels)
        self.register_buffer("running_mean", torch.zeros(networks, channels))
        self.register_buffer("running_var", torch.ones(networks, channels))
        self.momentum = MOMENTUM
        self.estimate_from: int | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dim() == 3:
            return self._images(inputs.transpose(0, 1)).transpose(0, 1)
        return self._images(inputs)

    def _images(self, inputs: Tensor) -> Tensor:
        """Inputs in the shape (samples, n, channels, space...), with or without space."""
        if self.estimate_from is not None and not self.training:
            away, inverse = centred(inputs, self.estimate_from)
            space = (...,) + (None,) * (inputs.dim() - 3)
            return torch.addcmul(self.bias[space], away * inverse, self.weight[space])
        mean, variance = self.running_mean.flatten().clone(), self.running_var.flatten().clone()
        outputs = functional.batch_norm(
            inputs.flatten(1, 2),
            mean,
            variance,
            self.weight.flatten(),
            self.bias.flatten(),
            self.training,
            self.momentum,
            EPS,
        )
        if self.training:
            self.running_mean.copy_(mean.view_as(self.running_mean))
            self.running_var.copy_(variance.view_as(self.running_var))
        return torch.unflatten(outputs, 1, inputs.shape[1:3])


def centred(images: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Centre images by the mean of the first samples; also return the reciprocal standard deviations.

    Args:
        images: shape (samples, n, channels, space...).
        count: the number of first samples that the statistics are computed on.

    Returns:
        Centred images, and the reciprocals in the broadcastable shape (samples, n, channels, 1...).
    """
    first = images[:count]
    over = (0, *range(3, images.dim()))
    away = images - first.mean(over, keepdim=True)
    variance = away[:count].square().mean(over, keepdim=True)
    numbers = first[:, 0, 0].numel()
    unbiased = away.new_full((len(images), *(1,) * (images.dim() - 1)), numbers / (numbers - 1))
    unbiased[:count] = 1  # the first samples are normalised with their biased variance
    return away, (variance * unbiased + EPS).rsqrt()
