"""Permutation symmetries of any PyTorch module, derived from its forward pass.

`torch.export` records the forward pass on one batch as a graph of operations of torch (`torch.fx`), whatever modules,
functions or methods the code is written in. `channel_rules` and `channel_shape_rules` define for each operation which
axes must be permuted together. For an operation without a rule, all its inputs and outputs keep their order, which is
always safe.
"""

from __future__ import annotations

import contextlib
import copy
import io
import linecache
import logging
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import InputKind
from torch.utils import _pytree as pytree

from lmc_utils.connect.alignment import channel_rules, channel_shape_rules
from lmc_utils.connect.alignment.channel_operation import Operation, Traced, tie
from lmc_utils.formatting import one_line
from lmc_utils.measure.batches import Batch
from lmc_utils.measure.module_state import statistics
from lmc_utils.networks.axis_groups import FIXED, Axis, AxisGroups, Segment
from lmc_utils.networks.permutation_symmetry import permuting
from lmc_utils.settings import ParameterError


@dataclass(frozen=True)
class AffineLayer:
    """A fully connected, convolutional or transposed convolutional operation of the graph.

    Attributes:
        place: the name of the module that contains it.
        weight, bias: the names of its parameters; None if missing or computed.
        channel_axis: the channel axis of its output.
        filter_axis: the axis of its weight that corresponds to output channels.
        calls: the number of operations in the graph that use the weight or the bias.
        normalised: whether its output goes only to a batch normalisation with running statistics.
        reads_out: whether its output reaches the network's output without passing another affine layer.
    """

    place: str
    weight: str | None
    bias: str | None
    channel_axis: int
    filter_axis: int
    calls: int
    normalised: bool
    reads_out: bool


@dataclass(frozen=True)
class ChannelGraph:
    """The channels of a module, as used in its forward pass.

    Attributes:
        axes: the permutation groups on each axis of each parameter and running statistic, as
            `networks.permutation_symmetry.axes` returns them for stacks.
        in_order: operations without a rule, such as "lstm at 'encoder'", whose channels keep their order.
        layers: fully connected, convolutional and transposed convolutional operations, in execution order.
    """

    axes: dict[str, tuple[Axis, ...]]
    in_order: tuple[str, ...]
    layers: tuple[AffineLayer, ...]


def read(module: nn.Module, batch: Batch, *, asked: str = "align") -> ChannelGraph:
    """Find the axes that permute together, from the forward pass of a module in evaluation mode.

    Inputs, outputs, and buffers other than the running statistics of torch's normalisations keep their order.

    Args:
        module: any module; not changed.
        batch: samples; only their shapes and types matter.
        asked: the option that needs this, for messages.

    Returns:
        The axes of all parameters and running statistics; those that the forward pass does not use keep their order.

    Raises:
        ParameterError: a forward pass that cannot be recorded, because it depends on input values.

    >>> network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3))
    >>> read(network, Batch(torch.randn(6, 1, 4, 4), None, 6)).axes["3.weight"]
    ((), (Segment(group='0', size=5, repeats=4),))
    """
    program = _recorded(module, batch, asked)
    groups, own = AxisGroups(), _canonical_names(module)
    permutable = {*dict(module.named_parameters()), *statistics(module)}
    axes: dict[str, tuple[Axis, ...]] = {}
    traced: dict[fx.Node, Any] = {}
    used: set[str] = set()
    in_order: dict[str, None] = {}
    sources = {each.arg.name: each for each in program.graph_signature.input_specs if hasattr(each.arg, "name")}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            source = sources[node.name]
            name = own.get((source.target or "").removeprefix(_PREFIX), "")
            if source.kind in (InputKind.PARAMETER, InputKind.BUFFER) and name in permutable:
                shape = _shape(node.meta["val"], node, asked)
                axes.setdefault(name, tuple(_own_axis(name, axis, size) for axis, size in enumerate(shape)))
                traced[node] = Traced(axes[name])
                used |= {name} if node.users else set()
            else:
                traced[node] = _ordered(node, asked)
        elif node.op == "output":
            _fix(groups, pytree.tree_map_only(fx.Node, traced.get, node.args))
        else:
            given = pytree.tree_map_only(fx.Node, traced.get, (node.args, dict(node.kwargs)))
            operation = Operation(node.target, given[0], given[1], groups, _ordered(node, asked))
            traced[node] = tie(operation)
            if operation.unknown:
                in_order[f"{operation.name}{_at(node)}"] = None
    for name in axes.keys() - used:
        _fix(groups, Traced(axes[name]))
    settled = {
        name: tuple(permuting(_of_several(groups.settled(axis))) for axis in each) for name, each in axes.items()
    }
    return ChannelGraph(settled, tuple(in_order), _affine_layers(program, own))


_PREFIX = "module."
_RULES = (channel_rules, channel_shape_rules)  # which register themselves
_TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
_AFFINE = ("linear", "conv1d", "conv2d", "conv3d", *_TRANSPOSED)


class _Forward(nn.Module):
    """A module as a function from the tensors in its inputs to the tensors in its output."""

    def __init__(self, module: nn.Module, batch: Batch) -> None:
        super().__init__()
        self.module = module
        self._leaves, self._structure = pytree.tree_flatten(batch.inputs)

    def tensors(self) -> tuple[Tensor, ...]:
        return tuple(each for each in self._leaves if isinstance(each, Tensor))

    def forward(self, *tensors: Tensor) -> list[Tensor]:
        given = iter(tensors)
        leaves = [next(given) if isinstance(each, Tensor) else each for each in self._leaves]
        output = Batch(pytree.tree_unflatten(leaves, self._structure), None, 0).run(self.module)
        return list(_tensors_of(output))


def _tensors_of(value: Any) -> Iterator[Tensor]:
    if is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, each.name) for each in fields(value)]
    for each in pytree.tree_leaves(dict(value) if isinstance(value, dict) else value):
        if isinstance(each, Tensor):
            yield each
        elif is_dataclass(each):
            yield from _tensors_of(each)
        elif not isinstance(each, (type(None), bool, int, float, str)):
            raise TypeError(f"an output of type {type(each).__name__}, in which tensors are not found")


def _recorded(module: nn.Module, batch: Batch, asked: str) -> torch.export.ExportedProgram:
    forward = _Forward(copy.deepcopy(module), batch).eval()
    try:
        with _silent(), torch.no_grad():
            return torch.export.export(forward, forward.tensors(), strict=False)
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}", 160)
        raise ParameterError(
            f"{asked}: the forward pass cannot be traced{_line_of_user(error)} ({reason}); it must not depend "
            "on values of its input"
        ) from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Suppress the warnings and graphs that torch prints beside its exceptions."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _line_of_user(error: Exception) -> str:
    """The last line of code outside torch and this package that an exception came through."""
    ours = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        line = linecache.getline(frame.filename, frame.lineno or 0).strip()
        if line and not frame.filename.startswith(ours) and "importlib" not in frame.filename:
            return f" at `{one_line(line, 80)}` ({Path(frame.filename).name}, line {frame.lineno})"
    return ""


def _canonical_names(module: nn.Module) -> dict[str, str]:
    """The first name of the tensor, for each name of a parameter or buffer."""
    first: dict[int, str] = {}
    result: dict[str, str] = {}
    for each in (module.named_parameters, module.named_buffers):
        for name, value in each(remove_duplicate=False):
            result[name] = first.setdefault(id(value), name)
    return result


def _own_axis(name: str, axis: int, size: int) -> Axis:
    """The initial axis of a parameter: a group named after its layer."""
    layer, _, parameter = name.rpartition(".")
    outputs = axis == 0 and parameter == "weight" and layer
    return (Segment(layer if outputs else f"{name}[{axis}]", size) if size > 1 else Segment(FIXED, size),)


def _of_several(axis: Axis) -> Axis:
    """Fix groups with a single channel."""
    return tuple(each if each.size > 1 else Segment(FIXED, each.repeats) for each in axis)


def _ordered(node: fx.Node, asked: str) -> Any:
    """The results of a node with all axes fixed; None for results other than tensors."""

    def of_one(value: Any) -> Traced | None:
        if not isinstance(value, Tensor):
            return None
        return Traced(tuple((Segment(FIXED, size),) for size in _shape(value, node, asked)))

    return pytree.tree_map(of_one, node.meta.get("val"))


def _shape(value: Tensor, node: fx.Node, asked: str) -> tuple[int, ...]:
    if not all(isinstance(size, int) for size in value.shape):
        raise ParameterError(f"{asked}: {node.name}{_at(node)} has a shape that depends on values of the input")
    return tuple(value.shape)


def _fix(groups: AxisGroups, value: Any) -> None:
    for each in pytree.tree_leaves(value):
        if isinstance(each, Traced):
            for axis in each.axes:
                groups.fix(axis)


def _at(node: fx.Node) -> str:
    place = _place(node)
    return f" at '{place}'" if place else ""


def _place(node: fx.Node) -> str:
    """The name of the module whose forward pass contains this operation."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]).removeprefix("module").lstrip(".") if stack else ""


def _affine_layers(program: torch.export.ExportedProgram, own: dict[str, str]) -> tuple[AffineLayer, ...]:
    names = {
        each.arg.name: own.get((each.target or "").removeprefix(_PREFIX))
        for each in program.graph_signature.input_specs
        if each.kind == InputKind.PARAMETER
    }
    uses: dict[str, int] = {}
    for node in program.graph.nodes:
        for name in {name for each in node.all_input_nodes if (name := names.get(each.name))}:
            uses[name] = uses.get(name, 0) + 1
    found = []
    ends: set[fx.Node] = set()  # nodes from which the output is reached without an affine layer between
    for node in reversed(program.graph.nodes):
        affine = _name(node) in _AFFINE
        reads_out = any(user in ends or user.op == "output" for user in node.users)
        if reads_out and not affine:
            ends.add(node)
        if affine:
            weight, bias = (
                names.get(each.name) if isinstance(each, fx.Node) else None for each in (*node.args, None)[1:3]
            )
            space = 0 if _name(node) == "linear" else int(_name(node)[-2])
            found.append(
                AffineLayer(
                    _place(node), weight, bias, -1 - space, int(_name(node) in _TRANSPOSED),
                    max(uses.get(name, 0) for name in (weight or "", bias or "")),
                    _only_normalised(node), reads_out,
                )
            )  # fmt: skip
    return tuple(reversed(found))


def _only_normalised(node: fx.Node) -> bool:
    users = list(node.users)
    return len(users) == 1 and _name(users[0]) == "batch_norm" and users[0].args[3] is not None


def _name(node: fx.Node) -> str:
    schema = getattr(node.target, "_schema", None)
    return schema.name.removeprefix("aten::") if schema is not None else ""
