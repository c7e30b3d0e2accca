"""Permutation rules of operations that pad, concatenate, split, transpose and reshape tensors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from lmc_utils.connect.alignment.channel_operation import (
    Operation,
    Traced,
    broadcast,
    fixed,
    keep_order,
    repeated,
    result,
    rules,
)
from lmc_utils.networks.axis_groups import FIXED, Axis, Segment, length


@rules("pad", "constant_pad_nd")
def _pad(operation: Operation) -> Any:
    """Constant padding is invariant under permutations along its axis."""
    inputs, pads = operation["self"], operation["pad"]
    if operation.arguments.get("mode", "constant") != "constant":
        padded = len(pads) // 2
        operation.fix(*inputs.axes[len(inputs.axes) - padded :])
        return Traced((*inputs.axes[:-padded], *result(operation).axes[-padded:]))
    if any(pad < 0 for pad in pads):
        return keep_order(operation)
    axes, constant = list(inputs.axes), operation.groups.constant
    for number in range(len(pads) // 2):
        before, after = pads[2 * number : 2 * number + 2]
        axes[-1 - number] = (*constant(before), *axes[-1 - number], *constant(after))
    return Traced(tuple(axes))


@rules("zeros", "ones", "full", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full", "zero")
def _constant(operation: Operation) -> Traced:
    return Traced(tuple(operation.groups.constant(size) for size in result(operation).shape))


@rules("expand", "expand_as", "broadcast_to")
def _expand(operation: Operation) -> Traced:
    inputs, shape = operation["self"], result(operation).shape
    more = len(shape) - len(inputs.axes)
    kept = (*((),) * more, *inputs.axes)
    return Traced(
        tuple(
            axis if length(axis) == size else operation.groups.constant(size)
            for axis, size in zip(kept, shape, strict=True)
        )
    )


@rules("cat", "concat", "concatenate")
def _concatenation(operation: Operation) -> Traced:
    tensors = [each for each in operation["tensors"] if each.shape != (0,)]
    count = len(tensors[0].axes)
    along = operation["dim"] % count
    others = [Traced((*each.axes[:along], fixed(1), *each.axes[along + 1 :])) for each in tensors]
    axes = list(broadcast(operation, others, others[0].shape).axes)
    axes[along] = tuple(itertools.chain.from_iterable(each.axes[along] for each in tensors))
    return Traced(tuple(axes))


@rules("stack")
def _stack(operation: Operation) -> Traced:
    tensors, count = operation["tensors"], len(result(operation).shape)
    axes = list(broadcast(operation, tensors, tensors[0].shape).axes)
    axes.insert(operation["dim"] % count, fixed(len(tensors)))
    return Traced(tuple(axes))


@rules("chunk", "split", "split_with_sizes", "tensor_split", "unsafe_chunk", "unsafe_split", "unbind")
def _parts(operation: Operation) -> Any:
    inputs = operation["self"]
    if operation.name == "unbind":
        along = operation["dim"] % len(inputs.axes)
        operation.fix(inputs.axes[along])
        part = Traced(inputs.axes[:along] + inputs.axes[along + 1 :])
        return [part for _ in operation.ordered]
    along = operation["dim"] % len(inputs.axes)
    cuts = operation.groups.cut(inputs.axes[along], [each.shape[along] for each in operation.ordered])
    return [_with_axis(inputs, along, axis) for axis in cuts]


def _with_axis(tensor: Traced, along: int, axis: Axis) -> Traced:
    return Traced((*tensor.axes[:along], axis, *tensor.axes[along + 1 :]))


@rules("slice", "narrow")
def _slice(operation: Operation) -> Traced:
    inputs = operation["self"]
    along = operation["dim"] % len(inputs.axes)
    size, taken = inputs.shape[along], result(operation).shape[along]
    if taken == size:
        return Traced(inputs.axes)
    start = operation["start"] or 0
    if not isinstance(start, int) or operation.arguments.get("step", 1) != 1:
        operation.fix(inputs.axes[along])
        return _with_axis(inputs, along, fixed(taken))
    start = min(max(start + size if start < 0 else start, 0), size)
    axis = operation.groups.cut(inputs.axes[along], [start, taken, size - start - taken])[1]
    return _with_axis(inputs, along, axis)


@rules("select")
def _select(operation: Operation) -> Traced:
    inputs = operation["self"]
    along = operation["dim"] % len(inputs.axes)
    operation.fix(inputs.axes[along])
    return Traced(inputs.axes[:along] + inputs.axes[along + 1 :])


@rules("glu")
def _glu(operation: Operation) -> Traced:
    inputs = operation["self"]
    along = operation["dim"] % len(inputs.axes)
    half = inputs.shape[along] // 2
    values, gates = operation.groups.cut(inputs.axes[along], [half, half])
    operation.groups.join(values, gates)
    return _with_axis(inputs, along, values)


@rules("permute", "transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "movedim", "moveaxis", "adjoint")
def _transposition(operation: Operation) -> Any:
    inputs = operation["self"]
    count = len(inputs.axes)
    order = list(range(count))
    if operation.name == "permute":
        order = [dim % count for dim in operation["dims"]]
    elif operation.name in ("transpose", "swapaxes", "swapdims"):
        one, other = (value % count for name, value in operation.arguments.items() if name != "self")
        order[one], order[other] = other, one
    elif operation.name in ("movedim", "moveaxis"):
        sources, targets = (
            [dim % count for dim in (each if isinstance(each, (list, tuple)) else [each])]
            for each in (operation["source"], operation["destination"])
        )
        order = [dim for dim in order if dim not in sources]
        for target, source in sorted(zip(targets, sources, strict=True)):
            order.insert(target, source)
    elif operation.name in ("t", "numpy_T", "mT", "adjoint") and (count == 2 or operation.name in ("mT", "adjoint")):
        order[-2:] = [count - 1, count - 2]
    elif count > 1:
        return keep_order(operation)
    return Traced(tuple(inputs.axes[dim] for dim in order))


@rules("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as")
def _reshaping(operation: Operation) -> Traced:
    """Reshape blocks of axes with equal numbers of entries before and after; axes of size 1 are ignored."""
    inputs, shape = operation.tensors()[0], result(operation).shape
    if math.prod(shape) == 0 or math.prod(inputs.shape) != math.prod(shape):
        operation.fix(*inputs.axes)
        return result(operation)
    old = [axis for axis in inputs.axes if length(axis) > 1]
    sizes = [size for size in shape if size > 1]
    new: list[Axis] = []
    while old:
        block, widths = [old.pop(0)], [sizes.pop(0)]
        while (entries := math.prod(map(length, block))) != math.prod(widths):
            if entries < math.prod(widths):
                block.append(old.pop(0))
            else:
                widths.append(sizes.pop(0))
        new += _reshaped(operation, block, widths)
    return Traced(tuple(new.pop(0) if size > 1 else fixed(1) for size in shape))


def _reshaped(operation: Operation, block: list[Axis], widths: list[int]) -> list[Axis]:
    settled = [operation.groups.settled(axis) for axis in block]
    if len(widths) == 1:
        return [_merged(operation, settled)]
    inner = math.prod(widths[1:])
    if len(block) == 1 and all(_length_of_each(segment) % inner == 0 for segment in settled[0]):
        outer = tuple(
            Segment(FIXED, segment.size // inner)
            if segment.group == FIXED
            else segment._replace(repeats=segment.repeats // inner)
            for segment in settled[0]
        )
        return [outer, *map(fixed, widths[1:])]
    operation.fix(*block)
    return list(map(fixed, widths))


def _length_of_each(segment: Segment) -> int:
    """The number of consecutive entries that stay together."""
    return segment.size if segment.group == FIXED else segment.repeats


def _merged(operation: Operation, axes: Sequence[Axis]) -> Axis:
    """Several axes merged into one, of which at most one permutes."""
    moving = [number for number, axis in enumerate(axes) if any(each.group != FIXED for each in axis)]
    if len(moving) != 1:
        operation.fix(*axes)
        return fixed(math.prod(map(length, axes)))
    (number,) = moving
    before, after = (math.prod(map(length, part)) for part in (axes[:number], axes[number + 1 :]))
    return repeated(axes[number], after) * before
