"""Readings that differ in samples or order are detected, including sparse and shared parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lmc_utils.connect.samples.sample_checksums import checksums, equal
from lmc_utils.measure.batches import Batch

ROWS, ADJACENCY = torch.arange(12.0).reshape(4, 3), torch.eye(4)


def graph(adjacency: Tensor, rows: Any = (0, 1, 2, 3)) -> Batch:
    return Batch((ROWS[list(rows)], adjacency), torch.arange(4)[list(rows)], 4)


@pytest.mark.parametrize("form", [Tensor.clone, Tensor.to_sparse, Tensor.to_sparse_csr, Tensor.to_sparse_csc])
@pytest.mark.filterwarnings("ignore:Sparse")
def test_every_part_of_a_batch_counts_in_any_layout(form: Any) -> None:
    given, changed = form(ADJACENCY), form(ADJACENCY + ADJACENCY.flip(0))
    assert equal([graph(given)], [graph(form(ADJACENCY))])
    assert checksums([graph(given)]) == checksums([graph(form(ADJACENCY))])
    assert not equal([graph(given)], [graph(changed)])
    assert checksums([graph(given)])[0] != checksums([graph(changed)])[0]


def test_order_and_number_of_batches_count() -> None:
    shape = torch.zeros(2, 2)  # not one row a sample
    one, other = [graph(shape)], [graph(shape, (1, 0, 2, 3))]
    assert not equal(one, other)
    assert checksums(one)[0] == checksums(other)[0]
    assert checksums(one)[1] != checksums(other)[1]
    assert not equal(one, one + one)
