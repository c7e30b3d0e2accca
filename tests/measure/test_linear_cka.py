"""Linear CKA against its definition by HSIC, and its invariances, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from lmc_utils.measure.linear_cka import LinearCKA

SAMPLES = 40


def features(count: int, seed: int) -> Tensor:
    return torch.randn(SAMPLES, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cka(first: Tensor, second: Tensor, size: int = SAMPLES) -> float:
    found = LinearCKA()
    for one, other in zip(first.split(size), second.split(size), strict=True):
        found.add(one, other)
    return found.value()


def hsic(first: Tensor, second: Tensor) -> Tensor:
    """The biased estimate of Gretton et al. (2005) with linear kernels, up to a factor."""
    centring = torch.eye(SAMPLES, dtype=torch.float64) - 1 / SAMPLES
    return torch.trace(first @ first.T @ centring @ second @ second.T @ centring)


def test_it_is_the_normalised_hsic_of_linear_kernels() -> None:
    first, second = features(5, 0) + 3, features(7, 1) - 2
    second[:, :3] += first[:, :3]
    expected = hsic(first, second) / (hsic(first, first) * hsic(second, second)).sqrt()
    assert 0.1 < float(expected) < 0.9
    assert cka(first, second) == pytest.approx(float(expected), rel=1e-12)


def test_it_ignores_rotations_scales_and_shifts_but_no_other_linear_map() -> None:
    first, second = features(5, 0), features(5, 0) + features(5, 1)
    rotation, _ = torch.linalg.qr(features(5, 2)[:5])
    expected = cka(first, second)
    assert cka(first, -3 * second @ rotation + 100) == pytest.approx(expected, rel=1e-10)
    assert cka(first, 7 * first @ rotation) == pytest.approx(1, rel=1e-12)
    stretched = first * torch.tensor([1.0, 1, 1, 1, 20], dtype=torch.float64)
    assert cka(first, stretched) < 0.8


@pytest.mark.parametrize("size", [1, 7, 39])
def test_batches_do_not_matter(size: int) -> None:
    first, second = features(5, 0) + 50, features(4, 1)
    order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(3))
    whole = cka(first, second)
    assert cka(first, second, size) == pytest.approx(whole, rel=1e-10)
    assert cka(first[order], second[order], size) == pytest.approx(whole, rel=1e-10)


def test_uncorrelated_features_have_0_and_constant_ones_none() -> None:
    steps = torch.arange(SAMPLES, dtype=torch.float64) * (2 * math.pi / SAMPLES)
    assert cka(steps.sin()[:, None], steps.cos()[:, None]) == pytest.approx(0, abs=1e-20)
    assert math.isnan(cka(features(3, 0), torch.full((SAMPLES, 3), 0.1)))
    assert math.isnan(LinearCKA().value())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_is_no_variation(dtype: torch.dtype) -> None:
    """The mean over space of what was normalised over space is its bias, up to rounding."""
    space = torch.randn(SAMPLES, 4, 9, generator=torch.Generator().manual_seed(0), dtype=dtype)
    bias = torch.linspace(0.2, 1, 4, dtype=dtype)
    constant = (nn.functional.instance_norm(space) + bias[:, None]).mean(2)
    assert constant.std(0).max() > 0
    assert math.isnan(cka(features(4, 1).to(dtype), constant))
    assert 0 < cka(features(4, 1).to(dtype), constant + 1e-4 * features(4, 2).to(dtype)) < 1


def test_a_large_mean_costs_no_precision() -> None:
    first, second = features(3, 0), features(3, 1)
    moved = (first + 2.0**20).float(), second.float()  # exact but for the rounding of the features themselves
    assert cka(*moved) == pytest.approx(cka(moved[0].double() - 2.0**20, moved[1].double()), rel=1e-12)
