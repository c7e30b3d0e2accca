"""A curve between two networks of any kind: lower than the line, and with the networks at its ends."""

from __future__ import annotations

import copy

import example_modules
import numpy as np
import pytest
import torch
from torch import nn

from lmc_utils import connect
from lmc_utils.measure import curves
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.settings import ParameterError

SHORT = CurveSettings(curve_epochs=3, curve_points=5)


def trained(kind: str) -> tuple[nn.Module, nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    first, second, samples = example_modules.two(kind, 48)
    for network in (first, second):
        network.eval()
        optimiser = torch.optim.Adam(network.parameters(), 0.02)
        for _ in range(60):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(samples[0]), samples[1]).backward()
            optimiser.step()
    return first, second, samples


def test_inner_nodes_follow_the_chain_rule() -> None:
    """One step with one batch: the node moves by the gradient at the drawn point, times its weight there."""
    first, second, samples = example_modules.two("perceptron")
    pairs = connect.pairs({"only": [first, second]}, [samples])
    how = CurveSettings(curve_epochs=1, curve_rate=0.1)
    (inner,) = curves.train(pairs, how).inner
    t = curves.draws_of_t(curves._stream(pairs, (0,), 0), 0, 1)
    shares = how.weights(torch.from_numpy(t))[0]
    point = copy.deepcopy(first).eval()
    middles = {}
    with torch.no_grad():
        for (name, own), other in zip(point.named_parameters(), second.parameters(), strict=True):
            middles[name] = (own + other) / 2
            own.copy_(shares[0] * own + shares[1] * middles[name] + shares[2] * other)
    nn.functional.cross_entropy(point(samples[0]), samples[1]).backward()
    for name, value in point.named_parameters():
        wanted = middles[name] - 0.1 * shares[1] * value.grad
        torch.testing.assert_close(inner[name][0].view_as(wanted), wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["perceptron", "normalised", "lstm"])
@pytest.mark.parametrize(
    "how", [CurveSettings(curve_epochs=60), CurveSettings(curve="chain", bends=2, curve_epochs=60)]
)
def test_a_trained_curve_is_lower_than_the_line(kind: str, how: CurveSettings) -> None:
    first, second, samples = trained(kind)
    found = connect.pair(first, second, samples, curve=how, batchnorm="interpolate")
    assert float(found.curve_loss.max()) < float(found.loss.max())
    np.testing.assert_allclose(found.curve_loss[[0, -1]], found.loss[[0, -1]], rtol=1e-6)
    assert found.attrs["curve_length"] >= 1
    assert float(found.curve_loss_barrier) < float(found.loss_barrier)
    assert len(found.plot().axes[0].lines) == 3


def test_a_curve_that_was_not_trained_is_the_line() -> None:
    first, second, samples = example_modules.two("normalised", dtype=torch.float64)
    for batchnorm in ("reestimate", "interpolate", "keep"):
        how = CurveSettings(curve_epochs=1, curve_rate=1e-30, curve_points=5)
        found = connect.pair(first, second, samples, alphas=5, curve=how, batchnorm=batchnorm)
        np.testing.assert_allclose(found.curve_loss, found.loss, rtol=1e-9)
        assert found.attrs["curve_length"] == pytest.approx(1)
        assert found.attrs["curve_off_line"] == pytest.approx(0, abs=1e-7)


def test_untrainable_networks_are_one_line_errors() -> None:
    first, second, samples = example_modules.two("perceptron", dtype=torch.bfloat16)
    with pytest.raises(ParameterError, match=r"^curve: parameters must be in float32 or float64 \(got"):
        connect.pair(first, second, samples, curve=SHORT)
    first, second, samples = example_modules.two("perceptron")
    wild = CurveSettings(curve_epochs=40, curve_rate=1e30)
    with pytest.raises(ParameterError, match=r"^curve_rate: training of the curve diverged in epoch \d+ of 40; 1e\+30"):
        connect.pair(first, second, samples, curve=wild)


def test_samples_that_a_curve_cannot_be_trained_on_are_a_one_line_error() -> None:
    first, second, samples = example_modules.two("perceptron")
    others = torch.ones(4, 7), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ParameterError, match=r"^curve: the network or the loss raised, for a batch to estimate"):
        connect.pair(first, second, samples, alphas=3, curve=True, estimated_on=others)
