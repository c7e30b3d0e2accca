"""Data are the same at each reading, or rejected, or the report states the difference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lmc_utils.connect.samples.repeatable_data import repeatable
from lmc_utils.settings import ParameterError

INPUTS, LABELS = torch.arange(60.0).reshape(20, 3), torch.arange(20)


class Noisy(Dataset[Any]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return torch.rand(3), row


class Unseeded(Noisy):
    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return torch.tensor([float.fromhex(os.urandom(4).hex())]), row


class OneBuffer:
    """Writes each batch into the memory of the one before."""

    def __iter__(self) -> Iterator[Any]:
        inputs, labels = torch.empty(5, 3), torch.empty(5, dtype=torch.int64)
        for row in range(0, 20, 5):
            yield inputs.copy_(INPUTS[row : row + 5]), labels.copy_(LABELS[row : row + 5])


class Indexed:
    """A data set for torch, although not of one of its classes."""

    def __len__(self) -> int:
        return 20

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return INPUTS[row], LABELS[row]


class Broken(Noisy):
    """Raises an error as passed on by a loader's worker process."""

    def __getitem__(self, row: int) -> Any:
        traceback = "Original Traceback (most recent call last):\n  File ...\nOSError: no such file\n"
        raise OSError(f"Caught OSError in DataLoader worker process 0.\n{traceback}")


class Once:
    """A collection whose second reading stops short."""

    def __init__(self) -> None:
        self.readings = 0

    def __iter__(self) -> Iterator[Any]:
        self.readings += 1
        return iter([(INPUTS, LABELS)] if self.readings == 1 else [])


def test_cached_batches_are_those_of_the_first_reading() -> None:
    loader = DataLoader(TensorDataset(INPUTS, LABELS), 6)
    found = repeatable(loader)
    assert found.description == "20 samples in 4 batches"
    assert torch.equal(torch.cat([batch.inputs for batch in found]), INPUTS)
    again = repeatable(loader, memory=1)
    assert torch.equal(torch.cat([batch.target for batch in again]), LABELS)
    assert again.description == found.description


@pytest.mark.parametrize("memory", [1, 2**30])
def test_a_changing_order_is_reported(memory: int) -> None:
    found = repeatable(DataLoader(TensorDataset(INPUTS, LABELS), 6, shuffle=True), memory=memory)
    assert found.description.endswith("; in another order at each reading, those of the first are used at every point")
    assert sorted(torch.cat([batch.target for batch in found]).tolist()) == LABELS.tolist()


def test_changing_samples_are_reported_and_cached_or_rejected() -> None:
    found = repeatable(Noisy())
    assert found.description.endswith("; others at each reading, those of the first are used at every point")
    assert [batch.inputs.tolist() for batch in found] == [batch.inputs.tolist() for batch in found]
    replayed = repeatable(Noisy(), memory=1)  # not cached: the generators are replayed at each reading
    assert replayed.description == found.description
    assert [batch.inputs.tolist() for batch in replayed] == [batch.inputs.tolist() for batch in replayed]
    with pytest.raises(ParameterError, match=r"^data: the samples differ at each reading, and are more than"):
        repeatable(Unseeded(), memory=1)
    assert "others at each reading" in repeatable(Once()).description


@pytest.mark.parametrize("memory", [1, 2**30])
def test_batches_in_one_buffer_are_all_there(memory: int) -> None:
    found = repeatable(OneBuffer(), memory=memory)
    assert [row for batch in found for row in batch.target.tolist()] == LABELS.tolist()
    assert [row for batch in found for row in batch.inputs[:, 0].tolist()] == INPUTS[:, 0].tolist()


@pytest.mark.parametrize("memory", [1, 2**30])
def test_sparse_parts_and_empty_batches_are_read(memory: int) -> None:
    batches = [(INPUTS[:5].to_sparse(), LABELS[:5]), (INPUTS[:0], LABELS[:0]), (INPUTS[5:], LABELS[5:])]
    found = repeatable(batches, memory=memory)
    assert found.description == "20 samples in 2 batches"
    assert torch.equal(torch.cat([batch.inputs.to_dense() for batch in found]), INPUTS)


def test_the_target_counts_samples() -> None:
    steps_first = [(torch.zeros(7, 4, 3), torch.zeros(4, dtype=torch.int64))]  # (steps, samples, features)
    assert repeatable(steps_first).samples == 4
    with pytest.raises(ParameterError, match=r"^data: .* pass a list of one batch, \[\(inputs, target\)\]$"):
        repeatable(steps_first[0])


def test_collections_that_can_only_be_indexed_are_data_sets() -> None:
    assert torch.equal(torch.cat([batch.inputs for batch in repeatable(Indexed())]), INPUTS)


def test_the_error_of_a_worker_is_named() -> None:
    with pytest.raises(ParameterError, match=r"^data: reading the samples raised OSError: no such file$"):
        repeatable(Broken())


def test_workers_that_persist_stay_those_of_the_user() -> None:
    loader = DataLoader(TensorDataset(INPUTS, LABELS), 6, num_workers=1, persistent_workers=True)
    assert repeatable(loader).description == "20 samples in 4 batches"
    assert loader._iterator is None


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ([], "data: there are no samples"),
        (
            iter([1]),
            "data must be two tensors, a Dataset, or batches that can be",
        ),
        (3, "data must be two tensors, a Dataset, or batches that can be"),
        ((INPUTS, LABELS[:3]), "data: inputs and targets differ in number: they have the shapes"),
        ([INPUTS], r"data: batches must be pairs of inputs and target \(batch 0 is a"),
        ([("a", "b")], "data: batch 0 has no tensors"),
        (
            [{"inputs": INPUTS}],
            "data: batch 0 has no target: none of labels, label, target,",
        ),
    ],
)
def test_invalid_data_are_one_line_errors(data: Any, line: str) -> None:
    with pytest.raises(ParameterError, match=f"^{line}"):
        repeatable(data)
