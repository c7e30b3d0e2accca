"""Agreement of any networks: single pairs, symmetric matrices, and reports."""

from __future__ import annotations

import copy
import math

import example_modules
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lmc_utils import connect
from lmc_utils.measure import points
from lmc_utils.measure.functional_similarity import functional_similarity
from lmc_utils.settings import ParameterError

NAMES = ("disagreement", "both_wrong", "cka")


def test_a_pair_is_the_measurement_of_pairs() -> None:
    first, second, samples = example_modules.two("attention", 40)
    found = connect.agreement(first, second, samples)
    expected = functional_similarity(connect.pairs({"pair": [first, second]}, samples))
    for name in NAMES:
        assert found[name].dims == ()
        assert float(found[name]) == float(expected[name].squeeze())
    assert found.attrs["data"] == "40 samples in 1 batch"
    states = connect.agreement(first.state_dict(), second.state_dict(), samples, model=first)
    assert [float(states[name]) for name in NAMES] == [float(found[name]) for name in NAMES]


def test_matrices_are_symmetric_and_hold_each_network_with_itself() -> None:
    first, second, samples = example_modules.two("perceptron", 40)
    networks = {"a": first, "b": second, "c": copy.deepcopy(first)}
    found = connect.agreement_matrix(networks, samples)
    for name in NAMES:
        assert found[name].dims == ("first", "second")
        np.testing.assert_array_equal(found[name], found[name].transpose("second", "first").values)
        one = connect.agreement(first, second, samples)[name]
        assert float(found[name].sel(first="b", second="a")) == float(one)
    assert np.diag(found.disagreement).tolist() == [0, 0, 0]
    assert float(found.disagreement.sel(first="a", second="c")) == 0, "equal networks are no error"
    np.testing.assert_allclose(np.diag(found.cka), 1, rtol=1e-9)
    errors = connect.pair(first, second, samples, alphas=[0, 1]).error.sel(alpha=[0, 1])
    np.testing.assert_allclose(np.diag(found.both_wrong)[:2], errors)
    with pytest.raises(ParameterError, match=r"^networks must be at least two networks \(got 1\)"):
        connect.agreement_matrix({"a": first}, samples)


@pytest.mark.parametrize("batchnorm", ["reestimate", "interpolate", "keep"])
def test_a_report_contains_it_and_says_it_in_words(batchnorm: str) -> None:
    first, second, samples = example_modules.two("normalised", 40)
    report = connect.pair(first, second, samples, alphas=3, batchnorm=batchnorm, agreement=True)
    expected = connect.agreement(first, second, samples, batchnorm=batchnorm)
    assert [float(report[name]) for name in NAMES] == [float(expected[name]) for name in NAMES]
    words = (
        f"The networks predict different classes for {float(expected.disagreement):.1f} % of the samples; the linear"
    )
    assert words in report.sentence
    assert [row[2] for row in report.tables()["Agreement"][1:]] == ["%", "%", ""]
    assert "disagreement" not in connect.pair(first, second, samples, alphas=3).dataset


def test_alignment_does_not_change_it() -> None:
    first, second, samples = example_modules.two("perceptron", 40)
    plain, aligned = (
        connect.pair(first, second, samples, alphas=3, agreement=True, align=align) for align in (False, True)
    )
    assert float(aligned.distance_after) < float(aligned.distance_before)
    assert float(aligned.disagreement) == float(plain.disagreement)
    assert float(aligned.cka) == pytest.approx(float(plain.cka), rel=1e-5)


def test_it_is_left_out_with_the_reason() -> None:
    inputs = torch.randn(12, 2, 6)
    first, second = nn.Conv1d(2, 3, 3), nn.Conv1d(2, 3, 3)
    report = connect.pair(first, second, (inputs, torch.randint(3, (12, 4))), alphas=3, agreement=True)
    assert report.attrs["agreement_left_out"].startswith("predicted classes take outputs (samples, classes) and labels")
    assert "failed" not in report.attrs
    assert "different classes" not in report.sentence

    def squared(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().flatten(1).mean(1)

    report = connect.pair(first, second, (inputs, torch.randn(12, 3, 4)), alphas=3, agreement=True, loss=squared)
    assert report.attrs["agreement_left_out"] == "predicted classes and probabilities are known for cross-entropy only"
    flat = [nn.Sequential(nn.Conv1d(2, 3, 6), nn.Flatten()) for _ in range(2)]
    report = connect.pair(*flat, (inputs, torch.randint(3, (12,))), alphas=3, agreement=True)
    assert report.attrs["cka_left_out"] == "NaN where the networks call no linear layer"
    assert math.isnan(float(report.cka))
    assert report.sentence.endswith(" % of the samples.")


def test_an_interrupted_matrix_has_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, samples = example_modules.two("perceptron", 40)
    networks, calls, most = {"a": first, "b": second}, 0, 10**6
    run = nn.LayerNorm.forward

    def counted(layer: nn.LayerNorm, inputs: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > most:
            raise KeyboardInterrupt
        return run(layer, inputs)

    monkeypatch.setattr(nn.LayerNorm, "forward", counted)
    whole = connect.agreement_matrix(networks, samples)
    calls, most = 0, calls - 1
    with pytest.raises(points.Interrupted) as stop:
        connect.agreement_matrix(networks, samples)
    partial = stop.value.partial.disagreement.sel(split="data")
    assert partial.isnull().values.tolist() == [[False, False], [True, True]]
    assert float(partial[0, 1]) == float(whole.disagreement[0, 1])
