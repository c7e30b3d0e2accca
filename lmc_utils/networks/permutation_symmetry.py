"""Which axes of a network's parameters can be permuted together without a change of what it computes.

Hidden channels have no order of their own. If one permutes those of one layer, and the axes of all parameters that
meet them, has the same network under another parameter vector. In a residual network all layers that are added to one
another share their permutation; where a shortcut fills up with channels of zeros, the new ones have one of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lmc_utils.networks import layers, normalisation, stack
from lmc_utils.networks.layers import Parameters
from lmc_utils.settings import ParameterError

_PASSING = (layers.Flatten, layers.Images, layers.Vectors, layers.SpaceMean, layers.MaxPool, layers.Dropout)
_ELEMENTWISE = (nn.ReLU, nn.GELU, nn.Tanh, nn.SiLU, nn.LeakyReLU, nn.ELU, nn.Sigmoid, nn.Identity, nn.Flatten)
_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_POOLING = tuple(
    getattr(nn, f"{kind}{axes}d")
    for kind in ("MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool")
    for axes in (1, 2, 3)
)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Segment(NamedTuple):
    """Neighbours on an axis that permute as one group does.

    Attributes:
        group: its name, that of the layer where its channels begin.
        size: how many channels it has.
        repeats: how many neighbours on the axis belong to each channel.
    """

    group: str
    size: int
    repeats: int = 1


Axis = tuple[Segment, ...]
"""What an axis is made of, in order; empty where nothing on it permutes."""


def axes(network: nn.Module) -> dict[str, tuple[Axis, ...]]:
    """For each parameter and buffer of a network, what each of its axes permutes with, that of the networks left out.

    Inputs and outputs keep their order, and so do channels under a group normalisation of several groups.

    Args:
        network: a stack, or a sequence of torch's own layers, whose parameters have no network axis.

    Raises:
        ParameterError: the network holds a layer that this function does not know.

    >>> from lmc_utils.networks.layers import Linear
    >>> axes(nn.Sequential(Linear(1, 3, 5), nn.ReLU(), Linear(1, 5, 2)))["2.weight"]
    ((Segment(group='0', size=5, repeats=1),), ())
    """
    seen = _seen(network)
    return {name: tuple(_settled(axis, seen.same) for axis in each) for name, each in seen.axes.items()}


def channels(network: nn.Module) -> dict[str, Axis]:
    """What the channels permute with that each part of a network puts out; empty where they keep their order.

    Raises:
        ParameterError: as for `axes`.

    >>> from lmc_utils.networks.layers import Linear
    >>> channels(nn.Sequential(Linear(1, 3, 5), nn.ReLU(), Linear(1, 5, 2)))["1"]
    (Segment(group='0', size=5, repeats=1),)
    """
    seen = _seen(network)
    return {name: _settled(axis, seen.same) for name, axis in seen.outputs.items()}


def groups(network: nn.Module) -> dict[str, int]:
    """How many channels each group has that permutes by itself.

    >>> from lmc_utils.networks.models import Architecture, build
    >>> groups(build(Architecture(architecture="resnet8", widths=(8,)), (40, 1), 10))
    {'conv0': 8, 'block1.conv1': 8, 'block2.conv1': 16, 'block2': 8, 'block3.conv1': 32, 'block3': 16}
    """
    return {part.group: part.size for each in axes(network).values() for axis in each for part in axis}


def permuted(values: Parameters, network: nn.Module, permutations: Mapping[str, Tensor]) -> Parameters:
    """Parameters and buffers whose channel i is what channel permutations[group][i] was.

    Args:
        values: of stacked networks, see `stack.unflatten`.
        network: any stack of the architecture.
        permutations: of each group that is to be permuted, shape (channels,), the same for all networks.
    """
    result = dict(values)
    for name, each in axes(network).items():
        for place, axis in enumerate(each, start=1):
            if name in result and any(part.group in permutations for part in axis):
                result[name] = result[name].index_select(place, _order(axis, permutations))
    return result


def _order(axis: Axis, permutations: Mapping[str, Tensor]) -> Tensor:
    parts, start = [], 0
    for group, size, repeats in axis:
        order = permutations.get(group, torch.arange(size))
        parts.append(start + (order[:, None] * repeats + torch.arange(repeats)).flatten())
        start += size * repeats
    return torch.cat(parts)


def _settled(axis: Axis, same: Mapping[str, Axis]) -> Axis:
    """An axis in terms of the groups that are left; empty if a part of it has to keep its order."""
    parts: list[Segment] = []
    for segment in axis:
        known = same.get(segment.group)
        if known is None:
            parts.append(segment)
            continue
        inner = _settled(known, same)
        if not inner:
            return ()
        parts += [Segment(part.group, part.size, segment.repeats) for part in inner]
    return tuple(parts)


@dataclass
class _Seen:
    """What a walk through a network notes: of each parameter its axes, of each part the channels at its output.

    `same` says what a group turned out to be.
    """

    axes: dict[str, tuple[Axis, ...]] = field(default_factory=dict)
    outputs: dict[str, Axis] = field(default_factory=dict)
    same: dict[str, Axis] = field(default_factory=dict)


def _seen(network: nn.Module) -> _Seen:
    seen = _Seen()
    outputs = _walk(network, "", (), seen)
    seen.same |= {segment.group: () for segment in _settled(outputs, seen.same)}
    return seen


def _walk(layer: nn.Module, name: str, channels: Axis, seen: _Seen) -> Axis:
    """Note what the axes of a layer are, given its channels at the input; those at its output."""
    seen.outputs[name] = _through(layer, name, channels, seen)
    return seen.outputs[name]


def _through(layer: nn.Module, name: str, channels: Axis, seen: _Seen) -> Axis:
    if isinstance(layer, nn.Sequential):  # a residual block, too
        after = channels
        for part, inside in layer.named_children():
            after = _walk(inside, f"{name}.{part}".lstrip("."), after, seen)
        if isinstance(layer, layers.Residual):
            (last,) = after
            extra = last.size - sum(segment.size for segment in _settled(channels, seen.same))
            shortcut = (*channels, Segment(name, extra)) if extra else channels
            seen.same[last.group] = shortcut if channels else ()
            return shortcut
        return after
    if isinstance(layer, layers.Conv):
        new = (Segment(name, layer.weight.shape[1]),)
        seen.axes[f"{name}.weight"] = (new, channels, *((),) * (layer.weight.dim() - 3))
        if layer.bias is not None:
            seen.axes[f"{name}.bias"] = (new,)
        return new
    if isinstance(layer, layers.Linear):
        fan_in, fan_out = layer.weight.shape[1:]
        width = sum(segment.size for segment in channels)
        before = tuple(Segment(part.group, part.size, fan_in // width) for part in channels)
        new = (Segment(name, fan_out),)
        seen.axes[f"{name}.weight"], seen.axes[f"{name}.bias"] = (before, new), ((), new)
        return new
    if isinstance(layer, normalisation.Norm):
        if isinstance(layer, normalisation.GroupNorm) and layer.groups > 1:
            seen.same |= {segment.group: () for segment in _settled(channels, seen.same)}
        own = [*layer.named_parameters(), *stack.buffers(layer).items()]
        seen.axes |= {f"{name}.{part}": (channels,) for part, _ in own}
        return channels
    if isinstance(layer, (*_PASSING, nn.ReLU, nn.GELU, nn.Tanh)):
        return channels
    if type(layer) in (*_ELEMENTWISE, *_DROPOUT, *_POOLING):
        return channels
    if type(layer) in (*_CONVOLUTIONS, *_BATCH_NORMS, nn.Linear):
        return _of_torch(layer, name, channels, seen)
    raise ParameterError(f"network: expected a sequence of known layers, got {type(layer).__name__} at '{name}'")


def _of_torch(layer: nn.Module, name: str, channels: Axis, seen: _Seen) -> Axis:
    """As `_through`, of torch's own layers, which have outputs before inputs."""
    if type(layer) in _BATCH_NORMS:
        own = [part for part, value in [*layer.named_parameters(), *layer.named_buffers()] if value.dim()]
        seen.axes |= {f"{name}.{part}".lstrip("."): (channels,) for part in own}
        return channels
    if getattr(layer, "groups", 1) > 1:
        raise ParameterError(f"network: expected convolutions of one group, got another at '{name}'")
    assert isinstance(layer.weight, Tensor), "all that come here have one"
    fan_out, fan_in = layer.weight.shape[:2]
    width = sum(segment.size for segment in channels)
    new = (Segment(name, fan_out),)
    before = tuple(Segment(part.group, part.size, fan_in // width) for part in channels)
    if width and fan_in % width:
        raise ParameterError(f"network: expected a multiple of {width} inputs at '{name}', got {fan_in}")
    seen.axes[f"{name}.weight".lstrip(".")] = (new, before, *((),) * (layer.weight.dim() - 2))
    if layer.bias is not None:
        seen.axes[f"{name}.bias".lstrip(".")] = (new,)
    return new
