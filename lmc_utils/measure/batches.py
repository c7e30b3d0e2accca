"""Samples in batches, as a network takes them, that can be read again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


class Batch(NamedTuple):
    """Samples that go through a network together.

    Attributes:
        inputs: what the network is called with: a tensor, a tuple of arguments, or a dict of named ones.
        target: what the loss compares its output with.
        size: how many samples these are.
    """

    inputs: Any
    target: Any
    size: int

    def to(self, device: torch.device) -> Batch:
        """With all its tensors on a device."""
        inputs, target = pytree.tree_map_only(Tensor, lambda part: part.to(device), (self.inputs, self.target))
        return Batch(inputs, target, self.size)

    def run(self, network: Callable[..., Any]) -> Any:
        """What the network puts out for it."""
        if isinstance(self.inputs, Mapping):
            return network(**self.inputs)
        return network(*self.inputs) if isinstance(self.inputs, (tuple, list)) else network(self.inputs)

    def first(self, samples: int) -> Batch:
        """Its first samples, or all of them where its tensors are not one row a sample."""
        if any(part.dim() == 0 or len(part) != self.size for part in self.parts()):
            return self
        inputs, target = pytree.tree_map_only(Tensor, lambda part: part[:samples], (self.inputs, self.target))
        return Batch(inputs, target, min(samples, self.size))

    def parts(self) -> list[Tensor]:
        """All its tensors."""
        return [part for part in pytree.tree_leaves((self.inputs, self.target)) if isinstance(part, Tensor)]


@dataclass(frozen=True)
class Batches:
    """Batches that are the same at each reading.

    Attributes:
        batches: to be read again and again.
        samples: how many there are in all.
        count: how many batches.
        description: how many samples and batches, and what was noticed of them, in words.
    """

    batches: Iterable[Batch]
    samples: int
    count: int
    description: str

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


def joined(batches: Iterable[Batch], samples: int) -> Iterator[Batch]:
    """Neighbours of one tensor each joined to batches of at least so many samples, as far as that goes."""
    waiting: list[Batch] = []
    for batch in batches:
        alike = all(isinstance(part, Tensor) and len(part) == batch.size for part in (batch.inputs, batch.target))
        if waiting and not (alike and _kind(batch) == _kind(waiting[0])):
            yield _one_of(waiting)
            waiting = []
        waiting.append(batch)
        if not alike or sum(each.size for each in waiting) >= samples:
            yield _one_of(waiting)
            waiting = []
    if waiting:
        yield _one_of(waiting)


def _kind(batch: Batch) -> list[Any]:
    return [(part.shape[1:], part.dtype) for part in (batch.inputs, batch.target)]


def _one_of(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    inputs, target = (torch.cat([getattr(batch, part) for batch in batches]) for part in ("inputs", "target"))
    return Batch(inputs, target, len(inputs))
