"""Samples that can be read again and again, batch by batch, and are the same each time.

A line is measured at many points, and they can be compared only if all of them see the same samples. So data are read
twice before anything is measured: small ones are kept as the first reading gave them, and of large ones every sample's
checksum is compared.
"""

from __future__ import annotations

import itertools
import random
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler, TensorDataset, default_collate

from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.user_code_errors import expected
from lmc_utils.settings import ParameterError, require

BATCH = 256
CACHE_BYTES = 2**30  # bytes of samples that are kept in memory
_TARGETS = ("labels", "label", "target", "targets")


@dataclass(frozen=True)
class _Source:
    data: Iterable[Any]

    def __iter__(self) -> Iterator[Batch]:
        return (_batch(each, row) for row, each in enumerate(self.data))


def repeatable(data: Any, name: str = "data", memory: int = CACHE_BYTES) -> Batches:
    """Read data twice, and give batches that are the same at each later reading.

    Args:
        data: two tensors, inputs and targets; a `Dataset`; or a `DataLoader` or other collection of batches that can be
            read more than once. A batch is inputs and target, where inputs are a tensor, a tuple of arguments or a dict
            of named ones; or it is one dict with the target under `labels`, `label`, `target` or `targets`.
        name: of the argument, for messages.
        memory: bytes of samples that may be kept in memory.

    Raises:
        ParameterError: no samples, something that is no batch, an iterator that can be read only once, or more samples
            than are kept that are others at each reading.

    >>> found = repeatable((torch.zeros(600, 3), torch.zeros(600, dtype=torch.int64)))
    >>> [batch.size for batch in found], found.samples, found.description
    ([256, 256, 88], 600, '600 samples in 3 batches')
    """
    source = _source(data, name)
    with unchanged_random(), expected(f"{name}: expected samples that can be read, reading them gave"):
        try:
            first = _read(source, memory)
            if isinstance(source, list) or (first.batches is not None and _equal(first.batches, source)):
                second = first
            else:
                second = _read(source, -1)
        except ParameterError as error:
            raise ParameterError(f"{name}: {error}") from None
    if not first.samples:
        raise ParameterError(f"{name}: expected at least one sample, got none")
    said = f"{first.samples:,} samples in {first.pieces:,} batch{'es' if first.pieces > 1 else ''}"
    if first.batches is not None:
        if second is not first:
            sums, order = _checksums(first.batches)
            again = "in another order" if sums == second.sums else "others"
            said += (
                f"; {again} at each reading, those of the first are used at every point"
                if order != second.order
                else ""
            )
        return Batches(first.batches, first.samples, first.pieces, said)
    if first.sums != second.sums:
        few = f"the same samples at each reading, or at most {memory / 2**30:.3g} GiB of them, which are kept"
        raise ParameterError(f"{name}: expected {few}; these are more, and others at each reading")
    said += "; in another order at each reading" if first.order != second.order else ""
    return Batches(source, first.samples, first.pieces, said)


def _source(data: Any, name: str) -> Iterable[Batch]:
    if isinstance(data, Batches):
        return data.batches
    if isinstance(data, (tuple, list)) and len(data) == 2 and all(isinstance(part, Tensor) for part in data):
        inputs, target = data
        if inputs.dim() == 0 or target.dim() == 0 or len(inputs) != len(target):
            shapes = f"{tuple(inputs.shape)} and {tuple(target.shape)}"
            raise ParameterError(f"{name}: expected as many targets as inputs, got the shapes {shapes}")
        return _cut(inputs, target, BATCH)
    if isinstance(data, Dataset):
        data = DataLoader(data, BATCH)
    if _is_plain(data):
        inputs, target = data.dataset.tensors
        return _cut(inputs, target, data.batch_size, data.drop_last)
    asked = "two tensors, or batches that can be read more than once"
    require(isinstance(data, Iterable) and not isinstance(data, (str, bytes, Mapping, Tensor)), name, asked, data)
    if isinstance(data, Iterator):
        raise ParameterError(f"{name}: expected {asked}, got a {type(data).__name__}, which can be read only once")
    return _Source(data)


def _is_plain(data: Any) -> bool:
    """Whether a loader does no more than cut two tensors into batches, in their order."""
    return (
        type(data) is DataLoader
        and type(data.dataset) is TensorDataset
        and type(data.sampler) is SequentialSampler
        and type(data.batch_sampler) is BatchSampler
        and data.collate_fn is default_collate
        and data.batch_size is not None
        and len(data.dataset.tensors) == 2
    )


def _cut(inputs: Tensor, target: Tensor, size: int, drop_last: bool = False) -> list[Batch]:
    both = zip(torch.split(inputs, size), torch.split(target, size), strict=True)
    return [Batch(*each, len(each[0])) for each in both if len(each[0]) == size or (len(each[0]) and not drop_last)]


def _batch(item: Any, row: int) -> Batch:
    if isinstance(item, Mapping):
        key = next((key for key in _TARGETS if key in item), None)
        if key is None:
            raise ParameterError(f"expected targets under one of {', '.join(_TARGETS)}, batch {row} has none of them")
        inputs: Any = {name: part for name, part in item.items() if name != key}
        target = item[key]
    elif isinstance(item, (tuple, list)) and len(item) == 2:
        inputs, target = item
    else:
        raise ParameterError(f"expected batches of inputs and target, batch {row} is a {type(item).__name__}")
    parts = [part for part in pytree.tree_leaves((target, inputs)) if isinstance(part, Tensor) and part.dim()]
    if not parts:
        raise ParameterError(f"expected batches of tensors, batch {row} has none")
    return Batch(dict(inputs) if isinstance(inputs, Mapping) else inputs, target, len(parts[0]))


class _Reading(NamedTuple):
    batches: list[Batch] | None
    samples: int
    pieces: int
    sums: Counter[int]
    order: int


def _read(source: Iterable[Batch], memory: int) -> _Reading:
    """One reading: its batches if they take no more bytes than this, else the checksums of its samples."""
    batches: list[Batch] | None = []
    samples, count, size, order, sums = 0, 0, 0, 0, Counter[int]()
    for batch in source:
        size += sum(part.numel() * part.element_size() for part in batch.parts())
        samples, count = samples + batch.size, count + 1
        new = [batch] if batches is None else [*batches, batch]
        batches = None if batches is None or size > memory else new
        if batches is None:
            more, order = _checksums(new, order)
            sums += more
    return _Reading(batches, samples, count, sums, order)


def _equal(batches: Sequence[Batch], others: Iterable[Batch]) -> bool:
    """Whether another reading gives the same samples in the same order."""
    return all(
        mine is not None
        and other is not None
        and len(mine.parts()) == len(other.parts())
        and all(map(torch.equal, mine.parts(), other.parts()))
        for mine, other in itertools.zip_longest(batches, others)
    )


def _checksums(batches: Iterable[Batch], order: int = 0) -> tuple[Counter[int], int]:
    """The checksums of all samples, and one of their order."""
    counts = Counter[int]()
    for batch in batches:
        sums = [0] * batch.size
        for part in batch.parts():
            rows = part.detach().cpu().contiguous()
            if rows.dim() == 0 or len(rows) != batch.size:  # it is not one of each sample, and counts for all
                rows = rows.reshape(1, -1).repeat(batch.size, 1)
            flat = rows.reshape(batch.size, -1).view(torch.uint8).numpy()
            sums = [zlib.crc32(row.tobytes(), own) for row, own in zip(flat, sums, strict=True)]
        counts.update(sums)
        order = zlib.crc32(np.asarray(sums, dtype=np.uint32).tobytes(), order)
    return counts, order


@contextmanager
def unchanged_random() -> Iterator[None]:
    """Give back the global random generators of Python, NumPy and torch as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
