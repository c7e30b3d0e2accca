"""Permutation symmetries of a stacked network: axes of parameters that can be permuted together.

The order of hidden channels is arbitrary. If the channels of a layer are permuted, together with the axes of all
parameters that act on them, the network computes the same function with another parameter vector. In a residual network
all layers whose outputs are added share a permutation; channels that a shortcut pads with zeros have a separate one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lmc_utils.networks import layers, normalisation, stack
from lmc_utils.networks.axis_groups import FIXED, Axis, AxisGroups, Segment
from lmc_utils.networks.layers import Parameters
from lmc_utils.settings import ParameterError

Axes = Mapping[str, tuple[Axis, ...]]
"""For each parameter and buffer, what each of its axes permutes with; empty where nothing on it permutes."""

_PASSING = (
    *(layers.Flatten, layers.Images, layers.Vectors, layers.SpaceMean, layers.MaxPool, layers.Dropout),
    *(nn.ReLU, nn.GELU, nn.Tanh),
)


def axes(network: nn.Module) -> dict[str, tuple[Axis, ...]]:
    """The permutation groups on each axis of each parameter and buffer of a stack, without the network axis.

    Inputs and outputs keep their order, and so do channels before a group normalisation with several groups. For other
    networks, `connect.alignment.channel_graph.read` returns the same.

    Raises:
        ParameterError: the network has an unsupported layer.

    >>> from lmc_utils.networks.layers import Linear
    >>> axes(nn.Sequential(Linear(1, 3, 5), nn.ReLU(), Linear(1, 5, 2)))["2.weight"]
    ((Segment(group='0', size=5, repeats=1),), ())
    """
    reading = _read(network)
    return {
        name: tuple(permuting(reading.groups.settled(axis)) for axis in each) for name, each in reading.axes.items()
    }


def channels(network: nn.Module) -> dict[str, Axis]:
    """The permutation groups of the output channels of each submodule of a stack; empty if they keep their order.

    Raises:
        ParameterError: as for `axes`.

    >>> from lmc_utils.networks.layers import Linear
    >>> channels(nn.Sequential(Linear(1, 3, 5), nn.ReLU(), Linear(1, 5, 2)))["1"]
    (Segment(group='0', size=5, repeats=1),)
    """
    reading = _read(network)
    return {name: permuting(reading.groups.settled(axis)) for name, axis in reading.outputs.items()}


def groups(axes: Axes) -> dict[str, int]:
    """The number of channels of each permutation group.

    >>> from lmc_utils.networks.models import Architecture, build
    >>> groups(axes(build(Architecture(architecture="resnet8", widths=(8,)), (40, 1), 10)))
    {'conv0': 8, 'block1.conv1': 8, 'block2.conv1': 16, 'block2': 8, 'block3.conv1': 32, 'block3': 16}
    """
    parts = (part for each in axes.values() for axis in each for part in axis)
    return {part.group: part.size for part in parts if part.group != FIXED}


def permuting(axis: Axis) -> Axis:
    """The axis, or an empty one if nothing on it can be permuted."""
    return axis if any(segment.group != FIXED for segment in axis) else ()


def permuted(values: Parameters, axes: Axes, permutations: Mapping[str, Tensor]) -> Parameters:
    """Apply permutations: new channel i is the old channel `permutations[group][i]`.

    Args:
        values: parameters and buffers of stacked networks, see `stack.unflatten`.
        axes: axes of the architecture, see `axes`.
        permutations: permutation of each group, shape (channels,), the same for all networks; missing groups keep their
            order.
    """
    result = dict(values)
    for name, each in axes.items():
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


@dataclass
class _Reading:
    """Result of traversing a stack: axes of each parameter, and output channels of each submodule.

    The channels of the input are an empty axis, whose length need not be known.
    """

    axes: dict[str, tuple[Axis, ...]] = field(default_factory=dict)
    outputs: dict[str, Axis] = field(default_factory=dict)
    groups: AxisGroups = field(default_factory=AxisGroups)


def _read(network: nn.Module) -> _Reading:
    reading = _Reading()
    reading.groups.fix(_walk(network, "", (), reading))
    return reading


def _walk(layer: nn.Module, name: str, channels: Axis, reading: _Reading) -> Axis:
    """Record the axes of a layer, given its input channels; return its output channels."""
    reading.outputs[name] = _through(layer, name, channels, reading)
    return reading.outputs[name]


def _through(layer: nn.Module, name: str, channels: Axis, reading: _Reading) -> Axis:
    if isinstance(layer, nn.Sequential):  # a residual block, too
        after = channels
        for part, inside in layer.named_children():
            after = _walk(inside, f"{name}.{part}".lstrip("."), after, reading)
        return _added(name, channels, after, reading.groups) if isinstance(layer, layers.Residual) else after
    if isinstance(layer, layers.Conv):
        new = (Segment(name, layer.weight.shape[1]),)
        reading.axes[f"{name}.weight"] = (new, channels, *((),) * (layer.weight.dim() - 3))
        if layer.bias is not None:
            reading.axes[f"{name}.bias"] = (new,)
        return new
    if isinstance(layer, layers.Linear):
        fan_in, fan_out = layer.weight.shape[1:]
        width = sum(segment.size for segment in channels)
        before = tuple(Segment(part.group, part.size, fan_in // width) for part in channels)
        new = (Segment(name, fan_out),)
        reading.axes[f"{name}.weight"], reading.axes[f"{name}.bias"] = (before, new), ((), new)
        return new
    if isinstance(layer, normalisation.Norm):
        if isinstance(layer, normalisation.GroupNorm) and layer.groups > 1:
            reading.groups.fix(channels)
        reading.axes |= {f"{name}.{part}": (channels,) for part in _own_tensors(layer)}
        return channels
    if isinstance(layer, _PASSING):
        return channels
    raise ParameterError(f"network must be a sequence of known layers (got {type(layer).__name__} at '{name}')")


def _added(name: str, channels: Axis, after: Axis, groups: AxisGroups) -> Axis:
    """The channels of a residual sum, whose shortcut may be padded with zero channels."""
    if not channels:
        groups.fix(after)
        return ()
    extra = sum(segment.size for segment in after) - sum(segment.size for segment in groups.settled(channels))
    shortcut = (*channels, Segment(name, extra)) if extra else channels
    groups.join(shortcut, after)
    return shortcut


def _own_tensors(layer: nn.Module) -> Iterator[str]:
    yield from dict(layer.named_parameters())
    yield from stack.buffers(layer)
