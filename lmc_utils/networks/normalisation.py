"""Stacked normalisations: each subtracts a mean, divides by a standard deviation, then scales and shifts by channel.

They differ in what mean and variance are taken over. Each takes vectors and images alike, see `networks.layers`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.networks.layers import Layer, Parameters

EPS = 1e-5  # added to each variance, as torch does by default
MOMENTUM = 0.1  # how much of a batch's statistics enters the running ones at each step, as torch does by default


def by_channel(values: Tensor, like: Tensor) -> Tensor:
    """Numbers of each network and channel, (n, channels), shaped to meet vectors or images.

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
    """Over the channels, at each site of each sample (Ba et al. 2016).

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
    """Over the channels of a group and all of space, for each sample (Wu and He 2018).

    Args:
        groups: how many; they divide the channels evenly.
    """

    def __init__(self, networks: int, channels: int, groups: int) -> None:
        super().__init__(networks, channels)
        self.groups = groups

    def forward(self, inputs: Tensor) -> Tensor:
        joined = functional.group_norm(inputs.flatten(0, 1), self.groups, eps=EPS)
        return self.scaled(torch.unflatten(joined, 0, inputs.shape[:2]))


class BatchNorm(Norm):
    """Over samples and space, for each channel (Ioffe and Szegedy 2015).

    In training the batch's own statistics normalise it and enter running ones, the buffers `running_mean` and
    `running_var`, both (n, channels); in evaluation mode these are used. As in torch, a batch is normalised with the
    variance of its numbers, and an estimate for others is larger by N / (N - 1).

    Attributes:
        momentum: the weight of a batch in the running statistics.
        estimate_from: in evaluation mode, None, or the number of first samples of a batch whose statistics normalise
            all of it, so that they are functions of the parameters and can be differentiated.
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
        """Of shape (samples, n, channels, space...), with or without space."""
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
    """Numbers minus the mean of the first samples, and one over the standard deviation that normalises each.

    Args:
        images: shape (samples, n, channels, space...).
        count: how many first samples give the statistics.

    Returns:
        The shape of the images, and one that meets it: (samples, n, channels, 1...).
    """
    first = images[:count]
    over = (0, *range(3, images.dim()))
    away = images - first.mean(over, keepdim=True)
    variance = away[:count].square().mean(over, keepdim=True)
    numbers = first[:, 0, 0].numel()
    unbiased = away.new_full((len(images), *(1,) * (images.dim() - 1)), numbers / (numbers - 1))
    unbiased[:count] = 1  # the first are normalised with the variance of their own numbers
    return away, (variance * unbiased + EPS).rsqrt()
