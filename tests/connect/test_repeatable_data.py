"""Data are the same at each reading, or the report says that they are not, or they are rejected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lmc_utils.connect.repeatable_data import repeatable
from lmc_utils.settings import ParameterError

INPUTS, LABELS = torch.arange(60.0).reshape(20, 3), torch.arange(20)


class Noisy(Dataset[Any]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return torch.rand(3), row


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
    assert "; in another order at each reading" in found.description
    assert sorted(torch.cat([batch.target for batch in found]).tolist()) == LABELS.tolist()


def test_changing_samples_are_reported_and_cached_or_rejected() -> None:
    found = repeatable(Noisy())
    assert found.description.endswith("; others at each reading, those of the first are used at every point")
    assert [batch.inputs.tolist() for batch in found] == [batch.inputs.tolist() for batch in found]
    with pytest.raises(
        ParameterError, match=r"^data: expected the same samples at each reading, or at most 9.31e-10 GiB"
    ):
        repeatable(Noisy(), memory=1)
    assert "others at each reading" in repeatable(Once()).description


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ([], "data: expected at least one sample, got none"),
        (iter([1]), "data: expected two tensors, or batches .* got a list_iterator, which can be read only once"),
        (3, "data: expected two tensors, or batches that can be read more than once, got 3"),
        ((INPUTS, LABELS[:3]), "data: expected as many targets as inputs, got the shapes .20, 3. and .3,."),
        ([INPUTS], "data: expected batches of inputs and target, batch 0 is a Tensor"),
        ([("a", "b")], "data: expected batches of tensors, batch 0 has none"),
        ([{"inputs": INPUTS}], "data: expected targets under one of labels, label, target, targets, batch 0 has none"),
    ],
)
def test_invalid_data_are_one_line_errors(data: Any, line: str) -> None:
    with pytest.raises(ParameterError, match=f"^{line}"):
        repeatable(data)
