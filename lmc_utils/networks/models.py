"""Network architectures built from stacked layers; a single network is a stack of one."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from lmc_utils.networks import layers, normalisation
from lmc_utils.settings import Allowed, ParameterError, Settings, at_least, each, one_of, parameter, require

Parts = dict[str, nn.Module]
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}
NORMS: dict[str, Callable[..., nn.Module | None]] = {  # from a design and channels
    "none": lambda design, channels: None,
    "batch": lambda design, channels: normalisation.BatchNorm(1, channels),
    "group": lambda design, channels: normalisation.GroupNorm(1, channels, design.norm_groups),
    "layer": lambda design, channels: normalisation.LayerNorm(1, channels),
}
VGG11 = (1, None, 2, None, 4, 4, None, 8, 8, None, 8, 8, None)
"""Channels of each convolution, in first widths, and None for pooling (Simonyan and Zisserman 2015, table 1, A)."""

Builder = Callable[["Architecture", tuple[int, ...], int], nn.Module]


@dataclass(frozen=True)
class RegisteredNetwork:
    """An architecture available by name.

    Attributes:
        build: function that builds it.
        halvings: returns for a design how often it halves the space of its samples.
        stage: whether `widths` must be one number, the width of the first stage.
    """

    build: Builder
    halvings: Callable[..., int]
    stage: bool


BUILDERS: dict[str, RegisteredNetwork] = {}


def register_network(halvings: Callable[..., int], stage: bool = False) -> Callable[[Builder], Builder]:
    """Decorator that registers a function as the builder of the architecture with its name, see `RegisteredNetwork`."""

    def register(build: Builder) -> Builder:
        BUILDERS[build.__name__] = RegisteredNetwork(build, halvings, stage)
        return build

    return register


@dataclass(frozen=True)
class Architecture(Settings):
    """Settings of the network architecture.

    >>> Architecture(widths=[64, -1])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: widths must be a non-empty list of values >= 1 (got [64, -1])
    """

    architecture: str = parameter(
        "mlp",
        "network architecture",
        one_of(BUILDERS),
    )
    widths: tuple[int, ...] = parameter(
        (64, 64, 64),
        "units (mlp) or channels (cnn) of each hidden layer",
        each(at_least(1)),
        also="for resnet8, resnet20, vgg11 one number, the channels of the first stage",
    )
    activation: str = parameter("relu", "activation function of the hidden layers", one_of(ACTIVATIONS))
    norm: str = parameter("none", "normalisation before each activation", one_of(NORMS))
    norm_groups: int = parameter(1, "groups of channels in group normalisation", at_least(1))
    dropout: float = parameter(
        0.0,
        "dropout probability before the output layer",
        Allowed(">= 0 and < 1", lambda value: 0 <= value < 1),
    )

    def check(self) -> None:
        name, given = self.architecture, list(self.widths)
        if BUILDERS[name].stage:
            expected = f"one number for {name}: the channels of its first stage, e.g. [8]"
            require(len(given) == 1, "widths", expected, given)
        if self.norm == "group":
            divides = not any(width % self.norm_groups for width in given)
            require(divides, "norm_groups", f"a divisor of every width in {given}", self.norm_groups)

    def require_fit(self, shape: Sequence[int]) -> None:
        """Raise ParameterError unless the network can take samples of this shape, (space..., channels)."""
        halvings, spatial = BUILDERS[self.architecture].halvings(self), shape[:-1]
        if not halvings:
            return
        if len(spatial) not in (1, 2):
            line = f"a {self.architecture} needs samples with one or two spatial axes and channels"
            raise ParameterError(f"architecture: {line} (got the shape {tuple(shape)})")
        least = 2 ** (halvings - 1) + 1
        if min(spatial) < least:
            raise ParameterError(
                f"architecture: samples of {' x '.join(map(str, spatial))} are too small for {self.architecture}, "
                f"which halves them {halvings} times and needs at least {least}"
            )


def build(design: Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build a stack of one network with zero parameters; `stack.initialise` draws initial ones for any number.

    Args:
        design: the architecture.
        input_shape: shape of one sample, (space..., channels).
        classes: the number of outputs.

    Raises:
        ParameterError: the samples have no spatial axes, or too small ones.

    >>> from lmc_utils.networks.stack import flatten, initialise
    >>> flatten(initialise(build(Architecture(), (40, 1), 10), seeds=[0])).shape  # 40-64-64-64-10
    torch.Size([1, 11594])
    """
    design.require_fit(input_shape)
    return BUILDERS[design.architecture].build(design, input_shape, classes)


@register_network(halvings=lambda design: 0)
def mlp(design: Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Multilayer perceptron on the flattened input; layers are named linear1, linear2, ..."""
    parts: Parts = {"flatten": layers.Flatten()}
    fan_in = math.prod(input_shape)
    for depth, width in enumerate(design.widths, start=1):
        parts[f"linear{depth}"] = layers.Linear(1, fan_in, width)
        parts |= _after(design, depth, width)
        fan_in = width
    parts |= _dropout(design)
    parts[f"linear{len(design.widths) + 1}"] = layers.Linear(1, fan_in, classes)
    return nn.Sequential(OrderedDict(parts))


@register_network(halvings=lambda design: len(design.widths))
def cnn(design: Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Convolutional network: stride 2, kernel sizes 5, 3, 3, ..., then a linear layer on the flattened activations.

    Layers are named conv1, conv2, ... and linear.
    """
    *spatial, channels = input_shape
    parts: Parts = {"images": layers.Images()}
    for depth, width in enumerate(design.widths, start=1):
        kernel = 5 if depth == 1 else 3
        parts[f"conv{depth}"] = _conv(design, len(spatial), channels, width, stride=2, kernel=kernel)
        parts |= _after(design, depth, width)
        channels, spatial = width, [(size + 1) // 2 for size in spatial]
    parts["vectors"] = layers.Vectors()
    parts |= _dropout(design)
    parts["linear"] = layers.Linear(1, math.prod(spatial) * channels, classes)
    return nn.Sequential(OrderedDict(parts))


@register_network(halvings=lambda design: 2, stage=True)
def resnet8(design: Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """A residual network of three stages of one block each, see `_resnet`."""
    return _resnet(design, input_shape, classes, blocks=1)


@register_network(halvings=lambda design: 2, stage=True)
def resnet20(design: Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """A residual network of three stages of three blocks each, see `_resnet`; of width 16 that of He et al. (2016)."""
    return _resnet(design, input_shape, classes, blocks=3)


@register_network(halvings=lambda design: VGG11.count(None), stage=True)
def vgg11(design: Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """VGG-11 with one linear layer instead of three, as is usual for images of 32 x 32.

    Layers are named conv1 to conv8 and linear; with width 64 the convolutions are those of Simonyan and Zisserman
    (2015).
    """
    *spatial, channels = input_shape
    parts: Parts = {"images": layers.Images()}
    depth = 0
    for place, times in enumerate(VGG11):
        if times is None:
            parts[f"pool{place}"] = layers.MaxPool()
            spatial = [(size + 1) // 2 for size in spatial]
            continue
        depth, width = depth + 1, times * design.widths[0]
        parts[f"conv{depth}"] = _conv(design, len(spatial), channels, width)
        parts |= _after(design, depth, width)
        channels = width
    parts["vectors"] = layers.Vectors()
    parts |= _dropout(design)
    parts["linear"] = layers.Linear(1, math.prod(spatial) * channels, classes)
    return nn.Sequential(OrderedDict(parts))


def _resnet(design: Architecture, input_shape: tuple[int, ...], classes: int, blocks: int) -> nn.Module:
    """A residual network for small images (He et al. 2016, section 4.2): w, 2w, 4w channels in three stages.

    Layers are named conv0, then conv1 and conv2 within block1, block2, ..., and linear. Without normalisation, the last
    convolution of each block is initialised to zero; otherwise initial activations of deep networks would be far too
    large.
    """
    *spatial, channels = input_shape
    axes, width = len(spatial), design.widths[0]
    parts: Parts = {"images": layers.Images(), "conv0": _conv(design, axes, channels, width)}
    parts |= _after(design, 0, width)
    channels = width
    for depth in range(3 * blocks):
        width, stride = design.widths[0] * 2 ** (depth // blocks), 2 if depth and depth % blocks == 0 else 1
        inner: Parts = {"conv1": _conv(design, axes, channels, width, stride)}
        inner |= _after(design, 1, width)
        inner["conv2"] = _conv(design, axes, width, width, silent=design.norm == "none")
        inner |= _norm(design, 2, width)
        parts[f"block{depth + 1}"] = layers.Residual(inner, stride)
        parts[f"{design.activation}{depth + 1}"] = ACTIVATIONS[design.activation]()
        channels = width
    parts["mean"] = layers.SpaceMean()
    parts |= _dropout(design)
    parts["linear"] = layers.Linear(1, channels, classes)
    return nn.Sequential(OrderedDict(parts))


def _conv(
    design: Architecture, axes: int, fan_in: int, width: int, stride: int = 1, kernel: int = 3, silent: bool = False
) -> layers.Conv:
    return layers.Conv(
        1, spatial_axes=axes, kernel=kernel, stride=stride, channels_in=fan_in, channels_out=width,
        bias=design.norm == "none", silent=silent,
    )  # fmt: skip


def _dropout(design: Architecture) -> Parts:
    return {"dropout": layers.Dropout(design.dropout)} if design.dropout else {}


def _norm(design: Architecture, depth: int, width: int) -> Parts:
    norm = NORMS[design.norm](design, width)
    return {} if norm is None else {f"norm{depth}": norm}


def _after(design: Architecture, depth: int, width: int) -> Parts:
    return _norm(design, depth, width) | {f"{design.activation}{depth}": ACTIVATIONS[design.activation]()}
