"""The networks, built from the stacked layers; one network is a stack of one."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from lmc_utils.networks import layers
from lmc_utils.settings import Settings, at_least, each, one_of, parameter

Parts = dict[str, nn.Module]
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}
NORMS = ("none", "layer")

Builder = Callable[["Architecture", tuple[int, ...], int], nn.Module]


BUILDERS: dict[str, Builder] = {}


def builder(make: Builder) -> Builder:
    """Make a function that builds a network known under its own name, as an `architecture`."""
    BUILDERS[make.__name__] = make
    return make


@dataclass(frozen=True)
class Architecture(Settings):
    """Which network.

    >>> Architecture(widths=[64, -1])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: widths: expected a list of at least one, each at least 1, got [64, -1]
    """

    architecture: str = parameter("mlp", "a perceptron (mlp), or strided convolutions (cnn)", one_of(BUILDERS))
    widths: tuple[int, ...] = parameter(
        (64, 64, 64), "units (mlp) or channels (cnn) of each hidden layer", each(at_least(1))
    )
    activation: str = parameter("relu", "after each hidden layer", one_of(ACTIVATIONS))
    norm: str = parameter("none", "normalisation over the channels before each activation", one_of(NORMS))


def build(design: Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """A stack of one network with zero parameters; `stack.initialise` draws real ones for any number.

    Args:
        design: which network.
        input_shape: one sample's shape, (space..., channels).
        classes: the number of outputs.

    >>> from lmc_utils.networks.stack import flatten, initialise
    >>> flatten(initialise(build(Architecture(), (40, 1), 10), seeds=[0])).shape  # 40-64-64-64-10
    torch.Size([1, 11594])
    """
    return BUILDERS[design.architecture](design, input_shape, classes)


@builder
def mlp(design: Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Affine maps between activations, on the flattened input; layers are named linear1, linear2, ..."""
    parts: Parts = {"flatten": layers.Flatten()}
    fan_in = math.prod(input_shape)
    for depth, width in enumerate(design.widths, start=1):
        parts[f"linear{depth}"] = layers.Linear(1, fan_in, width)
        parts |= _after(design, depth, width)
        fan_in = width
    parts[f"linear{len(design.widths) + 1}"] = layers.Linear(1, fan_in, classes)
    return nn.Sequential(OrderedDict(parts))


@builder
def cnn(design: Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Convolutions of stride 2, kernel 5 then 3, 3, ..., and an affine read-out of all their last sites.

    Layers are named conv1, conv2, ... and linear.

    Raises:
        ValueError: a sample is not (space..., channels) with one or two spatial axes.
    """
    *spatial, channels = input_shape
    if len(spatial) not in (1, 2):
        raise ValueError(f"a cnn needs samples with one or two spatial axes and channels, got the shape {input_shape}")
    parts: Parts = {}
    for depth, width in enumerate(design.widths, start=1):
        kernel = 5 if depth == 1 else 3
        parts[f"conv{depth}"] = layers.Conv(1, len(spatial), kernel, 2, channels, width)
        parts |= _after(design, depth, width)
        channels, spatial = width, [(size + 1) // 2 for size in spatial]
    parts["flatten"] = layers.Flatten()
    parts["linear"] = layers.Linear(1, math.prod(spatial) * channels, classes)
    return nn.Sequential(OrderedDict(parts))


def _after(design: Architecture, depth: int, width: int) -> Parts:
    norm: Parts = {f"norm{depth}": layers.LayerNorm(1, width)} if design.norm == "layer" else {}
    return norm | {f"{design.activation}{depth}": ACTIVATIONS[design.activation]()}
