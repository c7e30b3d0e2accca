"""Derivatives against closed forms and the dense Hessian of the same function."""

import pytest
import torch
from torch import Tensor

from lmc_utils.measure.derivatives import differentiate, shift_parameters


def entangled(a: tuple[Tensor, ...]) -> Tensor:
    return torch.exp(a[0] * a[1]) + torch.sin(a[1]) * a[2] ** 3 + a[0]


@pytest.mark.parametrize("batch", [(), (4,)])
def test_one_function_or_several_agree_with_the_dense_hessian(batch: tuple[int, ...]) -> None:
    at = torch.randn(*batch, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = differentiate(entangled, at)
    assert found.slope.shape == (*batch, 3)
    assert found.curvature.shape == (*batch, 3, 3)
    for row, point in enumerate(at.view(-1, 3)):

        def whole(vector: Tensor) -> Tensor:
            return entangled(tuple(vector))

        torch.testing.assert_close(found.loss.view(-1)[row], whole(point))
        torch.testing.assert_close(found.slope.view(-1, 3)[row], torch.func.grad(whole)(point))
        torch.testing.assert_close(found.curvature.view(-1, 3, 3)[row], torch.func.hessian(whole)(point))


def test_linear_or_unused_coefficients_have_zero_curvature() -> None:
    found = differentiate(lambda a: 3 * a[0] + 0 * a[1].detach(), torch.tensor([1.0, 2.0, 5.0]))
    assert found.slope.tolist() == [3, 0, 0]
    assert found.curvature.tolist() == [[0] * 3] * 3
    found = differentiate(lambda a: a[2] ** 2, torch.tensor([1.0, 2.0, 5.0]))
    assert found.slope.tolist() == [0, 0, 10]
    assert found.curvature.diagonal().tolist() == [0, 0, 2]


def test_differentiation_leaves_no_gradients_behind() -> None:
    at = torch.tensor([1.0, 2.0, 5.0], requires_grad=True)
    found = differentiate(entangled, at)
    assert at.grad is None
    assert not any(part.requires_grad for part in found)


def test_parameters_are_shifted_by_one_step_or_one_per_network() -> None:
    values, deltas = {"weight": torch.ones(2, 3, 4), "kept": torch.zeros(2)}, {"weight": torch.full((2, 3, 4), 0.5)}
    assert list(shift_parameters(values, deltas, {"weight": torch.tensor(2.0)})) == ["weight"]
    assert shift_parameters(values, deltas, {"weight": torch.tensor(2.0)})["weight"].unique().tolist() == [2]
    each = shift_parameters(values, deltas, {"weight": torch.tensor([0.0, 2.0])})["weight"]
    assert [network.unique().tolist() for network in each] == [[1], [2]]
