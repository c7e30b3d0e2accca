"""Networks around their mean: closed forms for a simplex, and an independent loop in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.sibling_sets import around_mean
from lmc_utils.measure.stacked_evaluator import StackedEvaluator
from lmc_utils.networks import layers, stack
from lmc_utils.networks.stack import Networks
from lmc_utils.settings import ParameterError

NETWORK = nn.Sequential(layers.Linear(1, 4, 5), nn.Tanh(), layers.Linear(1, 5, 3)).double()
PARAMETERS = 43


def group(count: int) -> tuple[Pairs, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(count)
    inputs = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    samples = (inputs, inputs[:, :3].argmax(1))
    thetas = torch.randn(count, PARAMETERS, generator=generator, dtype=torch.float64)
    evaluator = StackedEvaluator(NETWORK, {"train": samples})
    return Pairs(evaluator, {"group": [0]}, [(0,)], lambda _: Networks(thetas), networks=count), thetas, samples


def loss(theta: torch.Tensor, samples: tuple[torch.Tensor, torch.Tensor]) -> float:
    logits = stack.bound(NETWORK, theta[None])(samples[0][None])[0]
    return float(nn.functional.cross_entropy(logits, samples[1]).detach())


def test_distances_and_dimension_are_those_of_a_loop() -> None:
    pairs, thetas, samples = group(5)
    found = around_mean(pairs).squeeze("group")
    apart = [float((thetas[i] - thetas[j]).norm()) for i in range(5) for j in range(i)]
    centred = thetas - thetas.mean(0)
    variances = np.linalg.svd(centred.numpy())[1] ** 2
    expected = {
        "radius": float(centred.norm(dim=1).square().mean().sqrt()),
        "distance": np.mean(apart),
        "distance_spread": np.std(apart),
        "dimension": variances.sum() ** 2 / (variances**2).sum(),
    }
    assert {name: found[name].item() for name in expected} == pytest.approx(expected)
    assert found.loss.sel(where="networks") == pytest.approx(np.mean([loss(each, samples) for each in thetas]))
    assert found.loss.sel(where="mean") == pytest.approx(loss(thetas.mean(0), samples))


def test_the_points_of_the_sphere_have_its_radius(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, thetas, samples = group(4)
    weights = []
    scores = StackedEvaluator.scores

    def recorded(self, corners, points, splits):  # type: ignore[no-untyped-def]
        weights.append(points.weights[5:])
        return scores(self, corners, points, splits)

    monkeypatch.setattr(StackedEvaluator, "scores", recorded)
    found = around_mean(pairs, samples=7, seed=3).squeeze("group")
    (sphere,) = weights
    drawn = sphere @ thetas
    assert len(drawn) == 7
    assert torch.allclose((drawn - thetas.mean(0)).norm(dim=1), torch.tensor(found.radius.item(), dtype=torch.float64))
    assert found.loss.sel(where="sphere") == pytest.approx(np.mean([loss(each, samples) for each in drawn]))


def test_fewer_than_three_networks_are_rejected() -> None:
    with pytest.raises(ParameterError, match="networks must be >= 3 in each group"):
        around_mean(group(2)[0])
