"""Products with the Hessian against dense matrices of torch, between evaluators, and against curvature."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import example_modules
import numpy as np
import pytest
import torch
from small_pairs import DESIGNS, SAMPLES, first, operators, parameters, two_pairs
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from lmc_utils import connect
from lmc_utils.measure import curvature, hessian, stacked_loss
from lmc_utils.measure.batchnorm import CONVENTIONS
from lmc_utils.measure.mixtures import on_line
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.spectrum import dense, eigenvalues
from lmc_utils.networks import stack
from lmc_utils.settings import ParameterError

cases = pytest.mark.parametrize(("norm", "convention"), [("none", "keep"), *(("batch", each) for each in CONVENTIONS)])


@cases
def test_a_stack_has_the_dense_hessian_and_gauss_newton_matrix(norm: str, convention: str) -> None:
    pairs, _ = two_pairs(norm, convention)
    evaluator, theta = pairs.evaluator, parameters(pairs)[0]
    inputs, labels = evaluator.samples["train"]
    (buffers, *_) = evaluator.statistics(next(iter(pairs))[1], on_line(torch.zeros(1)), theta[None])

    def logits(vector: Tensor) -> Tensor:
        values = stack.unflatten(vector[None], evaluator.network, buffers)
        return torch.func.functional_call(evaluator.network, values, (inputs[None],))[0]

    whole = torch.func.hessian(lambda vector: functional.cross_entropy(logits(vector), labels))(theta)
    jacobian, chances = torch.func.jacrev(logits)(theta), logits(theta).softmax(1)
    curved = torch.diag_embed(chances) - chances[:, :, None] * chances[:, None]
    gauss_newton = torch.einsum("nkp,nkl,nlq->pq", jacobian, curved, jacobian) / SAMPLES
    found = {part: dense(each) for part, each in operators(pairs).items()}
    scale = float(whole.abs().max())
    np.testing.assert_allclose(found["hessian"], whole, atol=1e-12 * scale)
    np.testing.assert_allclose(found["gauss_newton"], gauss_newton, atol=1e-12 * scale)
    np.testing.assert_allclose(found["gauss_newton"] + found["remainder"], whole, atol=1e-12 * scale)
    assert eigenvalues(found["gauss_newton"])[-1] > -1e-12 * scale
    assert np.abs(found["remainder"]).max() > 1e-3 * scale


@cases
def test_both_evaluators_have_the_same_spectrum(norm: str, convention: str) -> None:
    """Their parameters are in another order. The batches of the modules have other sizes."""
    stacked, modules = two_pairs(norm, convention, batch_size=5 if convention != "reestimate" else SAMPLES)
    for part in hessian.PARTS:
        one, other = (eigenvalues(dense(operators(pairs)[part])) for pairs in (stacked, modules))
        np.testing.assert_allclose(other, one, atol=1e-12 * np.abs(one).max())


@pytest.mark.parametrize("norm", DESIGNS)
def test_a_module_has_the_dense_hessian(norm: str) -> None:
    _, pairs = two_pairs(norm, "keep")
    network, (state,) = pairs.evaluator.module, first(pairs)
    inputs, labels, _ = next(iter(pairs.evaluator.samples["data"]))
    shapes = {name: value.shape for name, value in network.named_parameters()}

    def loss(vector: Tensor) -> Tensor:
        pieces = vector.split([shape.numel() for shape in shapes.values()])
        values = {name: piece.view(shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}
        return functional.cross_entropy(torch.func.functional_call(network, {**state, **values}, inputs), labels)

    expected = torch.func.hessian(loss)(parameters(pairs)[0])
    found = dense(hessian.operator(pairs.evaluator, first(pairs)))
    np.testing.assert_allclose(found, expected, atol=1e-12 * float(expected.abs().max()))


@pytest.mark.parametrize("kind", example_modules.KINDS)
def test_a_product_with_a_difference_is_the_curvature_along_it(kind: str) -> None:
    one, other, samples = example_modules.two(kind, dtype=torch.float64)
    pairs = connect.pairs({"only": [one, other]}, samples, batchnorm="keep")
    thetas = parameters(pairs)
    delta = (thetas[1] - thetas[0]).numpy()
    expected = curvature.along(pairs, by_layer=False).curvature.isel(alpha=0).item()
    found = {part: float(delta @ (each @ delta)) for part, each in operators(pairs).items()}
    assert found["hessian"] == pytest.approx(expected, rel=1e-9)
    assert found["gauss_newton"] + found["remainder"] == pytest.approx(expected, rel=1e-9)


def test_the_size_and_order_of_batches_do_not_matter() -> None:
    pairs, _ = two_pairs("batch", "keep")
    evaluator, network = pairs.evaluator, next(iter(pairs))[1].rows([0])
    inputs, labels = evaluator.samples["train"]
    vectors = np.random.default_rng(0).standard_normal((len(network.theta[0]), 3))
    expected = hessian.operator(evaluator, network) @ vectors
    for memory, order, count in ((0.005, torch.arange(SAMPLES), 4), (1.0, torch.arange(SAMPLES).flip(0), 1)):
        loss = stacked_loss.loss_function(
            evaluator.network, network.theta[0], inputs[order], labels[order], buffers=network.buffers, memory=memory
        )
        assert loss.count == count
        part = hessian.operator(SimpleNamespace(splits=["train"], loss_function=lambda *_, loss=loss: loss), network)
        for _ in range(2):
            np.testing.assert_allclose(part @ vectors, expected, atol=1e-13)
        np.testing.assert_allclose(np.stack([part @ vector for vector in vectors.T], 1), expected, atol=1e-13)


def squared(output: dict[str, Tensor], target: Tensor) -> Tensor:
    return (output["mean"] - target[:, None]).square().mean(1)


class OneOutput(nn.Module):
    """Returns a dict; batch normalisation in evaluation mode does not change."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"mean": self.body(inputs)}


class Once(torch.autograd.Function):
    """The identity, differentiable once."""

    @staticmethod
    def forward(_: Any, inputs: Tensor) -> Tensor:
        return inputs.clone()

    @staticmethod
    @once_differentiable
    def backward(_: Any, slope: Tensor) -> Tensor:
        return slope.clone()


class DifferentiableOnce(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        return Once.apply(super().forward(inputs))


def pairs_of(make: Any, target: Tensor, **options: Any) -> Pairs:
    torch.manual_seed(0)
    inputs = torch.randn(len(target), 3)
    return connect.pairs({"only": [make(), make()]}, (inputs, target), batchnorm="keep", **options)


def test_a_loss_of_the_users_has_a_hessian_but_no_parts_without_one_tensor() -> None:
    pairs = pairs_of(OneOutput, torch.randn(8), loss=squared, error=None)
    network, vector = first(pairs), (parameters(pairs)[1] - parameters(pairs)[0]).numpy()
    product = hessian.operator(pairs.evaluator, network) @ vector
    expected = curvature.along(pairs, by_layer=False).curvature.isel(alpha=0).item()
    assert float(vector @ product) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ParameterError, match=r"^part must be 'hessian' unless .* \(got 'gauss_newton' and a dict\)$"):
        hessian.operator(pairs.evaluator, network, part="gauss_newton") @ vector


def test_errors_are_one_line() -> None:
    pairs = pairs_of(lambda: DifferentiableOnce(3, 2), torch.arange(8) % 2)
    evaluator, network = pairs.evaluator, first(pairs)
    with pytest.raises(ParameterError, match="unknown part 'hesian'; did you mean 'hessian'"):
        hessian.operator(evaluator, network, part="hesian")
    with pytest.raises(ParameterError, match="unknown split 'tests'; choose from"):
        hessian.operator(evaluator, network, split="tests")
    for part in hessian.PARTS:  # torch itself takes the second derivative as 0
        with pytest.raises(ParameterError, match=r"^hessian: torch cannot .* is marked with @once_differentiable$"):
            hessian.operator(evaluator, network, part=part) @ np.ones(8)
    with pytest.raises(ParameterError, match=r"^curvature: torch cannot .* is marked with @once_differentiable$"):
        curvature.along(pairs)
    constant = pairs_of(lambda: nn.Linear(3, 2), torch.arange(8) % 2, loss=lambda output, _: output.argmax(1).float())
    with pytest.raises(ParameterError, match=r"^hessian: torch cannot differentiate the loss twice: RuntimeError: .*$"):
        hessian.operator(constant.evaluator, first(constant)) @ np.ones(8)
    stacked, _ = two_pairs("none", "keep")
    infinite = stack.Networks(first(stacked).theta * np.inf)
    with pytest.raises(ParameterError, match=r"^hessian: the loss or a derivative of it is NaN or infinite$"):
        hessian.operator(stacked.evaluator, infinite) @ np.ones(infinite.theta.shape[1])
