"""How each kind of layer treats tangents, and what its second derivative is: the rules of Taylor mode.

Shapes are those of `measure.tangents`.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn import grad as gradients

from lmc_utils.measure.norm_rules import Batch, Normal
from lmc_utils.measure.tangents import Change, beside, crossed, gram, joined, met, tangents_of_images
from lmc_utils.networks import layers, normalisation


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


class Affine:
    """y = x W + b, of vectors."""

    @staticmethod
    def push(layer: layers.Linear, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
        """Tangents at the output: those at the input through W, and x dW + db for the layer's own direction."""
        assert change.bias is not None
        own = torch.baddbmm(change.bias, inputs, change.weight)
        if tangents is None:
            return joined(None, own, change)
        moved = torch.bmm(tangents.flatten(1, 2), layer.weight)
        return joined(moved.view(*tangents.shape[:3], -1), own, change)

    @staticmethod
    def pair(layer: layers.Linear, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        """y is bilinear in x and W, so directions l and k meet in (tangent of x along l) dW_k and the reverse."""
        worth = torch.bmm(adjoint, change.weight.transpose(1, 2)).flatten(1)
        return crossed(torch.bmm(worth.unsqueeze(1), tangents.flatten(2).transpose(1, 2)).squeeze(1), change)


class Convolution:
    """y = the convolution of images x with W, plus b; bilinear in x and W as an affine map is."""

    @staticmethod
    def push(layer: layers.Conv, inputs: Tensor, tangents: Tensor | None, change: Change) -> Tensor:
        own = layer.convolved(inputs, change.weight, change.bias)
        if tangents is None:
            return joined(None, own, change)
        moved = tangents_of_images(tangents, lambda images: layer.convolved(images, layer.weight, None))
        return joined(moved, own, change)

    @staticmethod
    def pair(layer: layers.Conv, inputs: Tensor, tangents: Tensor, change: Change, adjoint: Tensor) -> Tensor:
        transpose = gradients.conv1d_input if inputs.dim() == 4 else gradients.conv2d_input
        kernel = change.weight.flatten(0, 1)
        shape, image = inputs.flatten(1, 2).shape, adjoint.flatten(1, 2)
        options = (layer.stride, kernel.shape[-1] // 2, 1, len(change.weight))
        worth: Tensor = transpose(shape, kernel, image, *options)  # type: ignore[no-untyped-call]
        return crossed(met(tangents, worth.view(inputs.shape)), change)


class Elementwise:
    """y = s(x), entry by entry."""

    @staticmethod
    def push(layer: nn.Module, inputs: Tensor, tangents: Tensor | None, change: None) -> Tensor | None:
        return None if tangents is None else tangents * beside(Elementwise.derivatives(layer, inputs)[0])

    @staticmethod
    def pair(layer: nn.Module, inputs: Tensor, tangents: Tensor, change: None, adjoint: Tensor) -> Tensor | None:
        second = Elementwise.derivatives(layer, inputs)[1]
        return None if second is None else gram(tangents * beside(adjoint * second), tangents)

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


RULES: dict[type[nn.Module], type[Rule]] = {
    layers.Linear: Affine,
    layers.Conv: Convolution,
    normalisation.LayerNorm: Normal,
    normalisation.GroupNorm: Normal,
    normalisation.BatchNorm: Batch,
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
