"""Loss, slopes and curvatures of any network along a few directions, by automatic differentiation.

Each direction has a coefficient: direction l moves the parameters by `a_l * delta_l`. The loss is then a function of
these few coefficients. Its gradient holds the slopes `g^T delta_l`, its Hessian the curvatures `delta_l^T H delta_k`
(Pearlmutter 1994).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from lmc_utils.networks.layers import Parameters


class Derivatives(NamedTuple):
    """A loss and its derivatives in k coefficients, for one network (batch shape ()) or n networks (batch shape (n,)).

    Attributes:
        loss: shape batch.
        slope: first derivatives, shape (batch, k).
        curvature: second derivatives, shape (batch, k, k), symmetric.
    """

    loss: Tensor
    slope: Tensor
    curvature: Tensor


Loss = Callable[[tuple[Tensor, ...]], Tensor]
"""From k coefficients, each of the batch shape, to a loss of that shape."""


def differentiate(loss: Loss, coefficients: Tensor) -> Derivatives:
    """Differentiate a loss twice in its coefficients (double backward).

    It takes one backward pass for each coefficient. By symmetry, the pass of coefficient l needs only the coefficients
    from l on; if these are in the order of the layers that they move, it runs only through the layers from l on.

    Args:
        loss: each network's loss must depend only on its own coefficients.
        coefficients: the point at which to differentiate, shape (batch, k).

    >>> squares = differentiate(lambda a: a[0] ** 2 + 3 * a[0] * a[1], torch.tensor([1.0, 2.0]))
    >>> squares.loss.item(), squares.slope.tolist(), squares.curvature.tolist()
    (7.0, [8.0, 3.0], [[2.0, 3.0], [3.0, 0.0]])
    """
    # Separate tensors: columns of one tensor would make every pass run through all slopes, with zeros.
    leaves = [each.detach().clone().requires_grad_() for each in coefficients.unbind(-1)]
    value = loss(tuple(leaves))
    slopes = torch.autograd.grad(value.sum(), leaves, create_graph=True, materialize_grads=True)
    require_differentiable(*slopes)
    curvature = value.new_zeros(*coefficients.shape, len(leaves))
    for row, slope in enumerate(slopes):
        if slope.requires_grad:  # else the loss is linear in it
            found = torch.autograd.grad(slope.sum(), leaves[row:], retain_graph=True, materialize_grads=True)
            curvature[..., row, row:] = curvature[..., row:, row] = torch.stack(found, -1)
    return Derivatives(value.detach(), torch.stack(slopes, -1).detach(), curvature)


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Make attention and recurrent layers use those implementations of torch that can be differentiated twice."""
    with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
        yield


def require_differentiable(*slopes: Tensor) -> None:
    """Raise RuntimeError if a function that computed one of several derivatives is marked as differentiable only once.

    `torch.autograd.grad` counts the derivative of such a function as 0 without a warning.

    Args:
        slopes: computed with `create_graph=True`.
    """
    waiting, seen = [slope.grad_fn for slope in slopes], set[Any]()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            if node.name() == "torch::autograd::Error":
                raise RuntimeError("the network has a function that is marked with @once_differentiable")
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]


def shift_parameters(
    values: Mapping[str, Tensor], deltas: Mapping[str, Tensor], steps: Mapping[str, Tensor]
) -> Parameters:
    """Move parameters along given directions: `value + step * delta` for each delta.

    Args:
        values: by name; those of n networks have a leading network axis.
        deltas: by name, shaped as the values.
        steps: for each delta, a number, shape (), or one for each network, shape (n,).

    >>> ones = {"weight": torch.ones(2, 3)}
    >>> shift_parameters(ones, ones, {"weight": torch.tensor([0.0, 2.0])})["weight"].tolist()
    [[1.0, 1.0, 1.0], [3.0, 3.0, 3.0]]
    """
    points = {}
    for name, delta in deltas.items():
        step = steps[name]
        points[name] = values[name] + step.view(*step.shape, *(1,) * (delta.dim() - step.dim())) * delta
    return points
