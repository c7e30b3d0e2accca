"""How each kind of layer treats tangents, and what its second derivative is: the rules of Taylor mode.

Shapes: vectors (n, samples, features) have tangents (n, directions, samples, features); images (samples, n, channels,
space...) have tangents (directions, samples, n, channels, space...), so that a convolution takes them as more samples;
Hessians are (n, directions, directions). Only directions that have met their first layer are carried: until one has,
tangents are None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn import grad as gradients

from lmc_utils.networks import layers, norms


@dataclass(frozen=True)
class Change:
    """The change of one layer's parameters, and the number of the direction to which it belongs.

    Attributes:
        notes: what `push` has found on its way that `pair` needs again.
    """

    direction: int
    weight: Tensor
    bias: Tensor | None
    notes: dict[str, Any] = field(default_factory=dict)


class Rule(Protocol):
    """How one kind of layer treats tangents."""

    @staticmethod
    def push(layer: Any, inputs: Tensor, tangents: Tensor | None, change: Any) -> Tensor | None:
        """The tangents at the output, given the inputs, their tangents and the change of the layer's parameters."""

    @staticmethod
    def pair(layer: Any, inputs: Tensor, tangents: Tensor, change: Any, adjoint: Tensor) -> Tensor | None:
        """The output's second derivative along every two directions, weighted with the adjoint and summed.

        None where it is zero.
        """


def tangents_of_images(tangents: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A linear function of images, applied to those of all directions as more samples."""
    return torch.unflatten(function(tangents.flatten(0, 1)), 0, tangents.shape[:2])


def _beside(values: Tensor) -> Tensor:
    """Activations, or adjoints, shaped to meet their tangents."""
    return values.unsqueeze(1 if values.dim() == 3 else 0)


def _rows(tangents: Tensor) -> Tensor:
    """All numbers of each tangent in a row: (n, directions, numbers)."""
    return tangents.flatten(2) if tangents.dim() == 4 else tangents.movedim(2, 0).flatten(2)


def _gram(first: Tensor, second: Tensor) -> Tensor:
    return torch.bmm(_rows(first), _rows(second).transpose(1, 2))


def _met(tangents: Tensor, worth: Tensor) -> Tensor:
    """What each direction's tangent is worth: (n, directions)."""
    product = tangents * _beside(worth)
    return product.flatten(2).sum(2) if worth.dim() == 3 else product.flatten(3).sum((1, 3)).T


def _joined(moved: Tensor | None, own: Tensor, change: Change) -> Tensor:
    """The tangents that a layer passes on, with those that its own change makes."""
    if moved is None:
        return _beside(own)
    axis = 1 if own.dim() == 3 else 0
    if change.direction == moved.shape[axis]:
        return torch.cat([moved, _beside(own)], axis)
    moved.select(axis, change.direction).add_(own)
    return moved


def _crossed(meeting: Tensor, change: Change) -> Tensor:
    """A Hessian from what each direction that has been met and a layer's own give together, (networks, directions)."""
    count = meeting.shape[1]
    directions = max(count, change.direction + 1)
    hessian = meeting.new_zeros(len(meeting), directions, directions)
    hessian[:, :count, change.direction] += meeting
    hessian[:, change.direction, :count] += meeting
    return hessian


class Affine:
    """y = x W + b, of vectors."""

    @staticmethod
    def push(layer: layers.Linear, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
        """Tangents at the output: those at the input through W, and x dW + db for the layer's own direction."""
        assert change.bias is not None
        own = torch.baddbmm(change.bias, inputs, change.weight)
        if tangents is None:
            return _joined(None, own, change)
        moved = torch.bmm(tangents.flatten(1, 2), layer.weight)
        return _joined(moved.view(*tangents.shape[:3], -1), own, change)

    @staticmethod
    def pair(layer: layers.Linear, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        """y is bilinear in x and W, so directions l and k meet in (tangent of x along l) dW_k and the reverse."""
        worth = torch.bmm(adjoint, change.weight.transpose(1, 2)).flatten(1)
        return _crossed(torch.bmm(worth.unsqueeze(1), tangents.flatten(2).transpose(1, 2)).squeeze(1), change)


class Convolution:
    """y = the convolution of images x with W, plus b; bilinear in x and W as an affine map is."""

    @staticmethod
    def push(layer: layers.Conv, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
        own = layer.convolved(inputs, change.weight, change.bias)
        if tangents is None:
            return _joined(None, own, change)
        moved = tangents_of_images(tangents, lambda images: layer.convolved(images, layer.weight, None))
        return _joined(moved, own, change)

    @staticmethod
    def pair(layer: layers.Conv, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        transpose = gradients.conv1d_input if inputs.dim() == 4 else gradients.conv2d_input
        kernel = change.weight.flatten(0, 1)
        shape, image = inputs.flatten(1, 2).shape, adjoint.flatten(1, 2)
        options = (layer.stride, kernel.shape[-1] // 2, 1, len(change.weight))
        worth: Tensor = transpose(shape, kernel, image, *options)  # type: ignore[no-untyped-call]
        return _crossed(_met(tangents, worth.view(inputs.shape)), change)


class Elementwise:
    """y = s(x), entry by entry."""

    @staticmethod
    def push(layer: nn.Module, inputs: Tensor, tangents: Tensor | None, change: None) -> Tensor | None:
        return None if tangents is None else tangents * _beside(Elementwise.derivatives(layer, inputs)[0])

    @staticmethod
    def pair(layer: nn.Module, inputs: Tensor, tangents: Tensor, change: None, adjoint: Tensor) -> Tensor | None:
        second = Elementwise.derivatives(layer, inputs)[1]
        return None if second is None else _gram(tangents * _beside(adjoint * second), tangents)

    @staticmethod
    def derivatives(layer: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """s' and s'' at the inputs; None for a second derivative that is zero except at kinks."""
        if isinstance(layer, nn.ReLU):
            return inputs > 0, None
        if isinstance(layer, nn.Tanh):
            value = inputs.tanh()
            slope = 1 - value**2
            return slope, -2 * value * slope
        density = torch.exp(-(inputs**2) / 2) / math.sqrt(2 * math.pi)  # GELU: x times the normal distribution
        return torch.special.ndtr(inputs) + inputs * density, density * (2 - inputs**2)


class Passive:
    """Layers without parameters that are linear in their inputs, such as a mean, or a change of shape."""

    @staticmethod
    def push(layer: nn.Module, inputs: Tensor, tangents: Tensor | None, change: None) -> Tensor | None:
        if tangents is None or isinstance(layer, layers.Dropout):  # in evaluation mode it does nothing
            return tangents
        if isinstance(layer, layers.Flatten):
            return tangents.flatten(3)
        each = tangents.flatten(4)  # directions, samples, n, channels, space
        return (each.mean(4) if isinstance(layer, layers.SpaceMean) else each.flatten(3)).movedim(2, 0)

    @staticmethod
    def pair(layer: nn.Module, inputs: Tensor, tangents: Tensor, change: None, adjoint: Tensor) -> None:
        return None


class Largest:
    """The largest of neighbours: its tangents are those of the one that is."""

    @staticmethod
    def push(layer: layers.MaxPool, inputs: Tensor, tangents: Tensor | None, change: None) -> Tensor | None:
        if tangents is None:
            return None
        pool = functional.max_pool1d if inputs.dim() == 4 else functional.max_pool2d
        outputs, places = pool(inputs.flatten(1, 2), 2, ceil_mode=True, return_indices=True)
        found = places.view(*inputs.shape[:3], -1).expand(len(tangents), -1, -1, -1, -1)
        return tangents.flatten(4).gather(4, found).view(len(tangents), *inputs.shape[:3], *outputs.shape[2:])

    @staticmethod
    def pair(layer: nn.Module, inputs: Tensor, tangents: Tensor, change: None, adjoint: Tensor) -> None:
        return None


class Normal:
    """y = w n + b with n = c r, c = x - mean(x), r = (k v + eps)^(-1/2), v = mean(c^2); means over a set of its own.

    Along tangents u and t of x: c'[u] = u - mean(u), v'[u] = 2 mean(c u), v''[u, t] = 2 mean(c'[u] c'[t]), and

        n'[u]     = c'[u] r - k r^3 v'[u] c / 2
        n''[u, t] = -k r^3 (c'[u] v'[t] + c'[t] v'[u] + c v''[u, t]) / 2 + 3/4 k^2 r^5 c v'[u] v'[t]

    Here k = 1, but for samples that batch normalisation normalises with others' statistics: N / (N - 1).
    """

    @staticmethod
    def push(layer: norms.Norm, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
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
    def pair(layer: norms.Norm, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        sets = Sets(layer, inputs)
        _, r, bend = sets.centred(inputs)
        away, slope = change.notes["moved"]
        opened = sets.opened(_beside(adjoint))
        worth, scaled = (opened * values.unsqueeze(-1) for values in (change.weight, layer.weight))
        falling = slope * sets.total(worth * bend) / sets.copies
        hessian = _crossed(((away * (worth * r)).sum((1, 3, 4)) - falling.sum((1, 3, 4))).T, change)
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

    def __init__(self, layer: norms.Norm, inputs: Tensor) -> None:
        self.vectors, self.shape = inputs.dim() == 3, inputs.shape
        samples, _, channels, *space = inputs.transpose(0, 1).shape if self.vectors else inputs.shape
        self.groups, self.samples, self.copies = 0, samples, 1
        self.over: tuple[int, ...] = (3,)
        self.few, self.k = channels, inputs.new_ones(1)
        if isinstance(layer, norms.BatchNorm):
            self.over, self.samples = (1, 4), layer.estimate_from or samples
            self.few = self.samples * math.prod(space)
            self.k = inputs.new_full((1, samples, 1, 1, 1), self.few / max(1, self.few - 1))
            self.k[:, : self.samples] = 1
        elif isinstance(layer, norms.GroupNorm):
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
        x = self.opened(_beside(inputs))
        c = x - self.total(self.first(x)) / self.few
        r = (self.k * self.total(self.first(c).square()) / self.few + norms.EPS).rsqrt()
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
    def push(layer: norms.BatchNorm, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
        return (Fixed if layer.estimate_from is None else Normal).push(layer, inputs, tangents, change)

    @staticmethod
    def pair(layer: norms.BatchNorm, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        return (Fixed if layer.estimate_from is None else Normal).pair(layer, inputs, tangents, change, adjoint)


class Fixed:
    """y = w (x - mean) / deviation + b with statistics that are constants: bilinear in x and w."""

    @staticmethod
    def push(layer: norms.BatchNorm, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
        scale = (layer.running_var + norms.EPS).rsqrt()
        normal = (inputs - norms.by_channel(layer.running_mean, inputs)) * norms.by_channel(scale, inputs)
        own = _scaled(normal, change.weight, change.bias)
        moved = None if tangents is None else tangents * _by_channel(layer.weight * scale, inputs)
        return _joined(moved, own, change)

    @staticmethod
    def pair(layer: norms.BatchNorm, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        scale = change.weight * (layer.running_var + norms.EPS).rsqrt()
        return _crossed(_met(tangents, adjoint * norms.by_channel(scale, inputs)), change)


def _scaled(normal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    assert bias is not None
    return normal * norms.by_channel(weight, normal) + norms.by_channel(bias, normal)


def _by_channel(values: Tensor, inputs: Tensor) -> Tensor:
    """Numbers of each network and channel, shaped to meet tangents of these inputs."""
    shaped = norms.by_channel(values, inputs)
    return shaped.unsqueeze(1) if inputs.dim() == 3 else shaped


RULES: dict[type[nn.Module], type[Rule]] = {
    layers.Linear: Affine,
    layers.Conv: Convolution,
    norms.LayerNorm: Normal,
    norms.GroupNorm: Normal,
    norms.BatchNorm: Batch,
    layers.MaxPool: Largest,
    layers.Images: Passive,
    layers.Vectors: Passive,
    layers.SpaceMean: Passive,
    layers.Flatten: Passive,
    layers.Dropout: Passive,
    nn.ReLU: Elementwise,
    nn.Tanh: Elementwise,
    nn.GELU: Elementwise,
}
