"""Cached scores are found only for their own networks, and only while the tensors do not change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lmc_utils.measure.known_scores import KnownScores, fingerprint
from lmc_utils.measure.mixtures import EITHER, Mixtures, on_line

FIRST, SECOND = {"weight": torch.zeros(2)}, {"weight": torch.ones(2)}
SCORES = torch.tensor([[0.5, 10.0]], dtype=torch.float64)
LINE = on_line(torch.tensor([0.0, 0.5, 1.0]))


def test_only_points_that_are_a_known_network_are_found() -> None:
    known = KnownScores([(SECOND, SCORES)])
    assert known.at([FIRST, SECOND], LINE, own_statistics=False) == {2: SCORES}
    assert known.at([SECOND, FIRST], LINE, own_statistics=False) == {0: SCORES}
    assert not known.at([FIRST, dict(SECOND)], LINE, own_statistics=False), "an equal state may change by itself"


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.add_(1),
        lambda value: value.data.mul_(-1),
        lambda value: value.data.mul_(5),
        lambda value: value.numpy().__setitem__(0, 3.0),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_network_that_has_been_changed_is_no_longer_known(
    change: Callable[[Tensor], object], dtype: torch.dtype
) -> None:
    state = {"weight": torch.tensor([1.0, 2.0], dtype=dtype), "count": torch.tensor(3)}
    known = KnownScores([(state, SCORES)])
    assert known.at([FIRST, state], LINE, own_statistics=False)
    change(state["weight"])
    assert not known.at([FIRST, state], LINE, own_statistics=False)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64, torch.int64, torch.bool])
def test_tensors_of_every_type_have_a_fingerprint(dtype: torch.dtype) -> None:
    assert fingerprint({"a": torch.ones(3).to(dtype)}) != fingerprint({"a": torch.zeros(3).to(dtype)})
    assert fingerprint({"a": torch.ones(3).to(dtype)}) == fingerprint({"a": torch.ones(3).to(dtype)})


def test_a_network_with_other_statistics_is_not_known_where_they_count() -> None:
    known = KnownScores([(SECOND, SCORES)])
    others = Mixtures(LINE.weights, homes=torch.tensor([0, EITHER, 0]))
    assert known.at([FIRST, SECOND], others, own_statistics=False) == {2: SCORES}
    assert not known.at([FIRST, SECOND], others, own_statistics=True)
    assert not known.at([FIRST, SECOND], Mixtures(LINE.weights, statistics=LINE.weights), own_statistics=False)
