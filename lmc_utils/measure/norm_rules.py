"""The rules of Taylor mode for normalisations."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lmc_utils.measure.tangents import Change, beside, crossed, joined, met
from lmc_utils.networks import normalisation


class Normal:
    """y = w n + b with n = c r, c = x - mean(x), r = (k v + eps)^(-1/2), v = mean(c^2); means over a set of its own.

    Along tangents u and t of x: c'[u] = u - mean(u), v'[u] = 2 mean(c u), v''[u, t] = 2 mean(c'[u] c'[t]), and

        n'[u]     = c'[u] r - k r^3 v'[u] c / 2
        n''[u, t] = -k r^3 (c'[u] v'[t] + c'[t] v'[u] + c v''[u, t]) / 2 + 3/4 k^2 r^5 c v'[u] v'[t]

    Here k = 1, but for samples that batch normalisation normalises with others' statistics: N / (N - 1).
    """

    @staticmethod
    def push(layer: normalisation.Norm, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
        assert change.bias is not None
        sets = Sets(layer, inputs)
        c, r, bend = sets.centred(inputs)
        own = c * r * change.weight.unsqueeze(-1) + change.bias.unsqueeze(-1)
        if tangents is None:
            return sets.closed(own)
        away, slope = change.notes["moved"] = sets.moved(tangents, c)
        count, weight = len(away), layer.weight.unsqueeze(-1)
        moved = away.new_empty(max(count, change.direction + 1), *away.shape[1:])
        torch.mul(away, r * weight, out=moved[:count]).addcmul_(bend * weight, slope, value=-1)
        moved[count:] = 0
        moved[change.direction] += own[0]
        return sets.closed(moved)

    @staticmethod
    def pair(layer: normalisation.Norm, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        sets = Sets(layer, inputs)
        _, r, bend = sets.centred(inputs)
        away, slope = change.notes["moved"]
        opened = sets.opened(beside(adjoint))
        worth, scaled = (opened * values.unsqueeze(-1) for values in (change.weight, layer.weight))
        falling = slope * sets.total(worth * bend) / sets.copies
        hessian = crossed(((away * (worth * r)).sum((1, 3, 4)) - falling.sum((1, 3, 4))).T, change)
        rises = sets.total(scaled * bend * sets.k * r**2) * 3 / 4
        met = sets.gram(sets.total(away * (scaled * sets.k * r**3)) / -2 + slope * rises, slope) / sets.copies
        among = sets.first(away)
        spread = sets.gram(among * (sets.total(scaled * bend) * -2 / sets.few), among)
        count = len(slope)
        hessian[:, :count, :count] += (met + met.mT) + spread
        return hessian


class Sets:
    """The sets over which a normalisation takes its means, of tangents (directions, samples, n, channels, space).

    Attributes:
        few: how many numbers a mean is of.
        copies: how often each mean stands in an array of means, as those of a group do for each of its channels.
        k: of each sample.
    """

    def __init__(self, layer: normalisation.Norm, inputs: Tensor) -> None:
        self.vectors, self.shape = inputs.dim() == 3, inputs.shape
        samples, _, channels, *space = inputs.transpose(0, 1).shape if self.vectors else inputs.shape
        self.groups, self.samples, self.copies = 0, samples, 1
        self.over: tuple[int, ...] = (3,)
        self.few, self.k = channels, inputs.new_ones(1)
        if isinstance(layer, normalisation.BatchNorm):
            self.over, self.samples = (1, 4), layer.estimate_from or samples
            self.few = self.samples * math.prod(space)
            self.k = inputs.new_full((1, samples, 1, 1, 1), self.few / max(1, self.few - 1))
            self.k[:, : self.samples] = 1
        elif isinstance(layer, normalisation.GroupNorm):
            self.groups, self.copies = layer.groups, channels // layer.groups
            self.few = self.copies * math.prod(space)

    def opened(self, tangents: Tensor) -> Tensor:
        return tangents.permute(1, 2, 0, 3).unsqueeze(4) if self.vectors else tangents.flatten(4)

    def closed(self, opened: Tensor) -> Tensor:
        """Undo `opened`."""
        return opened.squeeze(4).permute(2, 0, 1, 3) if self.vectors else opened.view(len(opened), *self.shape)

    def first(self, opened: Tensor) -> Tensor:
        """Those samples whose statistics are taken."""
        return opened[:, : self.samples]

    def total(self, opened: Tensor) -> Tensor:
        """The sum over each set."""
        if not self.groups:
            return opened.sum(self.over, keepdim=True)
        sums = torch.unflatten(opened, 3, (self.groups, self.copies)).sum((4, 5))
        return sums.repeat_interleave(self.copies, 3).unsqueeze(4)

    def centred(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """c, r, and k r^3 c / 2, by how much n falls where v rises."""
        x = self.opened(beside(inputs))
        c = x - self.total(self.first(x)) / self.few
        r = (self.k * self.total(self.first(c).square()) / self.few + normalisation.EPS).rsqrt()
        return c, r, self.k * r**3 * c / 2

    def moved(self, tangents: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """c' and v' along each tangent."""
        u = self.opened(tangents)
        first = self.first(u)
        return u - self.total(first) / self.few, self.total(first * self.first(c)) * 2 / self.few

    def gram(self, first: Tensor, second: Tensor) -> Tensor:
        one, other = (each.movedim(2, 0).flatten(2) for each in (first, second))
        return torch.bmm(one, other.mT)


class Batch:
    """Batch normalisation, with the statistics that it has or with those of its first samples."""

    @staticmethod
    def push(layer: normalisation.BatchNorm, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
        return (Fixed if layer.estimate_from is None else Normal).push(layer, inputs, tangents, change)

    @staticmethod
    def pair(
        layer: normalisation.BatchNorm, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor
    ) -> Tensor:
        return (Fixed if layer.estimate_from is None else Normal).pair(layer, inputs, tangents, change, adjoint)


class Fixed:
    """y = w (x - mean) / deviation + b with statistics that are constants: bilinear in x and w."""

    @staticmethod
    def push(layer: normalisation.BatchNorm, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
        scale = (layer.running_var + normalisation.EPS).rsqrt()
        normal = (inputs - normalisation.by_channel(layer.running_mean, inputs)) * normalisation.by_channel(
            scale, inputs
        )
        own = _scaled(normal, change.weight, change.bias)
        moved = None if tangents is None else tangents * _by_channel(layer.weight * scale, inputs)
        return joined(moved, own, change)

    @staticmethod
    def pair(
        layer: normalisation.BatchNorm, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor
    ) -> Tensor:
        scale = change.weight * (layer.running_var + normalisation.EPS).rsqrt()
        return crossed(met(tangents, adjoint * normalisation.by_channel(scale, inputs)), change)


def _scaled(normal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    assert bias is not None
    return normal * normalisation.by_channel(weight, normal) + normalisation.by_channel(bias, normal)


def _by_channel(values: Tensor, inputs: Tensor) -> Tensor:
    """Numbers of each network and channel, shaped to meet tangents of these inputs."""
    shaped = normalisation.by_channel(values, inputs)
    return shaped.unsqueeze(1) if inputs.dim() == 3 else shaped
