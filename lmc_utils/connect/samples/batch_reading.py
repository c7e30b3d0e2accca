"""Find inputs and target in the items of data: tuples, dicts, records, single samples, or by a function.

Ambiguous items are rejected with a one-line error that explains how to pass `batch`, a function from an item to
(inputs, target).
"""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils import _pytree as pytree
from torch.utils.data import default_collate

from lmc_utils.connect.samples import forward_signature
from lmc_utils.connect.samples.array_conversion import is_number, is_wider, numbers_as_tensor, tensors
from lmc_utils.measure.batches import Batch, own_copy
from lmc_utils.measure.module_outputs import leaves
from lmc_utils.measure.user_code_errors import reported
from lmc_utils.settings import ParameterError

BatchFunction = Callable[[Any], tuple[Any, Any]]
"""From what data yield to inputs (a tensor, a tuple of arguments, a dict of named ones) and target."""

SAMPLES = 256  # in a batch, if data are not in batches
TARGETS = ("labels", "label", "target", "targets", "y")

_SPARSE = (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc)
_WAY_OUT = "pass batch, a function from what the data yield to (inputs, target)"


class _Parts(NamedTuple):
    """Inputs and target, and a description of how they were found; empty for one tensor each."""

    inputs: Any
    target: Any
    how: str


@dataclasses.dataclass(frozen=True)
class BatchReader:
    """Converts items of data to batches: arguments of a network, and a target.

    Attributes:
        batch: function from an item to (inputs, target); by default its form decides.
        network: used to decide whether several inputs fit its forward pass; without it they are assumed to.
        how: description of how items have been read so far.
    """

    batch: BatchFunction | None = None
    network: nn.Module | None = None
    how: dict[str, None] = dataclasses.field(default_factory=dict)

    def batches(self, items: Iterable[Any]) -> Iterator[Batch]:
        """Yield batches from items; single samples are combined, and empty batches skipped.

        Raises:
            ParameterError: an item that is not a batch, or is ambiguous.
        """
        samples: list[_Parts] = []
        for number, item in enumerate(items):
            parts = self._parts(item, number)
            if is_number(parts.target):
                samples.append(parts)
                if len(samples) == SAMPLES:
                    yield self._joined(samples, number)
                    samples = []
            elif samples:
                raise ParameterError(f"samples and batches are mixed: {number} is a batch after single samples")
            else:
                batch = self._batch(parts, number)
                if batch.size:
                    yield batch
        if samples:
            yield self._joined(samples, number)

    def _parts(self, item: Any, number: int) -> _Parts:
        if isinstance(item, Batch):
            return _Parts(item.inputs, item.target, "")
        fields = named_parts(item)
        if self.batch is not None:
            found = _by_function(self.batch, item, number)
        elif fields is None:
            found = _by_place(item, number, self.network)
        else:
            found = _by_name(fields, number, self.network)
        return _Parts(self.narrowed(found.inputs), tensors(numbers_as_tensor(found.target)), found.how)

    def narrowed(self, inputs: Any) -> Any:
        """Convert arrays in inputs to tensors; float64 arrays to the precision of the network, if that is lower."""
        precision = _precision(self.network)
        if any(is_wider(part, precision) for part in pytree.tree_leaves(inputs)):
            self._note(f"float64 arrays read as {str(precision).removeprefix('torch.')}")
        return tensors(inputs, precision)

    def _batch(self, parts: _Parts, number: int) -> Batch:
        inputs, target = parts.inputs, parts.target
        if self.network is not None and isinstance(inputs, tuple):
            whole, split = (forward_signature.accepts(self.network, each) for each in ((inputs,), inputs))
            inputs = (inputs,) if whole and not split else inputs
        for part in pytree.tree_leaves(inputs):
            known = part is None or isinstance(part, (Tensor, str, numbers.Number))
            if not known and not any(isinstance(each, Tensor) for each in leaves(part)):
                raise ParameterError(
                    f"inputs must hold tensors (batch {number} has a {_name(part)}); pass batch, a function that gives "
                    "them, as in lambda data: ((data.x, data.edge_index), data.y)"
                )
        found = [part for part in leaves((target, inputs)) if isinstance(part, Tensor)]
        for part in found:
            if part.layout not in (torch.strided, *_SPARSE) or part.is_nested or part.is_quantized:
                raise ParameterError(f"tensors must be plain or sparse (batch {number} has one that is {_kind(part)})")
        rows = [part for part in found if part.dim()]
        if not rows:
            raise ParameterError(f"batch {number} has no tensors")
        if isinstance(target, Tensor) and not target.dim():
            raise ParameterError(
                f"the target must have the shape (samples, ...) (that of batch {number} is one number)"
            )
        if self.batch is None and isinstance(inputs, Tensor) and isinstance(target, Tensor):
            _require_samples_first(inputs, target, number)
        self._note(parts.how)
        return Batch(inputs, target, len(rows[0]))

    def _joined(self, samples: list[_Parts], number: int) -> Batch:
        with reported(f"joining samples to a batch (those up to {number}) raised"):
            inputs, target = default_collate([(_sample(inputs), target) for inputs, target, _ in samples])
        self._note(f"single samples, joined to batches of {SAMPLES}")
        return self._batch(_Parts(_arguments(inputs), target, samples[0].how), number)

    def _note(self, how: str) -> None:
        if how:
            self.how[how] = None


def _require_samples_first(inputs: Tensor, target: Tensor, number: int) -> None:
    """Raise ParameterError if inputs and target have different numbers of samples, as in a single sample.

    Sequences with one label each may have their samples on the second axis.
    """
    time_first = inputs.dim() > 2 and target.dim() == 1 and not target.is_floating_point()
    if inputs.dim() and len(target) not in (len(inputs), inputs.shape[1] if time_first else len(inputs)):
        shapes = f"{tuple(inputs.shape)} and {tuple(target.shape)}"
        raise ParameterError(
            f"inputs and targets differ in number: batch {number} has the shapes {shapes}; for single samples "
            f"pass a Dataset; for other layouts {_WAY_OUT}"
        )


def _by_function(function: BatchFunction, item: Any, number: int) -> _Parts:
    name = getattr(function, "__name__", type(function).__name__)
    with reported(f"batch: the function raised, for batch {number},"):
        found = function(own_copy(item))
    if not isinstance(found, (tuple, list)) or isinstance(found, PackedSequence) or len(found) != 2:
        length = f" of {len(found)}" if isinstance(found, (tuple, list)) else ""
        raise ParameterError(f"batch: the function must return (inputs, target) (it returned a {_name(found)}{length})")
    inputs, target = found
    if is_number(target):
        raise ParameterError("batch: the target must have the shape (samples, ...) (got one number)")
    return _Parts(_arguments(inputs), target, f"read by {'batch' if name == '<lambda>' else name}")


def _by_name(fields: Mapping[str, Any], number: int, network: nn.Module | None) -> _Parts:
    """Find the target under one of its usual names; all other fields are named arguments."""
    taken = forward_signature.parameters(network)
    keys = [key for key in TARGETS if key in fields and not (key == "y" and "y" in taken)]
    if not keys:
        raise ParameterError(f"batch {number} has no target: none of {', '.join(TARGETS)}; {_WAY_OUT}")
    if len(keys) > 1:
        raise ParameterError(f"batch {number} has several targets: {' and '.join(keys)}; {_WAY_OUT}")
    inputs = {str(name): part for name, part in fields.items() if name != keys[0]}
    how = f"inputs: {', '.join(inputs)}; target: {keys[0]}"
    if network is None or forward_signature.accepts(network, inputs):
        return _Parts(inputs, fields[keys[0]], how)
    if len(inputs) == 1 and forward_signature.accepts(network, tuple(inputs.values())):
        return _Parts(tuple(inputs.values()), fields[keys[0]], how)
    raise ParameterError(
        f"{forward_signature.described(network)} does not take the inputs of batch {number}, "
        f"{', '.join(inputs) or 'none'}; {_WAY_OUT}"
    )


def _by_place(item: Any, number: int, network: nn.Module | None) -> _Parts:
    """Take the last part as the target and all others as positional arguments, if that is unambiguous."""
    if not isinstance(item, (tuple, list)) or isinstance(item, PackedSequence) or len(item) < 2:
        raise ParameterError(
            f"batches must be pairs of inputs and target (batch {number} is a {_name(item)}); {_WAY_OUT}"
        )
    *inputs, target = item
    if len(inputs) == 1:
        found = _arguments(inputs[0])
        several = isinstance(found, tuple) and not isinstance(inputs[0], PackedSequence)
        how = f"inputs: {len(found)} in a tuple, target: the last" if several else ""
        how = f"inputs: {', '.join(found)}; target: the last" if isinstance(found, dict) else how
        return _Parts(found, target, how)
    if network is not None:
        _require_one_reading(network, inputs, target, number)
    return _Parts(tuple(inputs), target, f"inputs: the first {len(inputs)} parts, target: the last")


def _require_one_reading(network: nn.Module, inputs: list[Any], target: Any, number: int) -> None:
    """Raise ParameterError if a batch of three or more parts may be inputs, target and something else.

    It is inputs and target if the forward pass requires that many inputs. If it accepts fewer, (inputs, target,
    weights) would fit as well; then the last part must be the only one that can be labels.
    """
    forward = forward_signature.described(network)
    said = f"cannot tell inputs and target: batch {number} has {len(inputs) + 1} parts"
    if not forward_signature.accepts(network, inputs):
        raise ParameterError(f"{said}, but {forward} does not take {len(inputs)} inputs; {_WAY_OUT}")
    if forward_signature.requires(network) == len(inputs):
        return
    last = tensors(numbers_as_tensor(target))
    if _may_be_labels(last) and not any(map(_may_be_labels, map(tensors, inputs[1:]))):
        return
    raise ParameterError(
        f"{said}, and {forward} may also take fewer inputs than {len(inputs)}, so that the target may be another part "
        f"than the last; {_WAY_OUT}"
    )


def _may_be_labels(part: Any) -> bool:
    """Whether a part may be one label for each sample."""
    if is_number(part):
        return not isinstance(torch.as_tensor(part).item(), (bool, float, complex))
    if not isinstance(part, Tensor) or part.is_floating_point() or part.is_complex() or part.dtype == torch.bool:
        return False
    return part.dim() == 1 or (part.dim() > 1 and part[0].numel() == 1)


def named_parts(item: Any) -> dict[str, Any] | None:
    """The parts of a batch by name, for a mapping, a dataclass, or a named tuple with a target field."""
    if isinstance(item, Mapping):
        return dict(item)
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    names = getattr(item, "_fields", ()) if isinstance(item, tuple) else ()
    return dict(zip(names, item, strict=True)) if set(names) & set(TARGETS) else None


def _arguments(inputs: Any) -> Any:
    """Inputs as a tensor, a tuple of arguments or a dict of named ones; a packed sequence is one argument."""
    if isinstance(inputs, PackedSequence):
        return (inputs,)
    if isinstance(inputs, Mapping):
        return {str(name): part for name, part in inputs.items()}
    inputs = numbers_as_tensor(inputs) if isinstance(inputs, list) else inputs
    return tuple(inputs) if isinstance(inputs, (tuple, list)) else inputs


def _sample(inputs: Any) -> Any:
    """The inputs of a single sample, with tensors for numbers and lists of them, so that they can be joined."""
    if isinstance(inputs, dict):
        return {name: _sample(part) for name, part in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(map(_sample, inputs))
    return torch.as_tensor(inputs) if is_number(inputs) else numbers_as_tensor(inputs)


def _precision(network: nn.Module | None) -> torch.dtype | None:
    """The type of a network's parameters."""
    values = () if network is None else network.parameters()
    return next((value.dtype for value in values if value.is_floating_point()), None)


def _name(item: Any) -> str:
    return type(item).__name__


def _kind(part: Tensor) -> str:
    return "nested" if part.is_nested else "quantised" if part.is_quantized else str(part.layout).removeprefix("torch.")
