"""Taylor mode: how a change of the parameters moves the logits, to second order, layer by layer, in one forward pass.

Give layer l's change delta_l a coefficient a_l of its own, and let f(a) be the loss at theta with a_l * delta_l added
to every layer l. What this file computes is f, its gradient and its Hessian at a = 0: the slopes and curvatures of the
loss along the layers' own directions. Each direction's *tangent*, the derivative of an activation along it, goes
forward beside the activation. One pass of backpropagation through the activations alone, without gradients of weights,
then says what the second derivative of each activation is worth in loss:

    d2f / da_l da_k  =  sum over logits of       J_l^T (d2 loss / d logits^2) J_k       (Gauss-Newton)
                      + sum over activations of  adjoint * second derivative of the layer along l and k.

A rule of two functions says for each kind of layer how tangents pass it, and what its second derivative is. The
arithmetic is the chain rule of forward over reverse differentiation (Pearlmutter 1994), with the work that all
directions share done once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.networks import layers, norms
from lmc_utils.networks.layers import Parameters

# Shapes: activations (networks, samples, ...), tangents (networks, directions, samples, ...), Hessians
# (networks, directions, directions). Only directions that have met their first layer are carried.


@dataclass(frozen=True)
class Change:
    """The change of one layer's parameters, and the number of the direction to which it belongs."""

    direction: int
    weight: Tensor
    bias: Tensor


class Rule(Protocol):
    """How one kind of layer treats tangents."""

    @staticmethod
    def push(layer: Any, inputs: Tensor, tangents: Tensor, change: Any) -> Tensor:
        """The tangents at the output, given the inputs, their tangents and the change of the layer's parameters."""

    @staticmethod
    def pair(layer: Any, inputs: Tensor, tangents: Tensor, change: Any, adjoint: Tensor) -> Tensor | None:
        """The output's second derivative along every two directions, weighted with the adjoint and summed.

        None where it is zero. There are tangents, or it is not asked for.
        """


def _joined(moved: Tensor, own: Tensor, change: Change) -> Tensor:
    """The tangents that a layer passes on, with those that its own change makes."""
    if change.direction == moved.shape[1]:
        return torch.cat([moved, own.unsqueeze(1)], 1)
    moved[:, change.direction] += own
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
    """y = x W + b, on patches of x where the layer is a convolution."""

    @staticmethod
    def push(layer: layers.Linear, inputs: Tensor, tangents: Tensor, change: Change) -> Tensor:
        """Tangents at the output: those at the input through W, and x dW + db for the layer's own direction."""
        seen = Affine.seen(layer, inputs)
        own = torch.baddbmm(change.bias, seen.flatten(1, -2), change.weight)
        own = own.view(*seen.shape[:-1], -1)
        if not tangents.shape[1]:
            return own.unsqueeze(1)
        through = Affine.seen(layer, tangents.flatten(1, 2))
        moved = torch.bmm(through.flatten(1, -2), layer.weight)
        return _joined(moved.view(*tangents.shape[:3], *own.shape[2:]), own, change)

    @staticmethod
    def pair(layer: layers.Linear, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        """y is bilinear in x and W, so directions l and k meet in (tangent of x along l) dW_k and the reverse."""
        through = Affine.seen(layer, tangents.flatten(1, 2)).reshape(*tangents.shape[:2], -1)
        worth = torch.bmm(adjoint.flatten(1, -2), change.weight.transpose(1, 2)).flatten(1)
        return _crossed(torch.bmm(worth.unsqueeze(1), through.transpose(1, 2)).squeeze(1), change)

    @staticmethod
    def seen(layer: layers.Linear, inputs: Tensor) -> Tensor:
        return inputs


class Elementwise:
    """y = s(x), entry by entry."""

    @staticmethod
    def push(layer: nn.Module, inputs: Tensor, tangents: Tensor, change: Change | None) -> Tensor:
        return tangents * Elementwise.derivatives(layer, inputs)[0].unsqueeze(1)

    @staticmethod
    def pair(
        layer: nn.Module, inputs: Tensor, tangents: Tensor, change: Change | None, adjoint: Tensor
    ) -> Tensor | None:
        second = Elementwise.derivatives(layer, inputs)[1]
        if second is None:
            return None
        weighted = tangents * (adjoint * second).unsqueeze(1)
        return torch.bmm(weighted.flatten(2), tangents.flatten(2).transpose(1, 2))

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


class Norm:
    """y = w n + b with n = (x - mean) / s and s^2 = variance + eps, over the channels."""

    EPS = 1e-5  # what `functional.layer_norm` adds by default

    @staticmethod
    def push(layer: norms.LayerNorm, inputs: Tensor, tangents: Tensor, change: Change) -> Tensor:
        normal, deviation = Norm.normal(inputs)
        own = Norm.spread(change.weight, inputs) * normal + Norm.spread(change.bias, inputs)
        if not tangents.shape[1]:
            return own.unsqueeze(1)
        moved = Norm.derivative(normal, deviation, tangents)[0] * Norm.spread(layer.weight, inputs).unsqueeze(1)
        return _joined(moved, own, change)

    @staticmethod
    def pair(layer: norms.LayerNorm, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        """With a_u = mean(n u), n'[u] = (u - mean(u) - n a_u) / s, the second derivative of n along u and v is

        n''[u, v] = -(n'[v] a_u + n'[u] a_v + n mean(n'[v] u)) / s, as differentiating n' once more gives.
        """
        normal, deviation = Norm.normal(inputs)
        moved, along = Norm.derivative(normal, deviation, tangents)
        scaled = adjoint * Norm.spread(layer.weight, inputs)
        worth = (moved * scaled.unsqueeze(1)).sum(-1).flatten(2)
        crossed = torch.bmm((along / deviation.unsqueeze(1)).flatten(2), worth.transpose(1, 2))
        share = (scaled * normal).mean(-1, keepdim=True) / deviation
        bent = torch.bmm((moved * share.unsqueeze(1)).flatten(2), tangents.flatten(2).transpose(1, 2))
        own = (moved * (adjoint * Norm.spread(change.weight, inputs)).unsqueeze(1)).flatten(2).sum(2)
        hessian = _crossed(own, change)
        hessian[:, : own.shape[1], : own.shape[1]] -= crossed + crossed.transpose(1, 2) + bent
        return hessian

    @staticmethod
    def normal(inputs: Tensor) -> tuple[Tensor, Tensor]:
        deviation = (inputs.var(-1, correction=0, keepdim=True) + Norm.EPS).sqrt()
        return (inputs - inputs.mean(-1, keepdim=True)) / deviation, deviation

    @staticmethod
    def derivative(normal: Tensor, deviation: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """n' along each tangent, and the mean of n times the tangent."""
        normal, deviation = normal.unsqueeze(1), deviation.unsqueeze(1)
        along = (normal * tangents).mean(-1, keepdim=True)
        return (tangents - tangents.mean(-1, keepdim=True) - normal * along) / deviation, along

    @staticmethod
    def spread(values: Tensor, inputs: Tensor) -> Tensor:
        return values.view(len(values), *(1,) * (inputs.dim() - 2), -1)


class Reshape:
    """The same numbers in another shape."""

    @staticmethod
    def push(layer: nn.Module, inputs: Tensor, tangents: Tensor, change: Change | None) -> Tensor:
        return tangents.flatten(3)

    @staticmethod
    def pair(layer: nn.Module, inputs: Tensor, tangents: Tensor, change: Change | None, adjoint: Tensor) -> None:
        return None


RULES: dict[type[nn.Module], type[Rule]] = {
    layers.Linear: Affine,
    layers.Flatten: Reshape,
    nn.ReLU: Elementwise,
    nn.Tanh: Elementwise,
    nn.GELU: Elementwise,
}


def applies(network: nn.Module) -> bool:
    """Whether the network is a plain sequence of different layers, with a rule for every one of them.

    >>> applies(nn.Sequential(layers.Linear(1, 2, 3), nn.ReLU())), applies(nn.Sequential(nn.Linear(2, 3)))
    (True, False)
    """
    if type(network) is not nn.Sequential or len(set(network)) < len(network):
        return False
    exact = all(getattr(layer, "approximate", "none") == "none" for layer in network)  # of GELU
    return exact and all(type(layer) in RULES for layer in network)


def derivatives(
    network: nn.Module, deltas: Parameters, directions: Sequence[int], inputs: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, gradient and Hessian in the coefficients of the directions, summed over the samples.

    Args:
        network: a stack of n networks for whose layers there are rules; it holds theta.
        deltas: how the parameters change, shaped as they are.
        directions: for each layer with parameters, in order, the direction that it moves along, from 0 up; the same
            number for all of them takes the network as one.
        inputs: shape (samples, space..., channels), seen by every network.
        labels: shape (samples,).

    Returns:
        Shapes (n,), (n, directions), (n, directions, directions), float64.
    """
    networks, count = len(next(iter(deltas.values()))), max(directions) + 1
    values = inputs.unsqueeze(0).expand(networks, *inputs.shape)
    tangents = values.new_zeros(networks, 0, *inputs.shape)
    passed: list[tuple[nn.Module, Tensor, Tensor, Change | None, Tensor]] = []
    remaining = iter(directions)
    for name, layer in network.named_children():
        change = None
        if isinstance(layer, layers.Layer):
            change = Change(next(remaining), deltas[f"{name}.weight"], deltas[f"{name}.bias"])
        before, moved = values, RULES[type(layer)].push(layer, values.detach(), tangents, change)
        values = layer(before)
        if change is not None and not values.requires_grad:
            values.requires_grad_()
        if tangents.shape[1]:
            passed.append((layer, before.detach(), tangents, change, values))
        tangents = moved
    targets = labels.expand(networks, -1)
    losses = functional.cross_entropy(values.flatten(0, 1), targets.flatten(), reduction="none").view(networks, -1)
    adjoints = torch.autograd.grad(losses.sum(), [values, *(item[-1] for item in passed)])
    chances = values.detach().softmax(-1).unsqueeze(1)
    centred = tangents - (chances * tangents).sum(-1, keepdim=True)  # what moves all logits alike costs nothing
    hessian = torch.bmm((chances * centred).flatten(2), centred.flatten(2).transpose(1, 2)).double()
    for (layer, before, moving, change, _), adjoint in zip(passed, adjoints[1:], strict=True):
        bent = RULES[type(layer)].pair(layer, before, moving, change, adjoint)
        if bent is not None:
            hessian[:, : bent.shape[1], : bent.shape[1]] += bent
    slope = (tangents * adjoints[0].unsqueeze(1)).flatten(2).sum(2, dtype=torch.float64)
    return losses.detach().sum(1, dtype=torch.float64), slope[:, :count], hessian
