"""Arrays at any depth become tensors with the same numbers, and other values are unchanged."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from lmc_utils.connect.samples.array_conversion import numbers_as_tensor, tensors
from lmc_utils.settings import ParameterError


class Sizes(NamedTuple):
    heights: Any


def test_tensors_of_arrays_share_no_memory_with_them() -> None:
    given = np.arange(6.0).reshape(2, 3)
    found = tensors([given, given.T, given[:, ::-1]])
    given[:] = -1
    assert [each.tolist() for each in found] == [
        [[0, 1, 2], [3, 4, 5]], [[0, 3], [1, 4], [2, 5]], [[2, 1, 0], [5, 4, 3]],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("dtype", "precision", "expected"),
    [
        (np.float64, torch.float32, torch.float32),
        (np.float64, torch.bfloat16, torch.bfloat16),
        (np.float64, torch.float64, torch.float64),
        (np.float64, None, torch.float64),
        (np.float16, torch.float32, torch.float16),
        (np.int64, torch.float32, torch.int64),
    ],
)
def test_only_float64_gets_the_precision_of_the_network(dtype: Any, precision: Any, expected: torch.dtype) -> None:
    assert tensors({"a": np.ones(2, dtype)}, precision)["a"].dtype == expected


def test_named_tuples_keep_their_arrays_as_they_may_check_them() -> None:
    given = Sizes(np.ones(2))
    assert tensors(given) is given


def test_arrays_of_texts_are_rejected() -> None:
    with pytest.raises(ParameterError, match=r"^arrays must hold numbers \(got one of <U1\)$"):
        tensors((np.array(["a"]),))


@pytest.mark.parametrize("given", [[1, True], (np.float32(1), torch.tensor(1)), [np.array(1), 1]])
def test_lists_of_numbers_of_any_kind_are_one_tensor(given: Any) -> None:
    assert numbers_as_tensor(given).tolist() == [1, 1]


@pytest.mark.parametrize("given", [[], [torch.ones(1)], "12", {1: 2}])
def test_what_is_no_list_of_numbers_stays_as_it_is(given: Any) -> None:
    assert numbers_as_tensor(given) is given
