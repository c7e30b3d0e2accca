"""Derivatives of any module against autograd on the same loss, written out."""

from __future__ import annotations

import copy

import example_modules
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lmc_utils import connect
from lmc_utils.measure import curvature, module_derivatives
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.derivatives import Derivatives
from lmc_utils.measure.module_scores import cross_entropy
from lmc_utils.measure.module_state import State, tensors


def normalised() -> nn.Module:
    """A module with running statistics that were made up, in evaluation mode."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 2)).double().eval()
    module[1].running_mean.copy_(torch.tensor([0.1, -0.2, 0.3]))
    module[1].running_var.copy_(torch.tensor([0.5, 1.0, 2.0]))
    return module.requires_grad_(False)


def batches(*sizes: int) -> Batches:
    draws = torch.Generator().manual_seed(1)
    found = [
        Batch(torch.randn(size, 4, generator=draws, dtype=torch.float64), torch.arange(size) % 2, size)
        for size in sizes
    ]
    return Batches(found, sum(sizes), len(sizes), "")


def directional_derivatives(module: nn.Module, deltas: State, samples: Batches, *, batchwise: bool) -> Derivatives:
    """Along the first two layers and the last one, as two parts."""
    parts = {name: [int(name.startswith("3"))] for name in deltas}
    return module_derivatives.directional_derivatives(
        module, deltas, parts, count=2, batches=samples, loss=cross_entropy, batchwise=batchwise
    )


@pytest.mark.parametrize("statistics", ["batch", "constant", "moving"])
def test_two_parts_of_a_direction_agree_with_the_dense_hessian(statistics: str) -> None:
    module, (batch,) = normalised(), batches(6)
    draws = torch.Generator().manual_seed(2)
    moving = ["1.running_mean", "1.running_var"] if statistics == "moving" else []
    names = [*dict(module.named_parameters()), *moving]
    own = {name: value.clone() for name, value in tensors(module).items()}
    deltas = {name: 0.1 * torch.rand(own[name].shape, generator=draws, dtype=torch.float64) for name in names}

    def loss(steps: Tensor) -> Tensor:
        at = {
            name: own[name] + (steps[int(name.startswith("3"))] * deltas[name] if name in deltas else 0) for name in own
        }
        hidden = batch.inputs @ at["0.weight"].T + at["0.bias"]
        mean, variance = at["1.running_mean"], at["1.running_var"]
        if statistics == "batch":
            mean, variance = hidden.mean(0), hidden.var(0, correction=0)
        hidden = (hidden - mean) / (variance + 1e-5).sqrt() * at["1.weight"] + at["1.bias"]
        return cross_entropy(hidden.tanh() @ at["3.weight"].T + at["3.bias"], batch.target).mean()

    found = directional_derivatives(module, deltas, batches(6), batchwise=statistics == "batch")
    start = torch.zeros(2, dtype=torch.float64)
    torch.testing.assert_close(found.loss, loss(start))
    torch.testing.assert_close(found.slope, torch.func.grad(loss)(start))
    torch.testing.assert_close(found.curvature, torch.func.hessian(loss)(start))


def test_batches_of_one_sample_are_left_out_where_they_need_statistics_of_their_own() -> None:
    module = normalised()
    deltas = {name: torch.ones_like(value) for name, value in module.named_parameters()}
    for batchwise in (True, False):
        with_one, without = (
            directional_derivatives(module, deltas, batches(*sizes), batchwise=batchwise) for sizes in ((6, 1), (6,))
        )
        assert torch.equal(with_one.slope, without.slope) is batchwise


def test_a_gradient_is_that_of_a_training_step_and_leaves_the_module_as_it_was() -> None:
    module, (batch,) = normalised(), batches(6)
    before = copy.deepcopy(module.state_dict())
    trained = copy.deepcopy(module).requires_grad_().train()
    with torch.no_grad():
        for value in trained.parameters():
            value += 0.1
    cross_entropy(trained(batch.inputs), batch.target).mean().backward()
    found = module_derivatives.gradient(module, dict(trained.named_parameters()), batch, cross_entropy)
    for name, value in trained.named_parameters():
        torch.testing.assert_close(found[name], value.grad)
    assert not any(part.training for part in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("batchnorm", CONVENTIONS)
@pytest.mark.parametrize("kind", example_modules.KINDS)
def test_curvature_by_layer_adds_up_to_the_whole(kind: str, batchnorm: str) -> None:
    if kind != "normalised" and batchnorm != "reestimate":
        pytest.skip("it has no statistics")
    first, second, samples = example_modules.two(kind, dtype=torch.float64)
    pairs = connect.pairs({"only": [first, second]}, samples, batchnorm=batchnorm)
    parts, whole = (curvature.along(pairs, [0.0, 0.5, 1.0], by_layer=by_layer) for by_layer in (True, False))
    layers = ["layer", "with_layer"]
    np.testing.assert_allclose(parts.loss, whole.loss)
    np.testing.assert_allclose(parts.slope.sum("layer"), whole.slope, rtol=1e-9)
    np.testing.assert_allclose(parts.curvature.sum(layers), whole.curvature, rtol=1e-9)
    np.testing.assert_allclose(parts.squared_distance.sum("layer"), whole.squared_distance)
    vectors = [torch.nn.utils.parameters_to_vector(each.parameters()).detach() for each in (first, second)]
    assert whole.squared_distance.item() == pytest.approx(float((vectors[1] - vectors[0]).square().sum()))
