"""The shapes of tangents in Taylor mode, and what all rules do with them.

Vectors (n, samples, features) have tangents (n, directions, samples, features); images (samples, n, channels,
space...) have tangents (directions, samples, n, channels, space...), so that a convolution takes them as more samples;
Hessians are (n, directions, directions). Only directions that have met their first layer are carried: until one has,
tangents are None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


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


def tangents_of_images(tangents: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A linear function of images, applied to those of all directions as more samples."""
    return torch.unflatten(function(tangents.flatten(0, 1)), 0, tangents.shape[:2])


def beside(values: Tensor) -> Tensor:
    """Activations, or adjoints, shaped to meet their tangents."""
    return values.unsqueeze(1 if values.dim() == 3 else 0)


def rows(tangents: Tensor) -> Tensor:
    """All numbers of each tangent in a row: (n, directions, numbers)."""
    return tangents.flatten(2) if tangents.dim() == 4 else tangents.movedim(2, 0).flatten(2)


def gram(first: Tensor, second: Tensor) -> Tensor:
    return torch.bmm(rows(first), rows(second).transpose(1, 2))


def met(tangents: Tensor, worth: Tensor) -> Tensor:
    """What each direction's tangent is worth: (n, directions)."""
    product = tangents * beside(worth)
    return product.flatten(2).sum(2) if worth.dim() == 3 else product.flatten(3).sum((1, 3)).T


def joined(moved: Tensor | None, own: Tensor, change: Change) -> Tensor:
    """The tangents that a layer passes on, with those that its own change makes."""
    if moved is None:
        return beside(own)
    axis = 1 if own.dim() == 3 else 0
    if change.direction == moved.shape[axis]:
        return torch.cat([moved, beside(own)], axis)
    moved.select(axis, change.direction).add_(own)
    return moved


def crossed(meeting: Tensor, change: Change) -> Tensor:
    """A Hessian from what each direction that has been met and a layer's own give together, (networks, directions)."""
    count = meeting.shape[1]
    directions = max(count, change.direction + 1)
    hessian = meeting.new_zeros(len(meeting), directions, directions)
    hessian[:, :count, change.direction] += meeting
    hessian[:, change.direction, :count] += meeting
    return hessian
