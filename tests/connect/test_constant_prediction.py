"""The constant error is that of the best constant prediction, found by brute force."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lmc_utils.connect.constant_prediction import constant_error
from lmc_utils.connect.samples.repeatable_data import repeatable


@pytest.mark.parametrize("labels", [[0, 1, 1, 3], [[0, 0], [1, 2], [0, 2], [2, 2]]])
def test_the_constant_error_is_that_of_the_best_constant_answer(labels: list[Any]) -> None:
    target = torch.tensor(labels)
    by_hand = min(100 * float((target != label).double().mean()) for label in range(4))  # as many places in each sample
    batches = [(torch.zeros(3, 1), target[:3]), (torch.zeros(1, 1), target[3:])]
    assert constant_error(repeatable(batches)) == pytest.approx(by_hand)
    assert constant_error(repeatable((torch.zeros(2, 1), torch.ones(2)))) is None
    assert constant_error(repeatable((torch.zeros(2, 1), torch.tensor([-100, 1])))) is None
