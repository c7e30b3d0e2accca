"""Loss and error at points that are made of each pair: what lines, planes and ridges have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.measure.evaluator import blocks, evaluator
from lmc_utils.measure.labelled_arrays import Coords, Place, Quantity, blank, require_finite, size
from lmc_utils.measure.pairs import Pairs
from lmc_utils.progress import bar
from lmc_utils.settings import require_resources

LOSS = ("nats", "cross-entropy, without weight decay")
ERROR = ("percent", "misclassified samples")

_NUMBER = 8  # bytes of a result
_LAID = 2**28  # bytes of points that are laid at a time
_POINT = 12  # bytes of each parameter of a point: float64 while it is laid, float32 to be measured


def mix(first: Tensor, second: Tensor, alphas: Tensor) -> Tensor:
    """The points (1 - alpha) * theta_1 + alpha * theta_2, exact at alpha = 0 and alpha = 1.

    Args:
        first, second: endpoints, shape (..., parameters).
        alphas: interpolation coefficients, shape (n_alphas,); beyond [0, 1] the line goes on.

    Returns:
        shape (..., n_alphas, parameters).

    >>> mix(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.5, 2.0]))
    tensor([[0.0000, 1.0000],
            [0.5000, 2.0000],
            [2.0000, 5.0000]])
    """
    return torch.lerp(first.unsqueeze(-2), second.unsqueeze(-2), alphas.unsqueeze(-1))


def along(alphas: Tensor, corners: Tensor) -> Tensor:
    """The weights of the corners at these points of the line between the first two, shape (points, corners)."""
    return torch.stack([1 - alphas, alphas, *[torch.zeros_like(alphas)] * (len(corners) - 2)], 1)


class Points(NamedTuple):
    """The points of a pair.

    Attributes:
        shape: how many there are along each inner dimension.
        lay: from numbers of points, counted along the inner dimensions, to their parameter vectors, (points,
            parameters); a few points are laid at a time.
        weights: of each corner in each point, (points, corners), or (points, corners, numbers) where they differ from
            one number of the buffers to the next. A corner is a network of the pair, or its third point.
        homes: the corner whose statistics each point keeps under the convention `keep`, (points,), or -1 for both in
            turn; by default that of points which are a corner.
    """

    shape: tuple[int, ...]
    lay: Callable[[Tensor], Tensor]
    weights: Tensor
    homes: Tensor | None = None


def measure(
    pairs: Pairs,
    inner: Coords,
    points: Callable[[Place, Tensor], Points | None],
    splits: Sequence[str] | None,
    unit: str,
) -> xr.Dataset:
    """Loss and error at the points of each pair.

    Args:
        pairs: what to measure.
        inner: the labels of the points of one pair.
        points: from a pair's place and its parameter vectors to its points, or to None where it has none.
        splits: which samples; all by default.
        unit: what the bar counts.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, those of the pairs, and the inner ones. NaN where
        there is no pair, as before a fork, or no points. The attribute `batchnorm` says where statistics of batch
        normalisation come from. Where they are kept, there are also `loss_kept` and `error_kept` with a last dimension
        `kept` (first, second): all points with the statistics of one network of the pair, but for the networks
        themselves, which have their own; `loss` and `error` are the means of both.

    Raises:
        ParameterError: an unknown split, a network with state that is not understood, or more points than memory holds.
        ValueError: a loss is not finite.
    """
    named = pairs.splits(splits)
    evaluators = [evaluator(pairs.network, *samples) for samples in named.values()]
    coords: Coords = {"split": list(named), **pairs.coords, **inner}
    dims = tuple(coords)
    count = math.prod(size(along) for along in inner.values())
    parameters = sum(value.numel() for value in pairs.network.parameters())
    at_once = min(count, max(1, _LAID // (_POINT * parameters)))
    results = 2 * _NUMBER * math.prod(size(along) for along in coords.values())
    what = f"{', '.join(inner)} ({count:,} points of {parameters:,} parameters for each pair)"
    require_resources(what, memory=results + _POINT * at_once * parameters)
    quantities = {"loss": Quantity(dims, *LOSS), "error": Quantity(dims, *ERROR)}
    statistics = pairs.statistics()
    kept = statistics.kept
    if kept:
        quantities |= {f"{name}_kept": Quantity((*dims, "kept"), *each[1:]) for name, each in quantities.items()}
    found = blank({**coords, **({"kept": kept} if kept else {})}, quantities, pairs.provenance)
    for place, ends in bar(pairs, f"evaluating {unit}s", unit=unit):
        laid = points(place, ends)
        if laid is None:
            continue
        values = np.empty((len(evaluators), 2, max(1, len(kept)), count))
        for block in blocks(count, at_once):
            chosen = torch.arange(block.start, block.stop)
            thetas = laid.lay(chosen)
            homes = None if laid.homes is None else laid.homes[chosen]
            for row, buffers in enumerate(statistics.at(place, thetas, laid.weights[chosen], homes)):
                for split, evaluate in enumerate(evaluators):
                    values[split, :, row, block] = torch.stack(evaluate(thetas, buffers)).numpy()
        for split in range(len(evaluators)):
            at = (split, *place)
            for name, each in zip(("loss", "error"), values[split], strict=True):
                if kept:
                    found[f"{name}_kept"].values[at] = np.moveaxis(each, 0, -1).reshape(*laid.shape, -1)
                found[name].values[at] = each.mean(0).reshape(laid.shape)
            require_finite(found.loss.values[at], coords, at)
    return found
