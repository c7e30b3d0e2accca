"""The sentences of a report follow from its numbers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from made_reports import made
from torch import nn

from lmc_utils import connect
from lmc_utils.connect.alignment.aligned_pairs import Matching
from lmc_utils.connect.reports.report import Report
from lmc_utils.connect.reports.sentences import points_of_error
from lmc_utils.measure.curves import CurveSettings

ADVICE = ("stable", "can be averaged")


def test_the_sentence_names_definition_samples_statistics_and_cost() -> None:
    sentence = made([1.0, 1.2, 1.0], [10.0, 11.0, 10.0]).sentence
    assert sentence.startswith("Averaging costs 1.0 points of error; the error barrier, the largest error on the line")
    for part in (
        "(Frankle et al. 2020), is 1.0 points, below the bound of 2: stable",
        "90 samples",
        "no batch-norm statistics",
    ):
        assert part in sentence
    assert "not below the bound of 2: not stable" in made([1.0, 2.0, 1.0], [10.0, 15.0, 10.0]).sentence
    assert "Averaging saves 3.0 points" in made([1.0, 1.2, 1.0], [10.0, 7.0, 10.0]).sentence


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (made([1.0, 1.2, 1.0], [10.0, 30.0, 15.1]), "One end is much worse than the other: their errors are 10.0 %"),
        (made([1.0, 1.2, 1.0], [59.1, 58.0, 70.0]), "Both networks are at chance: their errors are 59.1 % and 70.0 %"),
        (made([1.0, 0.9, 1.0], [10.0, 10.0, 10.0]), "the loss never rises above the chord"),
        (made([1.0, np.nan, 1.0], [10.0, np.nan, 10.0], not_finite=[0.5]), "is NaN or infinite at alpha = 0.5"),
        (made([1.0, np.nan, 1.0], [10.0, np.nan, 10.0]), "2 of 3 points of the line were measured"),
    ],
    ids=["one is much worse", "chance", "below the chord", "not finite", "stopped"],
)
def test_where_a_barrier_means_little_it_says_so_and_gives_no_advice(report: Report, said: str) -> None:
    assert said in report.sentence
    assert not any(word in report.sentence for word in ADVICE)


def test_ends_five_points_apart_or_better_than_chance_by_more_than_a_point_get_advice() -> None:
    for ends in ((10.0, 15.0), (58.9, 58.9), (58.9, 60.0)):
        assert "stable" in made([1.0, 1.2, 1.0], [ends[0], sum(ends) / 2, ends[1]]).sentence


def test_a_rounded_number_is_on_the_same_side_of_its_bound() -> None:
    assert "is 1.96 points, below the bound of 2" in made([1.0, 1.2, 1.0], [10.0, 11.96, 10.0]).sentence
    assert "by less than 0.05 points" in made([1.0, 1.2, 1.0], [10.0, 9.96, 10.0]).sentence
    assert points_of_error(2 - 1e-9, 2.0) == "1.999999999"


def test_the_sentence_separates_alignment_and_curve() -> None:
    """The second network is nearly a permutation of the first, so alignment lowers the barrier."""
    torch.manual_seed(0)
    first = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    second, order = copy.deepcopy(first), torch.arange(8).roll(3)
    with torch.no_grad():
        for own, other in ((second[0].weight, first[0].weight[order]), (second[0].bias, first[0].bias[order])):
            own.copy_(other)
        second[2].weight.copy_(first[2].weight[:, order] + 0.01)
    inputs = torch.randn(60, 3)
    with torch.no_grad():
        first[2].bias.sub_(first(inputs).median(0).values)  # so that both labels are frequent
        second[2].bias.copy_(first[2].bias)
    samples = inputs, first(inputs).argmax(1)
    curve = CurveSettings(curve_epochs=1, curve_points=3)
    found = connect.pair(first, second, samples, alphas=3, align=Matching(starts=0), curve=curve)
    plain = connect.pair(first, second, samples, alphas=3)
    assert float(found.error_at_half_unaligned) == pytest.approx(float(plain.error_at_half))
    assert float(found.loss_at_half_unaligned) == pytest.approx(float(plain.loss_at_half), rel=1e-5)
    assert float(found.loss_at_half) < float(found.loss_at_half_unaligned)
    assert found.sentence.startswith("After alignment, averaging ")
    assert f"(as the networks are, it costs {float(plain.error_at_half):.1f} points of error)" in found.sentence
    assert "Along the curve between the aligned networks, which was trained on the samples measured" in found.sentence
    other = connect.pair(first, second, samples, alphas=3, curve=curve, estimated_on=(inputs[:30], samples[1][:30]))
    assert "which was trained on other samples (30 samples in 1 batch)" in other.sentence
    assert not any("unaligned" in str(name) for name in other.dataset)


def test_untrained_networks_are_at_chance_and_an_untrained_one_is_much_worse() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(200, 3)
    samples = inputs, (inputs[:, 0] > 0).long()
    trained, noise = nn.Linear(3, 2), nn.Linear(3, 2)
    with torch.no_grad():
        trained.weight.copy_(torch.tensor([[-5.0, 0, 0], [5, 0, 0]]))
        noise.weight.copy_(torch.tensor([[0, 5.0, 0], [0, -5, 0]]))
        constant = copy.deepcopy(noise)
        constant.weight.mul_(0.5)
    assert connect.pair(trained, noise, samples, alphas=3).sentence.startswith("One end is much worse")
    found = connect.pair(noise, constant, samples, alphas=3)
    ones = float(samples[1].double().mean())
    assert found.attrs["constant_error"] == pytest.approx(100 * min(ones, 1 - ones))
    assert found.sentence.startswith("Both networks are at chance")
