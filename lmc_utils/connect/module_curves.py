"""A bent way between two networks of any kind, trained one batch at a time, and what lies on it.

The ways are those of `connect.curves`; there, networks of this package train many of them at once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.connect.batches import Batch
from lmc_utils.connect.curves import Bending, draws_of_t
from lmc_utils.connect.endpoints import Ends, Point
from lmc_utils.connect.path_length import laid
from lmc_utils.connect.point_scores import Walker
from lmc_utils.connect.state_dicts import State, require_single
from lmc_utils.networks.training import Recipe, rate
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError

MOMENTUM = 0.9


def bent(walker: Walker, how: Bending, seed: int = 0) -> list[State]:
    """Train the bends of a way, from the straight line on, by SGD on the loss at random t.

    Each step draws a t and takes the next batch, in an order of its own in each epoch where batches are kept. Dropout
    is off; normalisations have each batch's own statistics.

    Args:
        walker: the networks, the loss, and the samples to estimate on, which the bends are trained on, too.
        how: what kind of way, and how long to train it.
        seed: of the draws.

    Raises:
        ParameterError: parameters of half precision, or training that leaves the finite numbers.
    """
    ends, names = walker.ends, walker.ends.parameters
    require_single(ends.module, "curve")
    shares = [bend / (1 + how.bends) for bend in range(1, 1 + how.bends)]
    first, second = ({name: state[name].to(ends.device) for name in names} for state in ends.states)
    bends = [{name: torch.lerp(first[name], second[name], share) for name in names} for share in shares]
    speeds = [{name: torch.zeros_like(value) for name, value in bend.items()} for bend in bends]
    recipe = Recipe(learning_rate=how.curve_rate, epochs=how.curve_epochs)
    module = copy.deepcopy(ends.module).requires_grad_(True)
    moving = replace(ends, module=module)
    for norm in moving.norms:
        norm.train()
    corners, steps = [ends.states[0], *bends, ends.states[1]], walker.estimated_on.count
    for epoch in bar(range(how.curve_epochs), "training the curve", unit="epoch"):
        draws = draws_of_t((seed,), epoch, steps)
        for step, (batch, t) in enumerate(zip(_order(walker, seed, epoch), draws, strict=True)):
            if batch.size < 2 and moving.norms:
                continue
            weights = how.weights(torch.tensor([t]))[0].tolist()
            moving.lay(Point(corners, partial(_same, weights)), names)
            there = batch.to(ends.device)
            loss = walker.scores.loss(there.run(module), there.target).mean()
            slopes = torch.autograd.grad(loss, [value for _, value in module.named_parameters()], allow_unused=True)
            pace = rate(recipe, epoch * steps + step, how.curve_epochs * steps)
            for bend, speed, weight in zip(bends, speeds, weights[1:-1], strict=True):
                _step(bend, speed, dict(zip(names, slopes, strict=True)), weight, pace)
        if not all(bool(value.isfinite().all()) for bend in bends for value in bend.values()):
            advice = f"{how.curve_rate:g} is too large here, try a tenth of it"
            raise ParameterError(f"curve_rate: training of the bends diverged in epoch {epoch + 1}; {advice}")
    return list(bends)


def along(walker: Walker, how: Bending, bends: Sequence[State]) -> xr.Dataset:
    """Scores along a bent way, at points that are evenly spaced by its length.

    Args:
        walker: what they are measured with. Its convention holds for the ends; between them, statistics are mixed or
            kept as on the straight line at the same share of the way's length.
        how, bends: the way.

    Returns:
        `curve_loss` and, where there is one, `curve_error` along `way`, the share of the length that lies behind, and
        the attributes `curve`, `curve_length` and `curve_off_line`, both in units of the networks' distance.
    """
    ends = walker.ends
    corners = [ends.states[0], *bends, ends.states[1]]
    alphas = np.linspace(0, 1, how.curve_points)
    way = laid(how.weights, _triangle(ends, corners), alphas)
    weights = how.weights(torch.from_numpy(way.t)).tolist()
    statistics = set(ends.statistics)
    states = [ends.states[0], *({**ends.states[0], **bend} for bend in bends), ends.states[1]]
    points = [
        Point(states, _weights(row, share, statistics), {0.0: 0, 1.0: 1}.get(share))
        for row, share in zip(weights, alphas.tolist(), strict=True)
    ]
    found = np.zeros((len(points), len(walker.scores.names)))
    measured = walker.measure(points)
    for row, scores in bar(measured, "measuring the curve", unit="point", total=len(points)):
        found[row] = scores.mean(0)
    arrays = {f"curve_{name}": ("way", found[:, column]) for column, name in enumerate(walker.scores.names)}
    attrs = {
        "curve": f"{how.curve}, {how.bends} trained for {how.curve_epochs} epochs on {walker.estimated_on.said}",
        "curve_length": way.length,
        "curve_off_line": way.off_line,
    }
    return xr.Dataset(arrays, {"way": alphas}, attrs)


def _weights(row: Sequence[float], share: float, statistics: set[str]) -> Any:
    between = [1 - share, *[0.0] * (len(row) - 2), share]
    return lambda name: between if name in statistics else row


def _order(walker: Walker, seed: int, epoch: int) -> Iterator[Batch]:
    batches = walker.estimated_on.batches
    if not isinstance(batches, list):
        return iter(batches)
    return (batches[row] for row in np.random.default_rng([seed, epoch]).permutation(len(batches)))


def _step(bend: State, speed: State, slopes: dict[str, Tensor | None], weight: float, pace: float) -> None:
    with torch.no_grad():
        for name, slope in slopes.items():
            speed[name].mul_(MOMENTUM)
            if slope is not None:
                speed[name].add_(slope, alpha=weight)
            bend[name].sub_(speed[name], alpha=pace)


def _triangle(ends: Ends, corners: Sequence[State]) -> Tensor:
    """Coordinates of the nodes but the first in the few dimensions that they span, from their inner products."""
    products = torch.zeros(len(corners) - 1, len(corners) - 1, dtype=torch.float64)
    for name in ends.parameters:
        origin = corners[0][name].double().cpu()
        away = torch.stack([(corner[name].double().cpu() - origin).flatten() for corner in corners[1:]])
        products += away @ away.T
    values, vectors = torch.linalg.eigh(products)
    coordinates: Tensor = vectors * values.clamp(min=0).sqrt()
    return coordinates.T


def _same(weights: Sequence[float], _: str) -> Sequence[float]:
    return weights
