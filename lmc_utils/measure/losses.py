"""Loss and error at points that are made of each pair: what lines, planes and ridges have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import xarray as xr
from torch import Tensor
from tqdm import tqdm

from lmc_utils.measure.arrays import Coords, Place, Quantity, blank, require_finite, size
from lmc_utils.measure.evaluation import evaluator
from lmc_utils.measure.pairs import Pairs
from lmc_utils.settings import require_room

LOSS = ("nats", "cross-entropy, without weight decay")
ERROR = ("percent", "misclassified samples")

_NUMBER = 8  # bytes of a result
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


def measure(
    pairs: Pairs,
    inner: Coords,
    points: Callable[[Place, Tensor], Tensor | None],
    splits: Sequence[str] | None,
    progress: bool,
    unit: str,
) -> xr.Dataset:
    """Loss and error at the points of each pair.

    Args:
        pairs: what to measure.
        inner: the labels of the points of one pair.
        points: from a pair's place and its parameter vectors to the points, shape (inner..., parameters), or to None
            where it has none.
        splits: which samples; all by default.
        progress: show a progress bar on standard error.
        unit: what the bar counts.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, those of the pairs, and the inner ones. NaN where
        there is no pair, as before a fork, or no points.

    Raises:
        ParameterError: an unknown split, a network with state besides its parameters, or more points than memory holds.
        ValueError: a loss is not finite.
    """
    evaluators = {name: evaluator(pairs.network, *samples) for name, samples in pairs.splits(splits).items()}
    coords: Coords = {"split": list(evaluators), **pairs.coords, **inner}
    dims = tuple(coords)
    points_each = math.prod(size(along) for along in inner.values())
    parameters = sum(value.numel() for value in pairs.network.parameters())
    results = 2 * _NUMBER * math.prod(size(along) for along in coords.values())
    what = f"{', '.join(inner)} ({points_each:,} points of {parameters:,} parameters for each pair)"
    require_room(what, memory=results + _POINT * points_each * parameters)
    found = blank(coords, {"loss": Quantity(dims, *LOSS), "error": Quantity(dims, *ERROR)}, pairs.provenance)
    for place, ends in tqdm(pairs, f"evaluating {unit}s", unit=unit, disable=not progress):
        thetas = points(place, ends)
        if thetas is None:
            continue
        for row, evaluate in enumerate(evaluators.values()):
            at = (row, *place)
            loss, error = (values.view(thetas.shape[:-1]).numpy() for values in evaluate(thetas.flatten(0, -2)))
            found.loss.values[at], found.error.values[at] = loss, error
            require_finite(loss, coords, at)
    return found
