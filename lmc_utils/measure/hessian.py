"""The Hessian of a network's mean loss as a linear operator, whose products need no matrix.

With outputs o(theta) and the loss l(o) of a sample, the chain rule splits the Hessian into two parts (Schraudolph 2002,
"Fast curvature matrix-vector products for second-order gradient descent"; Sagun et al. 2017, arXiv 1706.04454):

    H = J^T (d^2 l / do^2) J  +  sum over outputs k of (dl / do_k) (d^2 o_k / dtheta^2)

The first is the (generalised) Gauss-Newton matrix, positive semidefinite where the loss is convex in the outputs, as
cross-entropy is. The second, here the *remainder*, vanishes where the residuals dl / do_k do. Products are
differentiated twice in reverse mode (Pearlmutter 1994), each part by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from lmc_utils.measure.derivatives import require_differentiable, twice_differentiable
from lmc_utils.measure.evaluator import Corners, Evaluator
from lmc_utils.measure.loss_function import BatchLoss, LossFunction
from lmc_utils.measure.user_code_errors import reported
from lmc_utils.settings import ParameterError, require_choice

Product = Callable[[Tensor], Tensor]
"""From a vector, shape (parameters,), to its product with a symmetric matrix, the same shape."""


def operator(
    evaluator: Evaluator, corners: Corners, *, split: str | None = None, part: str = "hessian"
) -> LinearOperator:
    """The Hessian of the mean loss of one network, or one of its two parts, as a linear operator.

    Products are computed in the precision of the network, and added up over batches in float64. Normalisations are in
    evaluation mode, with the running statistics with which the evaluator scores the network, as constants. So
    `delta^T H delta` is the curvature of `curvature.along(..., by_layer=False)` at an endpoint, except that the latter
    moves or differentiates statistics under the conventions `interpolate` and `reestimate`.

    Args:
        evaluator: holds the samples and the loss.
        corners: one network, such as `evaluator.select(corners, [0])`.
        split: name of the samples; by default the first split.
        part: `hessian`, `gauss_newton` or `remainder`; the latter two add up to the first.

    Returns:
        A symmetric `scipy.sparse.linalg.LinearOperator`, float64, shape (parameters, parameters), in the unit of the
        loss; the order of the parameters is that of `evaluator.vectors`. Several vectors at once (`matmat`) share one
        pass forward and one backward. If the samples fit into one batch, so do all products, and its activations stay
        in memory for as long as the operator does.

    Raises:
        ParameterError: an unknown split or part, or a network that is not supported. A product raises it where torch
            cannot differentiate the loss twice, where a result is NaN or infinite, and for a part whose loss is not one
            of a single tensor.

    >>> from lmc_utils.measure.stacked_evaluator import StackedEvaluator
    >>> from lmc_utils.networks.layers import Linear
    >>> from lmc_utils.networks.stack import Networks
    >>> samples = {"train": (torch.tensor([[2.0]]), torch.tensor([0]))}
    >>> hessian = operator(StackedEvaluator(Linear(1, 1, 2), samples), Networks(torch.zeros(1, 4)))
    >>> hessian @ np.array([1.0, 0.0, 0.0, 0.0])  # two weights, then two biases
    array([ 1. , -1. ,  0.5, -0.5])
    """
    require_choice("part", part, PARTS)
    split = evaluator.splits[0] if split is None else split
    require_choice("split", split, evaluator.splits)
    loss = evaluator.loss_function(corners, split)
    products = _Products(loss, PARTS[part])

    def product(vector: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return products(vector.reshape(-1, 1))[:, 0]

    shape = (len(loss.vector),) * 2
    return LinearOperator(shape, dtype=np.float64, matvec=product, rmatvec=product, matmat=products, rmatmat=products)


class _Products:
    """Products of one matrix with several vectors, the columns of an array."""

    def __init__(self, loss: LossFunction, part: Callable[[BatchLoss, Tensor], Product]) -> None:
        self._loss, self._part, self._only_batch = loss, part, list[Product]()

    def __call__(self, columns: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        vectors = torch.from_numpy(np.array(columns.T, dtype=np.float64, order="C"))
        total = torch.zeros_like(vectors)
        with (
            torch.enable_grad(),
            twice_differentiable(),
            reported("hessian: torch cannot differentiate the loss twice:"),
        ):
            for product in self._only_batch or self._batches():
                for row, vector in zip(total, vectors.to(self._loss.vector), strict=True):
                    row += product(vector).to(row)
        if not bool(total.isfinite().all()):
            raise ParameterError("hessian: the loss or a derivative of it is NaN or infinite")
        result: np.ndarray[Any, Any] = (total / self._loss.samples).T.numpy()
        return result

    def _batches(self) -> Iterator[Product]:
        for batch in self._loss.batches():
            product = self._part(batch, self._loss.vector.detach().clone().requires_grad_())
            if self._loss.count == 1:
                self._only_batch.append(product)
            yield product


def _hessian(batch: BatchLoss, vector: Tensor) -> Product:
    slope = _slope(batch.loss(batch.outputs(vector)), vector)
    return lambda direction: _change(slope, vector, direction)


def _gauss_newton(batch: BatchLoss, vector: Tensor) -> Product:
    outputs, leaf, residuals = _residuals(batch, vector, "gauss_newton")
    weights = torch.zeros_like(outputs, requires_grad=True)
    slope = _slope(outputs, vector, weights)  # J^T weights, which is linear in the weights

    def product(direction: Tensor) -> Tensor:
        output_change = _change(slope, weights, direction)
        return _change(outputs, vector, _change(residuals, leaf, output_change))

    return product


def _remainder(batch: BatchLoss, vector: Tensor) -> Product:
    outputs, _, residuals = _residuals(batch, vector, "remainder")
    weights = residuals.detach().requires_grad_()  # else functions that are differentiable only once are not noticed
    slope = _slope(outputs, vector, weights)
    return lambda direction: _change(slope, vector, direction)


def _residuals(batch: BatchLoss, vector: Tensor, part: str) -> tuple[Tensor, Tensor, Tensor]:
    """The outputs, a copy of them as a leaf, and the slope of the loss in this leaf."""
    outputs = batch.outputs(vector)
    if not (isinstance(outputs, Tensor) and outputs.is_floating_point()):
        got = outputs.dtype if isinstance(outputs, Tensor) else f"a {type(outputs).__name__}"
        raise ParameterError(
            f"part must be 'hessian' unless the loss is cross-entropy, or the network returns one real tensor (got "
            f"{part!r} and {got})"
        )
    leaf = outputs.detach().clone().requires_grad_()
    return outputs, leaf, _slope(batch.loss(leaf), leaf)


def _slope(value: Tensor, at: Tensor, weights: Tensor | None = None) -> Tensor:
    """The product of weights, by default 1, with the Jacobian of a value; it can be differentiated."""
    (slope,) = torch.autograd.grad(value, at, weights, create_graph=True, materialize_grads=True)
    require_differentiable(slope)
    return slope


def _change(value: Tensor, at: Tensor, weights: Tensor) -> Tensor:
    """The product of weights with the Jacobian of a value; 0 if the value does not depend on `at`."""
    if not value.requires_grad:
        return torch.zeros_like(at)
    (change,) = torch.autograd.grad(value, at, weights, retain_graph=True, materialize_grads=True)
    return change


PARTS = {"hessian": _hessian, "gauss_newton": _gauss_newton, "remainder": _remainder}
