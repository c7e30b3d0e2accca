"""Known scores: found for the very networks that they are of, and only while their tensors stay the same."""

from __future__ import annotations

import torch

from lmc_utils.measure.known_scores import KnownScores
from lmc_utils.measure.mixtures import EITHER, Mixtures, on_line

FIRST, SECOND = {"weight": torch.zeros(2)}, {"weight": torch.ones(2)}
SCORES = torch.tensor([[0.5, 10.0]], dtype=torch.float64)
LINE = on_line(torch.tensor([0.0, 0.5, 1.0]))


def test_only_points_that_are_a_known_network_are_found() -> None:
    known = KnownScores([(SECOND, SCORES)])
    assert known.at([FIRST, SECOND], LINE, own_statistics=False) == {2: SCORES}
    assert known.at([SECOND, FIRST], LINE, own_statistics=False) == {0: SCORES}
    assert not known.at([FIRST, dict(SECOND)], LINE, own_statistics=False), "an equal state may change by itself"


def test_a_network_that_has_been_changed_is_no_longer_known() -> None:
    state = {"weight": torch.ones(2)}
    known = KnownScores([(state, SCORES)])
    state["weight"].add_(1)
    assert not known.at([FIRST, state], LINE, own_statistics=False)


def test_a_network_with_other_statistics_is_not_known_where_they_count() -> None:
    known = KnownScores([(SECOND, SCORES)])
    others = Mixtures(LINE.weights, homes=torch.tensor([0, EITHER, 0]))
    assert known.at([FIRST, SECOND], others, own_statistics=False) == {2: SCORES}
    assert not known.at([FIRST, SECOND], others, own_statistics=True)
    assert not known.at([FIRST, SECOND], Mixtures(LINE.weights, statistics=LINE.weights), own_statistics=False)
