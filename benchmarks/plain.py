"""Reference networks in plain PyTorch: one nn.Sequential of torch's own layers for each network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lmc_utils.networks import layers, normalisation, stack


class ToImages(nn.Module):
    """Move the channels first, for torch: (samples, space..., channels) to (samples, channels, space...)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.movedim(-1, 1)


class LayerNorm(nn.LayerNorm):
    """Over the channels of images, (samples, channels, space...)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.movedim(1, -1)).movedim(-1, 1)


class Residual(nn.Sequential):
    """Layers whose outputs are added to their inputs, subsampled and padded with zero channels."""

    def __init__(self, *inside: nn.Module, stride: int) -> None:
        super().__init__(*inside)
        self.stride = stride

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        read = inputs[:, :, :: self.stride] if inputs.dim() == 3 else inputs[:, :, :: self.stride, :: self.stride]
        empty = read.new_zeros(len(read), outputs.shape[1] - read.shape[1], *read.shape[2:])
        return outputs + torch.cat([read, empty], 1)


def network(design: nn.Module, theta: Tensor, buffers: Tensor | None = None) -> nn.Sequential:
    """The network with these parameters; perceptrons take flattened samples.

    Args:
        design: any stack of its architecture.
        theta: shape (parameters,).
        buffers: its running statistics, (numbers,); fresh ones by default.
    """
    kept = stack.fresh_buffers(design, 1).to(theta) if buffers is None else buffers[None]
    one = stack.bound(design, theta[None], kept)
    axes = next((layer.weight.dim() - 3 for layer in one.modules() if isinstance(layer, layers.Conv)), 0)
    with torch.no_grad():
        plain = _plain(one, axes)
    assert isinstance(plain, nn.Sequential)
    return plain


def state(design: nn.Module, theta: Tensor) -> dict[str, Tensor]:
    """A parameter vector as a state dict of `network`."""
    return {name: value.detach() for name, value in network(design, theta).named_parameters()}


def theta(network: nn.Module) -> Tensor:
    """The parameter vector of a plain network, in our order."""
    parts: list[Tensor] = []
    for layer in network.modules():
        for name, value in layer.named_parameters(recurse=False):
            parts.append(value.T if isinstance(layer, nn.Linear) and name == "weight" else value)
    return torch.cat([part.detach().flatten() for part in parts])


def buffers(network: nn.Module) -> Tensor:
    """The running statistics of a plain network, in our order."""
    kept = [(layer.running_mean, layer.running_var) for layer in network.modules() if hasattr(layer, "running_mean")]
    return torch.cat([part for both in kept for part in both]) if kept else torch.zeros(0)


def _plain(layer: nn.Module, axes: int) -> nn.Module:
    """The torch layer equivalent to a stacked layer of one network; `axes` counts spatial axes, 0 for vectors."""
    if isinstance(layer, (nn.Sequential, layers.Residual)):
        inside = [_plain(each, axes) for each in layer if not isinstance(each, layers.Flatten)]
        return Residual(*inside, stride=layer.stride) if isinstance(layer, layers.Residual) else nn.Sequential(*inside)
    if isinstance(layer, layers.Dropout):
        return nn.Dropout(layer.fraction)
    if isinstance(layer, layers.Images):
        return ToImages()
    if isinstance(layer, layers.Vectors):
        return nn.Flatten()
    if isinstance(layer, layers.SpaceMean):
        return nn.Sequential((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)[axes - 1](1), nn.Flatten())
    if isinstance(layer, layers.MaxPool):
        return (nn.MaxPool1d, nn.MaxPool2d)[axes - 1](2, ceil_mode=True)
    if not isinstance(layer, layers.Layer):
        return layer
    made = _with_parameters(layer, axes).to(layer.weight.dtype)
    for name, value in [*layer.named_parameters(), *layer.named_buffers()]:
        own = getattr(made, name)
        own.copy_((value[0].T if isinstance(layer, layers.Linear) else value[0]).reshape(own.shape))
    return made


def _with_parameters(layer: layers.Layer, axes: int) -> nn.Module:
    if isinstance(layer, layers.Linear):
        return nn.Linear(*layer.weight.shape[1:])
    if isinstance(layer, layers.Conv):
        wide, narrow, kernel = layer.weight.shape[1:4]
        made = (nn.Conv1d, nn.Conv2d)[axes - 1]
        return made(narrow, wide, kernel, layer.stride, kernel // 2, bias=layer.bias is not None)
    channels = layer.weight.shape[1]
    if isinstance(layer, normalisation.BatchNorm):
        return nn.BatchNorm2d(channels) if axes == 2 else nn.BatchNorm1d(channels)
    if isinstance(layer, normalisation.GroupNorm):
        return nn.GroupNorm(layer.groups, channels)
    return LayerNorm(channels) if axes else nn.LayerNorm(channels)
