"""Groups of layers that move from one network towards another, and random steps of the same length as a control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.measure.barriers import require_alphas
from lmc_utils.measure.evaluator import Corners, Evaluator
from lmc_utils.measure.labelled_arrays import Coords, Place
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import measure

__all__ = ["GROUPS", "group_line", "random_steps", "group_rise", "members", "with_noise", "noise_mixtures"]

GROUPS = ("single", "from_input", "from_output")
"""One layer; it and all before it; it and all after it."""


def members(layers: int) -> Tensor:
    """The layers in each group: boolean, shape (groups, layers, layers).

    >>> single, from_input, from_output = members(3).int().tolist()
    >>> from_input
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    every = torch.ones(layers, layers, dtype=torch.bool)
    return torch.stack([torch.eye(layers, dtype=torch.bool), every.tril(), every.triu()])


def group_line(
    pairs: Pairs, alphas: Sequence[float] = (0.0, 0.5, 1.0), *, splits: Sequence[str] | str | None = None
) -> xr.Dataset:
    """Loss and error while a group of layers is interpolated between two networks and all others stay fixed.

    Adilova et al. (arXiv 2307.06966) measure such groups. At alpha = 1 the group is exchanged: the network is a hybrid
    of both. Running statistics move with their layer.

    Args:
        pairs: the networks.
        alphas: position of the group: 0 in its own network, 1 in the other.
        splits: names of the samples; see `points.measure`, also for further results and the errors raised.

    Returns:
        `loss` and `error` (percent) with dimensions split, those of the pairs, end, group, layer, alpha. At end 0 the
        other layers are those of the pair's first network, at end 1 those of its second. Groups are `GROUPS`: the layer
        alone, from the input up to the layer, and from the output down to it.
    """

    homes, moved = _starts_and_steps(pairs, alphas)
    away = torch.where(homes[:, None] == 0, moved, 1 - moved)
    return _measured(pairs, alphas, Mixtures(torch.stack([1 - away, away], 2), homes), away, splits)


def random_steps(
    pairs: Pairs, alphas: Sequence[float] = (0.0, 0.5), *, seed: int = 0, splits: Sequence[str] | str | None = None
) -> xr.Dataset:
    """Loss and error while a group of layers moves in a random direction, each layer as far as in `group_line`.

    The direction is isotropic in each layer and the same for both ends and all groups. Running statistics that are not
    re-estimated stay those of the network.

    Args:
        pairs: the networks.
        alphas: length of the step in units of the distance between both networks, layer by layer.
        seed: of the directions; each pair has its own.
        splits: as for `group_line`.

    Returns:
        As from `group_line`.
    """
    homes, moved = _starts_and_steps(pairs, alphas)

    def points(_: Place, corners: Corners) -> Mixtures:
        return noise_mixtures(pairs.evaluator, corners, homes, moved)

    return _measured(with_noise(pairs, seed), alphas, points, torch.cat([homes[:, None], moved], 1), splits)


def group_rise(values: xr.DataArray, alpha: float = 0.5) -> xr.DataArray:
    """Rise of the loss (or error) of each end if a group of layers moves to this alpha.

    Args:
        values: from `group_line` or `random_steps`, with alpha 0 and this one.
        alpha: position of the group.

    Returns:
        The same without the dimension alpha.

    >>> group_rise(xr.DataArray([1.0, 1.5], coords={"alpha": [0.0, 0.5]})).item()
    0.5
    """
    require_alphas(values, (0.0, alpha))
    return (values.sel(alpha=alpha, drop=True) - values.sel(alpha=0.0, drop=True)).assign_attrs(values.attrs)


def with_noise(pairs: Pairs, seed: int) -> Pairs:
    """The same pairs with a third point: the first network plus standard normal noise on all its parameters."""
    evaluator = pairs.evaluator

    def read(place: Place) -> Corners:
        ends = evaluator.select(pairs.read(place), [0, 1])
        random = np.random.default_rng([seed, *place])
        noisy = {
            name: values[:1] + _noise(random, values.shape[1]).to(values)
            for name, values in evaluator.vectors(ends).items()
        }
        return evaluator.select(evaluator.insert_inner_nodes(ends, noisy), [0, 2, 1])

    return replace(pairs, read=read, third="first network plus noise", networks=2)


def noise_mixtures(evaluator: Evaluator, corners: Corners, homes: Tensor, moved: Tensor) -> Mixtures:
    """Points along the noise, each layer as far from its end as `moved` times the distance of both networks there.

    Args:
        evaluator: of the corners.
        corners: two networks, and the first one plus noise.
        homes: the end from which each point starts, shape (points,).
        moved: how far each layer moves, shape (points, layers), float64.
    """
    squares = evaluator.gram(corners, by_layer=True).diagonal(dim1=1, dim2=2)
    factors = (squares[:, 1] / squares[:, 2]).sqrt().nan_to_num(0.0)  # a layer without parameters has no noise
    weights = torch.eye(3, dtype=torch.float64)[homes, None].repeat(1, moved.shape[1], 1)
    statistics = weights[:, 0].clone()
    weights[..., 0] -= factors * moved
    weights[..., 2] += factors * moved
    return Mixtures(weights, homes, statistics)


def _noise(random: np.random.Generator, count: int) -> Tensor:
    return torch.from_numpy(random.standard_normal(count))


def _starts_and_steps(pairs: Pairs, alphas: Sequence[float]) -> tuple[Tensor, Tensor]:
    """The end from which each point starts, (points,), and how far each of its layers moves, (points, layers)."""
    layers = len(pairs.evaluator.layers)
    moved = members(layers).double()[:, :, None] * torch.tensor(alphas, dtype=torch.float64)[:, None]
    moved = moved.reshape(-1, layers)
    return torch.arange(2).repeat_interleave(len(moved)), moved.repeat(2, 1)


def _measured(
    pairs: Pairs,
    alphas: Sequence[float],
    points: Mixtures | Callable[[Place, Corners], Mixtures],
    key: Tensor,
    splits: Sequence[str] | str | None,
) -> xr.Dataset:
    """Measure all groups from both ends. Points of equal keys follow one another, so that a stack runs them once."""
    layers = list(pairs.evaluator.layers)
    inner: Coords = {"end": [0, 1], "group": list(GROUPS), "layer": layers, "alpha": list(map(float, alphas))}
    _, equal = key.unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
    order = equal.argsort(stable=True).tolist()
    return measure(pairs, inner, points, splits=splits, order=order, unit="group of layers")
