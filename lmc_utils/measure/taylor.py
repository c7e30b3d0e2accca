"""Taylor mode: how a change of the parameters moves the logits, to second order, layer by layer, in one forward pass.

Give layer l's change delta_l a coefficient a_l of its own, and let f(a) be the loss at theta with a_l * delta_l added
to every layer l. What this file computes is f, its gradient and its Hessian at a = 0: the slopes and curvatures of the
loss along the layers' own directions. Each direction's *tangent*, the derivative of an activation along it, goes
forward beside the activation. One pass of backpropagation through the activations alone, without gradients of weights,
then says what the second derivative of each activation is worth in loss:

    d2f / da_l da_k  =  sum over logits of       J_l^T (d2 loss / d logits^2) J_k       (Gauss-Newton)
                      + sum over activations of  adjoint * second derivative of the layer along l and k.

A rule of two functions says for each kind of layer how tangents pass it, and what its second derivative is
(`measure.rules`). The arithmetic is the chain rule of forward over reverse differentiation (Pearlmutter 1994), with the
work that all directions share done once. Tangents of what is added are added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.measure.rules import RULES
from lmc_utils.measure.tangents import Change, tangents_of_images
from lmc_utils.networks import layers
from lmc_utils.networks.layers import Parameters


class Passed(NamedTuple):
    """What a layer has met on the way forward, to be asked for its second derivative once adjoints are known."""

    layer: nn.Module
    inputs: Tensor
    tangents: Tensor
    change: Change | None
    outputs: Tensor


def applies(network: nn.Module) -> bool:
    """Whether the network is a sequence of different layers and residual blocks, with a rule for every layer.

    >>> applies(nn.Sequential(layers.Linear(1, 2, 3), nn.ReLU())), applies(nn.Sequential(nn.Linear(2, 3)))
    (True, False)
    """
    parts = list(_parts(network))
    exact = all(getattr(layer, "approximate", "none") == "none" for layer in parts)  # of GELU
    known = all(type(layer) in RULES for layer in parts)
    return type(network) is nn.Sequential and exact and known and len({*parts}) == len(parts)


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    if type(module) not in (nn.Sequential, layers.Residual):
        yield module
        return
    for part in module._modules.values():  # `children` would skip one that comes twice
        if part is not None:
            yield from _parts(part)


def derivatives(
    network: nn.Module,
    deltas: Parameters,
    directions: Sequence[int],
    inputs: Tensor,
    labels: Tensor,
    skipped: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, gradient and Hessian in the coefficients of the directions, summed over the samples.

    Args:
        network: a stack of n networks for whose layers there are rules; it holds theta.
        deltas: how the parameters change, shaped as they are.
        directions: for each layer with parameters, in order, the direction that it moves along, from 0 up; the same
            number for all of them takes the network as one.
        inputs: shape (samples, space..., channels), seen by every network.
        labels: of those that count, shape (samples - skipped,).
        skipped: how many first samples only lend their statistics to batch normalisation.

    Returns:
        Shapes (n,), (n, directions), (n, directions, directions), float64.
    """
    networks, count = len(next(iter(deltas.values()))), max(directions) + 1
    passed: list[Passed] = []
    values = inputs.unsqueeze(0).expand(networks, *inputs.shape)
    values, moved = _push(network, "", values, None, deltas, iter(directions), passed)
    assert moved is not None, "a network that `applies` has layers with parameters"
    logits, tangents = values[:, skipped:], moved[:, :, skipped:]
    targets = labels.expand(networks, -1)
    losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(networks, -1)
    adjoints = torch.autograd.grad(losses.sum(), [logits, *(item.outputs for item in passed)])
    chances = logits.detach().softmax(-1).unsqueeze(1)
    centred = tangents - (chances * tangents).sum(-1, keepdim=True)  # what moves all logits alike costs nothing
    hessian = torch.bmm((chances * centred).flatten(2), centred.flatten(2).transpose(1, 2)).double()
    for item, adjoint in zip(passed, adjoints[1:], strict=True):
        bent = RULES[type(item.layer)].pair(item.layer, item.inputs, item.tangents, item.change, adjoint)
        if bent is not None:
            hessian[:, : bent.shape[1], : bent.shape[1]] += bent
    slope = (tangents * adjoints[0].unsqueeze(1)).flatten(2).sum(2, dtype=torch.float64)
    return losses.detach().sum(1, dtype=torch.float64), slope[:, :count], hessian


def _push(
    module: nn.Module,
    name: str,
    values: Tensor,
    tangents: Tensor | None,
    deltas: Parameters,
    directions: Iterator[int],
    passed: list[Passed],
) -> tuple[Tensor, Tensor | None]:
    """What comes out of a module, and its tangents; None as long as no layer with parameters has been met."""
    if type(module) in (nn.Sequential, layers.Residual):
        outputs, moved = values, tangents
        for part, inside in module.named_children():
            outputs, moved = _push(inside, f"{name}.{part}".lstrip("."), outputs, moved, deltas, directions, passed)
        if not isinstance(module, layers.Residual):
            return outputs, moved
        channels = outputs.shape[2]
        if tangents is not None and moved is not None:
            through = tangents_of_images(tangents, lambda images: module.shortcut(images, channels))
            moved = torch.cat([moved[: len(through)] + through, moved[len(through) :]])
        return outputs + module.shortcut(values, channels), moved
    change = None
    if isinstance(module, layers.Layer):
        change = Change(next(directions), deltas[f"{name}.weight"], deltas.get(f"{name}.bias"))
    moved = RULES[type(module)].push(module, values.detach(), tangents, change)
    outputs = module(values)
    if change is not None and not outputs.requires_grad:
        outputs.requires_grad_()
    if tangents is not None:
        passed.append(Passed(module, values.detach(), tangents, change, outputs))
    return outputs, moved
