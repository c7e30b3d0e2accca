"""Make data repeatable: batches that are the same at each reading.

A line is measured at many points, which are comparable only if all use the same samples. So data are read twice before
anything is measured: small data are cached from the first reading, and for large data the checksums of all samples are
compared.
"""

from __future__ import annotations

import copy
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler, TensorDataset, default_collate

from lmc_utils.connect.samples.array_conversion import numbers_as_tensor, tensors
from lmc_utils.connect.samples.batch_reading import SAMPLES, BatchFunction, BatchReader, named_parts
from lmc_utils.connect.samples.random_generators import Generators, State
from lmc_utils.connect.samples.sample_checksums import checksums, dense_parts, equal
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.user_code_errors import reported
from lmc_utils.settings import ParameterError, require

CACHE_BYTES = 2**30  # bytes of samples that are cached in memory


@dataclass(frozen=True)
class _Source:
    """Data whose readings all start from the same states of the random generators, which are restored afterwards."""

    data: Iterable[Any]
    reader: BatchReader
    generators: Generators
    start: State

    def __iter__(self) -> Iterator[Batch]:
        return self.reading(list(self.start))

    def reading(self, states: State) -> Iterator[Batch]:
        """One reading that starts from these states, which are updated in place."""
        return self.generators.replay(self.reader.batches(_with_own_workers(self.data)), states)


def repeatable(
    data: Any,
    name: str = "data",
    *,
    memory: int = CACHE_BYTES,
    batch: BatchFunction | None = None,
    network: nn.Module | None = None,
) -> Batches:
    """Read data twice, and return batches that are the same at each later reading.

    Random generators used by the data, their own and global ones, are restored afterwards.

    Args:
        data: inputs and targets, two tensors or arrays; a `Dataset` of samples; a `DataLoader` or other collection of
            batches, or of single samples, that can be read more than once; or one batch with several inputs. A batch is
            a tuple or list of one or more inputs and the target, in this order, where an input may be a tuple of
            arguments or a dict of named ones; or a dict, dataclass or named tuple of named inputs and the target under
            `labels`, `label`, `target`, `targets` or `y`. An item whose target is one number is a single sample.
        name: name of the argument, for messages.
        memory: bytes of samples that may be cached in memory.
        batch: function from an item to (inputs, target), for data of other forms.
        network: the network for the inputs; batches that do not fit its forward pass, or are ambiguous, are rejected.

    Raises:
        ParameterError: no samples, an item that is not a batch, an iterator that can be read only once, or samples that
            are too large to cache and differ between readings.

    >>> found = repeatable((torch.zeros(600, 3), torch.zeros(600, dtype=torch.int64)))
    >>> [batch.size for batch in found], found.samples, found.description
    ([256, 256, 88], 600, '600 samples in 3 batches')
    >>> triples = [(torch.zeros(8, 3), torch.ones(8, 3), torch.zeros(8))]
    >>> repeatable(triples).description
    '8 samples in 1 batch; inputs: the first 2 parts, target: the last'
    """
    if isinstance(data, Batches):
        return data
    reader = BatchReader(batch, network)
    with reported(f"{name}: reading the samples raised"):
        try:
            source = _source(data, name, reader)
            first, second = _read_twice(source, memory)
        except ParameterError as error:
            line = str(error)
            named = line.startswith(("batch:", f"{name}:", f"{name} must"))
            raise ParameterError(line if named else f"{name}: {line}") from None
    if not first.samples:
        raise ParameterError(f"{name}: there are no samples")
    said = f"{first.samples:,} samples in {first.pieces:,} batch{'es' if first.pieces > 1 else ''}"
    said = "; ".join([said, *reader.how])
    differing = first.difference(second)
    if not differing:
        return Batches(source if first.batches is None else first.batches, first.samples, first.pieces, said)
    if first.batches is None and first.difference(_read(source, -1)):  # replaying generators does not help
        if differing == "others":
            few = f"more than {memory / 2**30:.3g} GiB, too many to keep"
            raise ParameterError(
                f"{name}: the samples differ at each reading, and are {few}; make them repeatable, or give fewer"
            )
        return Batches(source, first.samples, first.pieces, f"{said}; {differing} at each reading")
    said += f"; {differing} at each reading, those of the first are used at every point"
    return Batches(source if first.batches is None else first.batches, first.samples, first.pieces, said)


def _with_own_workers(data: Iterable[Any]) -> Iterable[Any]:
    """For a loader with persistent workers, a copy that starts new ones and ends them after each reading."""
    if not (isinstance(data, DataLoader) and data.persistent_workers):
        return data
    loader = copy.copy(data)
    vars(loader).update(_iterator=None, persistent_workers=False)  # torch forbids setting persistent_workers
    return loader


def _read_twice(source: Iterable[Batch], memory: int) -> tuple[_Reading, _Reading]:
    """Two readings; the second continues with the generator states of the first."""
    if not isinstance(source, _Source):
        reading = _read(source, sys.maxsize)
        return reading, reading
    states = list(source.start)
    first = _read(source.reading(states), memory, copied=True)
    if first.batches is not None and equal(first.batches, source.reading(list(states))):
        return first, first
    return first, _read(source.reading(states), -1)


def _source(data: Any, name: str, reader: BatchReader) -> Iterable[Batch]:
    """Batches to read; a list if all are in memory already, so that no second reading is needed."""
    if _is_pair(data):
        inputs, target = reader.narrowed(data[0]), tensors(numbers_as_tensor(data[1]))
        if len(inputs) != len(target):
            shapes = f"{tuple(inputs.shape)} and {tuple(target.shape)}"
            raise ParameterError(
                f"{name}: inputs and targets differ in number: they have the shapes {shapes}; if samples are not "
                "the first axis, pass a list of one batch, [(inputs, target)]"
            )
        data = DataLoader(TensorDataset(inputs, target), SAMPLES)
    elif _is_one_batch(data) or (reader.batch is not None and not isinstance(data, (Iterable, Dataset))):
        data = [data]
    elif isinstance(data, Dataset) or _is_indexed(data):
        data = DataLoader(data, SAMPLES)
    if reader.batch is None and _is_plain(data):
        inputs, target = data.dataset.tensors
        return _cut(inputs, target, data.batch_size, data.drop_last)
    asked = "two tensors, a Dataset, or batches that can be read more than once"
    require(isinstance(data, Iterable) and not isinstance(data, (str, bytes, Tensor)), name, asked, data)
    if isinstance(data, Iterator):
        raise ParameterError(f"{name} must be {asked} (got a {type(data).__name__}, which can be read only once)")
    if reader.batch is None and type(data) in (list, tuple):
        return list(reader.batches(data))
    generators = Generators(data, reader.batch)
    return _Source(data, reader, generators, generators.states())


def _is_pair(data: Any) -> bool:
    """Whether data are inputs and targets in two tensors or arrays, with samples along the first axis."""
    if type(data) not in (tuple, list) or len(data) != 2:
        return False
    inputs, target = data[0], numbers_as_tensor(data[1])
    return all(
        isinstance(part, np.ndarray) or (isinstance(part, Tensor) and part.layout == torch.strided)
        for part in (inputs, target)
    ) and bool(inputs.ndim and target.ndim)


def _is_indexed(data: Any) -> bool:
    """Whether data are a collection that can only be indexed, which torch accepts as a data set."""
    return all(hasattr(data, name) for name in ("__len__", "__getitem__")) and not isinstance(data, (Iterable, type))


def _is_one_batch(data: Any) -> bool:
    """Whether data are a single batch: named parts, or a tuple that ends with the target."""
    if isinstance(data, Mapping) or (not isinstance(data, (Dataset, Iterable)) and named_parts(data) is not None):
        return True
    return isinstance(data, tuple) and len(data) > 1 and isinstance(numbers_as_tensor(data[-1]), (Tensor, np.ndarray))


def _is_plain(data: Any) -> bool:
    """Whether data are a loader that only splits two tensors into batches, in order."""
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


class _Reading(NamedTuple):
    batches: list[Batch] | None
    samples: int
    pieces: int
    sums: Counter[int]
    order: int

    def difference(self, other: _Reading) -> str:
        """A description of how another reading differs; empty if it is the same."""
        if other is self:
            return ""
        (sums, order), (others, other_order) = self._all_checksums(), other._all_checksums()
        if sums != others:
            return "others"
        return "" if order == other_order else "in another order"

    def _all_checksums(self) -> tuple[Counter[int], int]:
        return (self.sums, self.order) if self.batches is None else checksums(self.batches)


def _read(source: Iterable[Batch], memory: int, *, copied: bool = False) -> _Reading:
    """One reading: its batches if they fit into `memory`, else the checksums of its samples.

    Args:
        source: batches.
        memory: limit in bytes.
        copied: whether to copy cached batches, as a loader may reuse their memory for the next one.
    """
    batches: list[Batch] | None = []
    samples, count, size, order, sums = 0, 0, 0, 0, Counter[int]()
    for batch in source:
        size += sum(part.numel() * part.element_size() for part in dense_parts(batch))
        samples, count = samples + batch.size, count + 1
        new = [batch]
        if batches is not None:
            batches.append(_copied(batch) if copied and size <= memory else batch)
            new = batches
            batches = batches if size <= memory else None
        if batches is None:
            more, order = checksums(new, order)
            sums += more
    return _Reading(batches, samples, count, sums, order)


def _copied(batch: Batch) -> Batch:
    """A copy of a batch in new memory; parts that are the same tensor stay so."""
    copies: dict[int, Any] = {}

    def copied(part: Any) -> Any:
        if id(part) not in copies:
            copies[id(part)] = part.detach().clone() if isinstance(part, Tensor) else copy.deepcopy(part)
        return copies[id(part)]

    inputs, target = pytree.tree_map(copied, (batch.inputs, batch.target))
    return Batch(inputs, target, batch.size)
