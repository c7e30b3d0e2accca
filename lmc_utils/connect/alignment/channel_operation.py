"""One operation of a recorded forward pass, and the table of rules that say which axes it ties.

A rule returns the axes of the result and ties those of the arguments, so that permuted arguments give the permuted
result. An operation without a rule keeps the order of all that it takes and gives.
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
    """A tensor of the graph: of each axis, what it is made of."""

    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(length, self.axes))


@dataclass
class Operation:
    """A node of the graph.

    Attributes:
        target: an operation of torch, or another function.
        positional, named: its arguments, `Traced` where they are tensors.
        groups: to be tied.
        ordered: its results, with all axes in order.
        unknown: whether it has no rule, and ties tensors whose axes might permute.
    """

    target: Any
    positional: tuple[Any, ...]
    named: dict[str, Any]
    groups: AxisGroups
    ordered: Any
    unknown: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """As torch calls it, without the mark of what works in place."""
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
        """These axes keep their order."""
        for axis in axes:
            self.groups.fix(axis)

    def join(self, axis: Axis, *parameters: Traced | None) -> None:
        """Vectors, where they are given, permute as an axis does."""
        for each in parameters:
            if each is not None:
                self.groups.join(axis, each.axes[0])


Rule = Callable[[Operation], Any]
_RULES: dict[str, Rule] = {}
ELEMENTWISE = "elementwise"
"""The rule of all operations that torch tags as pointwise."""


def tie(operation: Operation) -> Any:
    """The axes of what an operation gives, after those of its arguments are tied."""
    if operation.name == "getitem":
        return operation.positional[0][operation.positional[1]]
    rule = _rule(operation)
    if rule is not None:
        with contextlib.suppress(LookupError, ValueError):  # an overload that the rule does not fit
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
    """An operation of which nothing is known: all that it takes and gives keeps its order."""
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
    """Each entry of an axis as so many neighbours."""
    return tuple(
        Segment(FIXED, each.size * each.repeats * times)
        if each.group == FIXED
        else each._replace(repeats=each.repeats * times)
        for each in axis
    )
