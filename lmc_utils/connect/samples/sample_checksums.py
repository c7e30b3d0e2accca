"""Compare two readings of data, batch by batch or by checksums of samples."""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from lmc_utils.measure.batches import Batch
from lmc_utils.measure.module_outputs import leaves


def equal(batches: Sequence[Batch], others: Iterable[Batch]) -> bool:
    """Whether another reading gives the same samples in the same order."""
    for mine, other in itertools.zip_longest(batches, others):
        if mine is None or other is None or mine.size != other.size:
            return False
        one, two = dense_parts(mine), dense_parts(other)
        if len(one) != len(two) or not all(map(torch.equal, one, two)):
            return False
    return True


def dense_parts(batch: Batch) -> list[Tensor]:
    """The tensors of a batch; for sparse ones, their indices and values."""
    found = leaves((batch.target, batch.inputs))
    return [part for each in found if isinstance(each, Tensor) for part in _dense(each.detach())]


def _dense(part: Tensor) -> list[Tensor]:
    if part.layout == torch.sparse_coo:
        part = part.coalesce()
        return [part.indices(), part.values()]
    if part.layout == torch.sparse_csr:
        return [part.crow_indices(), part.col_indices(), part.values()]
    if part.layout == torch.sparse_csc:
        return [part.ccol_indices(), part.row_indices(), part.values()]
    return [part]


def checksums(batches: Iterable[Batch], order: int = 0) -> tuple[Counter[int], int]:
    """The checksums of all samples, and one of their order.

    Args:
        batches: samples.
        order: the checksum of the order of earlier batches.

    >>> one, other = Batch(torch.tensor([1, 2]), None, 2), Batch(torch.tensor([2, 1]), None, 2)
    >>> checksums([one])[0] == checksums([other])[0], checksums([one])[1] == checksums([other])[1]
    (True, False)
    """
    counts = Counter[int]()
    for batch in batches:
        sums = [0] * batch.size
        for part in dense_parts(batch):
            rows = part.cpu().resolve_conj().resolve_neg().contiguous()
            if rows.dim() == 0 or len(rows) != batch.size:  # not one row for each sample: shared by all
                whole = zlib.crc32(rows.reshape(-1).view(torch.uint8).numpy().tobytes())
                sums = [zlib.crc32(whole.to_bytes(4, "big"), own) for own in sums]
                continue
            flat = rows.reshape(batch.size, -1).view(torch.uint8).numpy()
            sums = [zlib.crc32(row.tobytes(), own) for row, own in zip(flat, sums, strict=True)]
        counts.update(sums)
        order = zlib.crc32(np.asarray(sums, dtype=np.uint32).tobytes(), order)
    return counts, order
