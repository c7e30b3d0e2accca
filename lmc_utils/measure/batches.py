"""Batches of samples that can be read repeatedly, with the same result each time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


class Batch(NamedTuple):
    """Samples that go through a network together.

    Attributes:
        inputs: the network's arguments: a tensor, a tuple of positional ones, or a dict of named ones.
        target: the second argument of the loss.
        size: the number of samples.
    """

    inputs: Any
    target: Any
    size: int

    def to(self, device: torch.device) -> Batch:
        """A separate copy on a device, for one forward pass and its losses, which may work in place."""
        inputs, target = own_copy((self.inputs, self.target), device)
        return Batch(inputs, target, self.size)

    def run(self, network: Callable[..., Any]) -> Any:
        """The output of a network for this batch."""
        if isinstance(self.inputs, Mapping):
            return network(**self.inputs)
        return network(*self.inputs) if isinstance(self.inputs, (tuple, list)) else network(self.inputs)

    def parts(self) -> list[Tensor]:
        """All its tensors."""
        return [part for part in pytree.tree_leaves((self.inputs, self.target)) if isinstance(part, Tensor)]


@dataclass(frozen=True)
class Batches:
    """Batches that are the same at each reading.

    Attributes:
        batches: can be iterated over repeatedly.
        samples: their total number.
        count: the number of batches.
        description: the numbers of samples and batches, and any remarks on them, in words.
    """

    batches: Iterable[Batch]
    samples: int
    count: int
    description: str

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


def own_copy(tree: Any, device: torch.device | None = None) -> Any:
    """Copy nested tensors, sharing no memory with the originals, optionally to a device.

    Tensors that share memory with each other still do in the copy, as a network that works in place may rely on it. Of
    a view into a larger tensor, only the viewed part is copied.

    Args:
        tree: tensors in tuples, lists and dicts; other objects are moved by their `to` method, or passed on unchanged.
        device: the target; by default each tensor stays on its device.

    >>> samples = torch.zeros(2)
    >>> one, other, row = own_copy((samples, samples, samples[1:]))
    >>> samples, one is other, row.add_(1), one
    (tensor([0., 0.]), True, tensor([1.]), tensor([0., 1.]))
    """
    if type(tree) is tuple and all(type(part) is Tensor for part in tree) and len(set(map(_memory, tree))) == len(tree):
        return tuple(part.detach().to(device or part.device, copy=True) for part in tree)  # most batches; it is faster
    leaves, layout = pytree.tree_flatten(tree)
    groups: dict[Any, dict[int, Tensor]] = {}
    for leaf in leaves:
        if isinstance(leaf, Tensor):
            groups.setdefault(_memory(leaf), {})[id(leaf)] = leaf
    copies: dict[int, Any] = {}
    for group in groups.values():
        copies |= _copied_together(group, device)
    for leaf in leaves:
        if id(leaf) not in copies:
            copies[id(leaf)] = _copied_object(leaf, device)
    return pytree.tree_unflatten([copies[id(leaf)] for leaf in leaves], layout)


def _memory(value: Tensor) -> Any:
    """A key that is equal for tensors that may share memory."""
    if type(value) not in (Tensor, torch.nn.Parameter) or value.layout != torch.strided or not value.numel():
        return id(value)
    return value.device, value.dtype, value.untyped_storage().data_ptr(), value.is_conj(), value.is_neg()


def _copied_together(group: Mapping[int, Tensor], device: torch.device | None) -> dict[int, Tensor]:
    """Copies of tensors that share memory, which share memory again."""
    if len(group) == 1:
        return {key: value.detach().to(device or value.device, copy=True) for key, value in group.items()}
    each = list(group.values())
    low = min(value.storage_offset() for value in each)
    high = max(
        value.storage_offset() + sum((n - 1) * step for n, step in zip(value.shape, value.stride(), strict=True))
        for value in each
    )
    whole = each[0].detach().as_strided((high + 1 - low,), (1,), low).to(device or each[0].device, copy=True)
    return {
        key: whole.as_strided(value.shape, value.stride(), value.storage_offset() - low) for key, value in group.items()
    }


def _copied_object(leaf: Any, device: torch.device | None) -> Any:
    result = copy.deepcopy(leaf)
    return result.to(device) if device is not None and hasattr(result, "to") else result
