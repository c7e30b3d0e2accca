"""The same two small networks in float64 as a stack and as modules, and the operators of their Hessians."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmc_utils import connect
from lmc_utils.measure import hessian
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.measure.pairs import Pairs, between
from lmc_utils.networks import stack
from lmc_utils.networks.models import Architecture, build

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from benchmarks import plain

SAMPLES, CLASSES = 12, 3
DESIGNS = {
    "none": Architecture(widths=(5, 4)),
    "batch": Architecture(widths=(4,), norm="batch", activation="tanh"),
}


def two_pairs(norm: str, convention: str, batch_size: int = SAMPLES) -> tuple[Pairs, Pairs]:
    """The same two networks in float64 as a stack and as modules, with running statistics that were made up."""
    design = build(DESIGNS[norm], (6, 1), CLASSES).double()
    draws = torch.Generator().manual_seed(0)
    thetas = stack.flatten(stack.initialise(design, [0, 1])).double()
    thetas += 0.1 * torch.randn(thetas.shape, generator=draws, dtype=torch.float64)
    kept = 0.5 + torch.rand(2, stack.fresh_buffers(design, 1).shape[1], generator=draws, dtype=torch.float64)
    inputs = torch.randn(SAMPLES, 6, 1, generator=draws, dtype=torch.float64)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=draws)
    how, samples = Convention(convention), {"train": (inputs, labels)}
    stacked = between(design, thetas[:1], thetas[1:], samples=samples, convention=how, buffers=kept[None])
    networks = {"only": [plain.network(design, *both) for both in zip(thetas, kept, strict=True)]}
    batches = list(zip(inputs.flatten(1).split(batch_size), labels.split(batch_size), strict=True))
    return stacked, connect.pairs(networks, batches, batchnorm=convention)


def first(pairs: Pairs) -> Any:
    """The first network, as corners."""
    return pairs.evaluator.select(next(iter(pairs))[1], [0])


def operators(pairs: Pairs) -> dict[str, Any]:
    return {part: hessian.operator(pairs.evaluator, first(pairs), part=part) for part in hessian.PARTS}


def parameters(pairs: Pairs) -> Tensor:
    """The parameter vectors of both networks of the only pair."""
    return torch.cat(list(pairs.evaluator.vectors(next(iter(pairs))[1]).values()), 1)
