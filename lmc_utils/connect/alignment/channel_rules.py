"""Permutation rules of elementwise operations, layers, normalisations, pooling and reductions.

Elementwise operations are those that torch tags as pointwise, and the few in `_SAME_AXES`.
"""

from __future__ import annotations

import itertools
from typing import Any

from torch.utils import _pytree as pytree

from lmc_utils.connect.alignment.channel_operation import (
    ELEMENTWISE,
    Operation,
    Traced,
    broadcast,
    fixed,
    keep_order,
    repeated,
    result,
    rules,
)
from lmc_utils.networks.axis_groups import Axis, length

_SAME_AXES = (
    *("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout"),
    *("detach", "contiguous", "to", "_to_copy", "type_as", "alias", "lift_fresh_copy", "clone", "copy"),
    *("hardswish", "log_sigmoid", "rsub", "fill", "masked_fill", "where", "float_power", "true_divide"),
    *("softmax", "log_softmax", "_softmax", "_log_softmax"),
    ELEMENTWISE,
)


@rules(*_SAME_AXES)
def _elementwise(operation: Operation) -> Any:
    """Axes of broadcast tensors that coincide permute together."""
    if operation.arguments.get("train") or operation.arguments.get("training"):
        return keep_order(operation)
    return broadcast(operation, operation.tensors(), result(operation).shape)


@rules("linear")
def _linear(operation: Operation) -> Traced:
    inputs, weight = operation["input"], operation["weight"]
    operation.groups.join(inputs.axes[-1], weight.axes[-1])
    if len(weight.axes) == 1:
        return Traced(inputs.axes[:-1])
    operation.join(weight.axes[0], operation["bias"])
    return Traced((*inputs.axes[:-1], weight.axes[0]))


@rules("matmul", "mm", "bmm")
def _matmul(operation: Operation) -> Any:
    one, other = operation.tensors()
    if len(one.axes) < 2 or len(other.axes) < 2:
        return keep_order(operation)
    operation.groups.join(one.axes[-1], other.axes[-2])
    batch = broadcast(operation, [Traced(one.axes[:-2]), Traced(other.axes[:-2])], result(operation).shape[:-2])
    return Traced((*batch.axes, one.axes[-2], other.axes[-1]))


@rules("addmm")
def _addmm(operation: Operation) -> Traced:
    one, other = operation["mat1"], operation["mat2"]
    operation.groups.join(one.axes[1], other.axes[0])
    product = Traced((one.axes[0], other.axes[1]))
    return broadcast(operation, [product, operation["self"]], product.shape)


@rules("einsum")
def _einsum(operation: Operation) -> Any:
    equation, tensors = operation["equation"].replace(" ", ""), operation["tensors"]
    before, arrow, after = equation.partition("->")
    if not arrow or "." in equation:
        return keep_order(operation)
    meaning: dict[str, Axis] = {}
    for letters, tensor in zip(before.split(","), tensors, strict=True):
        for letter, axis in zip(letters, tensor.axes, strict=True):
            if length(meaning.setdefault(letter, axis)) != length(axis):
                return keep_order(operation)
            operation.groups.join(meaning[letter], axis)
    return Traced(tuple(meaning[letter] for letter in after))


@rules("conv1d", "conv2d", "conv3d", "convolution")
def _convolution(operation: Operation) -> Any:
    """Channels permute within each group; in a depthwise convolution, filters follow their channel."""
    inputs, weight, groups = operation["input"], operation["weight"], operation["groups"]
    if operation.arguments.get("transposed"):
        return keep_order(operation)
    space = len(weight.axes) - 2
    before, (after, within) = inputs.axes[-1 - space], weight.axes[:2]
    operation.fix(*inputs.axes[len(inputs.axes) - space :], *weight.axes[2:])
    channels, filters = length(before), length(after)
    if groups == 1:
        operation.groups.join(before, within)
    elif groups == channels:
        operation.groups.join(repeated(before, filters // channels), after)
    else:
        operation.groups.join(before, within * groups)
        after_by_group = operation.groups.cut(after, [filters // groups] * groups)
        after = tuple(itertools.chain(*after_by_group))
    operation.join(after, operation["bias"])
    return Traced((*inputs.axes[: -1 - space], after, *map(fixed, result(operation).shape[-space:])))


@rules("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _transposed_convolution(operation: Operation) -> Any:
    inputs, weight = operation["input"], operation["weight"]
    if operation["groups"] != 1:
        return keep_order(operation)
    space = len(weight.axes) - 2
    operation.fix(*inputs.axes[len(inputs.axes) - space :], *weight.axes[2:])
    operation.groups.join(inputs.axes[-1 - space], weight.axes[0])
    operation.join(weight.axes[1], operation["bias"])
    return Traced((*inputs.axes[: -1 - space], weight.axes[1], *map(fixed, result(operation).shape[-space:])))


@rules("batch_norm", "instance_norm")
def _batch_norm(operation: Operation) -> Traced:
    """Channels are independent, whatever the statistics."""
    inputs = operation["input"]
    operation.join(inputs.axes[1], *(operation[name] for name in ("weight", "bias", "running_mean", "running_var")))
    return Traced(inputs.axes)


@rules("group_norm")
def _group_norm(operation: Operation) -> Traced:
    """Channels permute within each group."""
    inputs, groups = operation["input"], operation["num_groups"]
    channels = inputs.axes[1]
    operation.groups.cut(channels, [length(channels) // groups] * groups)
    operation.join(channels, operation["weight"], operation["bias"])
    return Traced(inputs.axes)


@rules("layer_norm", "rms_norm")
def _layer_norm(operation: Operation) -> Traced:
    inputs = operation["input"]
    parameters = [operation["weight"], operation.arguments.get("bias")]
    broadcast(operation, [inputs, *(each for each in parameters if each is not None)], inputs.shape)
    return Traced(inputs.axes)


@rules("prelu")
def _prelu(operation: Operation) -> Traced:
    inputs, weight = operation["self"], operation["weight"]
    if weight.shape != (1,) and len(inputs.axes) > 1:
        operation.join(inputs.axes[1], weight)
    return Traced(inputs.axes)


@rules("_weight_norm")
def _weight_norm(operation: Operation) -> Traced:
    return broadcast(operation, [operation["v"], operation["g"]], operation["v"].shape)


@rules("embedding")
def _embedding(operation: Operation) -> Traced:
    weight, indices = operation["weight"], operation["indices"]
    operation.fix(weight.axes[0], *indices.axes)
    return Traced((*indices.axes, weight.axes[1]))


_POOLS = [f"{kind}_pool" for kind in ("max", "avg", "adaptive_avg", "adaptive_max")]
_OVER_SPACE = (
    *(f"{pool}{space}d{more}" for pool in _POOLS for space in (1, 2, 3) for more in ("", "_with_indices")),
    *(f"upsample_{kind}" for kind in ("nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d", "trilinear3d")),
    *("upsample_bicubic2d", "_upsample_nearest_exact1d", "_upsample_nearest_exact2d"),
)


@rules(*_OVER_SPACE)
def _over_space(operation: Operation) -> Any:
    """Pooling and resizing treat all channels alike."""
    inputs = operation.tensors()[0]
    digits = [character for character in operation.name if character.isdigit()]
    channels = len(inputs.axes) - int(digits[-1])
    operation.fix(*inputs.axes[channels:])

    def of_one(ordered: Traced) -> Traced:
        return Traced((*inputs.axes[:channels], *ordered.axes[channels:]))

    return pytree.tree_map_only(Traced, of_one, operation.ordered)


_REDUCTIONS = (
    *("sum", "mean", "amax", "amin", "var", "std", "prod", "logsumexp", "any", "all"),
    *("norm", "linalg_vector_norm", "count_nonzero"),
)


@rules(*_REDUCTIONS)
def _reduction(operation: Operation) -> Any:
    """A reduction does not depend on the order along its axes."""
    inputs, dims = operation["self"], operation.arguments.get("dim")
    if not isinstance(operation.ordered, Traced) or len(operation.tensors()) != 1:
        return keep_order(operation)
    count = len(inputs.axes)
    dims = range(count) if dims is None or dims == [] else dims if isinstance(dims, (list, tuple)) else [dims]
    reduced = {dim % count for dim in dims} if count else set()
    if operation.arguments.get("keepdim"):
        return Traced(tuple(fixed(1) if dim in reduced else axis for dim, axis in enumerate(inputs.axes)))
    return Traced(tuple(axis for dim, axis in enumerate(inputs.axes) if dim not in reduced))


@rules("max", "min", "median", "mode", "kthvalue", "argmax", "argmin", "cumsum", "cumprod", "sort", "argsort", "topk")
def _along(operation: Operation) -> Any:
    """The operation depends on positions along one axis, which keeps its order; the others are unchanged."""
    inputs, dim = operation["self"], operation.arguments.get("dim")
    if dim is None or len(operation.tensors()) != 1 or not inputs.axes:
        return keep_order(operation)
    along = dim % len(inputs.axes)
    operation.fix(inputs.axes[along])

    def of_one(ordered: Traced) -> Traced:
        if len(ordered.axes) < len(inputs.axes):
            return Traced(inputs.axes[:along] + inputs.axes[along + 1 :])
        return Traced((*inputs.axes[:along], ordered.axes[along], *inputs.axes[along + 1 :]))

    return pytree.tree_map_only(Traced, of_one, operation.ordered)


@rules("flip", "roll")
def _moved_along(operation: Operation) -> Any:
    inputs, dims = operation["self"], operation["dims"]
    if not dims:
        return keep_order(operation)
    operation.fix(*(inputs.axes[dim] for dim in dims))
    return Traced(inputs.axes)
