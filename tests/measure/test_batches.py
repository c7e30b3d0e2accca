"""Copies of batches share nothing with the samples, and within themselves what the samples share."""

from __future__ import annotations

import torch
from torch.nn.utils.rnn import pack_sequence

from lmc_utils.measure.batches import Batch, own_copy

CPU = torch.device("cpu")


def test_a_copy_keeps_what_tensors_share_and_copies_no_more_than_they_cover() -> None:
    samples = torch.arange(1000.0).view(100, 10)
    rows = samples[20:24]
    whole, left, right, again = own_copy((rows, rows[:, :5], rows.T, rows))
    assert again is whole
    whole.zero_()
    assert not left.any()
    assert not right.any()
    assert torch.equal(samples, torch.arange(1000.0).view(100, 10))
    assert whole.untyped_storage().nbytes() <= 4 * 10 * 4


def test_a_copy_equals_what_it_is_of() -> None:
    strided = torch.arange(24.0).view(2, 3, 4).transpose(0, 2)
    sparse = torch.eye(3).to_sparse()
    packed = pack_sequence([torch.ones(2, 3), torch.ones(1, 3)])
    given = {"a": [strided, strided.expand(5, 4, 3, 2)], "b": (sparse, torch.zeros(0, 2)), "c": packed, "d": "text"}
    found = own_copy(given, CPU)
    assert torch.equal(found["a"][0], strided)
    assert found["a"][0].stride() == strided.stride()
    assert torch.equal(found["a"][1], given["a"][1])
    assert torch.equal(found["b"][0].to_dense(), torch.eye(3))
    assert found["b"][1].shape == (0, 2)
    assert torch.equal(found["c"].data, packed.data)
    assert found["c"].data.data_ptr() != packed.data.data_ptr()
    assert found["d"] == "text"


def test_a_batch_may_be_worked_on_in_place() -> None:
    inputs, target = torch.zeros(3, 2), torch.zeros(3)
    for batch in (Batch(inputs, target, 3), Batch((inputs, inputs), target, 3), Batch({"x": inputs}, inputs, 3)):
        copied = batch.to(CPU)
        for part in copied.parts():
            part += 1
        assert not inputs.any()
        assert not target.any()
    same = Batch(inputs, inputs, 3).to(CPU)
    assert same.inputs is same.target
