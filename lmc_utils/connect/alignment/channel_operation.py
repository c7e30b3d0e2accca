"""Operations of a recorded forward pass, and the table of rules for their axes.

A rule ties axes of the arguments and returns those of the result, so that permuted arguments give the permuted result.
For an operation without a rule, all inputs and outputs keep their order.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch.utils import _pytree as pytree

from lmc_utils.networks.axis_groups import CONSTANT, FIXED, Axis, AxisGroups, Segment, length


@dataclass(frozen=True)
class Traced:
    """A tensor of the graph, with the segments of each axis."""

    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(length, self.axes))


@dataclass
class Operation:
    """A node of the graph.

    Attributes:
        target: an operation of torch, or another function.
        positional, named: its arguments; tensors are `Traced`.
        groups: the groups of the network, modified by rules.
        ordered: its results with all axes fixed.
        unknown: whether it has no rule, although its tensors have axes that might permute.
    """

    target: Any
    positional: tuple[Any, ...]
    named: dict[str, Any]
    groups: AxisGroups
    ordered: Any
    unknown: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """Torch's name of the operation, without the suffix of in-place variants."""
        schema = getattr(self.target, "_schema", None)
        return schema.name.removeprefix("aten::").rstrip("_") if schema is not None else _function_name(self.target)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """All arguments by their names in torch's schema, with their defaults."""
        declared = self.target._schema.arguments
        defaults = {each.name: each.default_value for each in declared if each.has_default_value()}
        given = {each.name: value for each, value in zip(declared, self.positional, strict=False)}
        return defaults | given | self.named

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def tensors(self) -> list[Traced]:
        """All tensors among the arguments."""
        return [each for each in pytree.tree_leaves((self.positional, self.named)) if isinstance(each, Traced)]

    def fix(self, *axes: Axis) -> None:
        """Require these axes to keep their order."""
        for axis in axes:
            self.groups.fix(axis)

    def join(self, axis: Axis, *parameters: Traced | None) -> None:
        """Require given vectors, such as biases, to permute like an axis."""
        for each in parameters:
            if each is not None:
                self.groups.join(axis, each.axes[0])


Rule = Callable[[Operation], Any]
_RULES: dict[str, Rule] = {}
ELEMENTWISE = "elementwise"
"""The rule of all operations that torch tags as pointwise."""


def tie(operation: Operation) -> Any:
    """Apply the rule of an operation: tie the axes of its arguments, return those of its results."""
    if operation.name == "getitem":
        return operation.positional[0][operation.positional[1]]
    rule = _rule(operation)
    if rule is not None:
        with contextlib.suppress(LookupError, ValueError):  # an overload that the rule does not cover
            return rule(operation)
    return keep_order(operation)


def _rule(operation: Operation) -> Rule | None:
    if not isinstance(operation.target, torch._ops.OpOverload) or operation.target.namespace != "aten":
        return None
    return _RULES.get(operation.name) or (_RULES[ELEMENTWISE] if _pointwise(operation) else None)


def _pointwise(operation: Operation) -> bool:
    packet = getattr(torch.ops.aten, operation.name, None)
    overload = operation.target._overloadname
    pure = getattr(packet, overload, operation.target) if packet is not None else operation.target
    tags = {*pure.tags, *operation.target.tags}
    return torch.Tag.pointwise in tags and torch.Tag.nondeterministic_seeded not in tags


def keep_order(operation: Operation) -> Any:
    """Default rule: all inputs and outputs keep their order."""
    nothing = not any(isinstance(each, Traced) for each in pytree.tree_leaves(operation.ordered))
    if nothing and operation.name in _WITHOUT_RESULT:
        return operation.ordered
    axes = [axis for each in operation.tensors() for axis in each.axes]
    settled = (segment for axis in axes for segment in operation.groups.settled(axis))
    operation.unknown = any(each.group != FIXED and not each.group.startswith(CONSTANT) for each in settled)
    operation.fix(*axes)
    return operation.ordered


_WITHOUT_RESULT = ("_assert_tensor_metadata", "sym_size", "_set_grad_enabled")


def _function_name(target: Any) -> str:
    return str(getattr(target, "__name__", target))


def rules(*names: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


def fixed(size: int) -> Axis:
    return (Segment(FIXED, size),)


def result(operation: Operation) -> Traced:
    assert isinstance(operation.ordered, Traced), "of operations with one result"
    return operation.ordered


def broadcast(operation: Operation, tensors: Sequence[Traced], shape: Sequence[int]) -> Traced:
    axes = []
    for back, size in zip(range(len(shape), 0, -1), shape, strict=True):
        meeting = [each.axes[-back] for each in tensors if len(each.axes) >= back and each.shape[-back] == size]
        for one in meeting[1:]:
            operation.groups.join(meeting[0], one)
        axes.append(meeting[0] if meeting else fixed(size))
    return Traced(tuple(axes))


def repeated(axis: Axis, times: int) -> Axis:
    """Repeat each entry of an axis so many times."""
    return tuple(
        Segment(FIXED, each.size * each.repeats * times)
        if each.group == FIXED
        else each._replace(repeats=each.repeats * times)
        for each in axis
    )
