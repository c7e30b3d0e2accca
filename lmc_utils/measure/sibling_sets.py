"""How several networks of one fork lie around their mean, and the loss at their distance from it elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.measure import points
from lmc_utils.measure.labelled_arrays import Coords, Quantity, blank
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import Interrupted
from lmc_utils.settings import require

__all__ = ["around_mean", "participation"]

_WHERE = ("networks", "mean", "sphere")


def around_mean(groups: Pairs, *, samples: int = 16, seed: int = 0, split: str | None = None) -> xr.Dataset:
    """The mean of several networks, their distances from it, and the loss on the sphere around it.

    The sphere lies in the affine subspace that the networks span: it has their mean as its centre, and the root mean
    square of their distances from it as its radius. Its points are mixtures of the networks with normally distributed
    weights; if all distances between networks are equal, they are drawn uniformly from the sphere. If the networks
    belong to a set of solutions that is round, the loss on the sphere is theirs.

    Args:
        groups: three networks or more at each place, see `Pairs.networks`.
        samples: points of each sphere.
        seed: of the points.
        split: name of the samples; by default the first split.

    Returns:
        With the dimensions of the groups: `radius`; `distance` and `distance_spread`, the mean and the standard
        deviation of the distances of all pairs; `dimension`, the participation ratio of the variances of the networks
        along their principal axes, see `participation`; and, with a first dimension `where` (networks, mean, sphere),
        `loss` and `error`, means over the networks, of their mean, and means over the points of the sphere.

    Raises:
        ParameterError: an unknown split, fewer than three networks, or a loss that is NaN or infinite.
        points.Interrupted: the measurement was interrupted; it holds the groups measured so far.

    >>> from lmc_utils.measure.pairs import Pairs
    >>> from lmc_utils.measure.stacked_evaluator import StackedEvaluator
    >>> from lmc_utils.networks.layers import Linear
    >>> from lmc_utils.networks.stack import Networks
    >>> evaluator = StackedEvaluator(Linear(1, 2, 3), {"train": (torch.randn(9, 2), torch.zeros(9, dtype=torch.int64))})
    >>> corners = Networks(torch.eye(9)[:4])  # of a simplex: at equal distances, with as many dimensions as possible
    >>> found = around_mean(Pairs(evaluator, {"group": [0]}, [(0,)], lambda place: corners, networks=4))
    >>> round(found.distance.item(), 4), round(found.distance_spread.item(), 4), round(found.dimension.item(), 4)
    (1.4142, 0.0, 3.0)
    """
    count, evaluator = groups.networks, groups.evaluator
    require(count >= 3, "networks", ">= 3 in each group", count)
    named = groups.require_splits(split)[:1]
    normal = torch.randn(samples, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    dims = tuple(groups.coords)
    quantities = {
        "radius": Quantity(dims, "", "root mean square distance of the networks from their mean"),
        "distance": Quantity(dims, "", "mean distance of two networks"),
        "distance_spread": Quantity(dims, "", "standard deviation of the distances of two networks"),
        "dimension": Quantity(dims, "", "participation ratio of the principal variances"),
    }
    shape = blank(groups.coords, quantities, groups.attributes)

    def mixtures(place: tuple[int, ...], corners: object) -> Mixtures:
        members = evaluator.select(corners, list(range(count)))
        centred, squared = _centred_gram(evaluator.gram(members))
        apart = squared[tuple(np.triu_indices(count, 1))] ** 0.5
        radius = math.sqrt(max(0.0, float(centred.trace()) / count))
        variances = np.linalg.eigvalsh(centred.numpy())
        for name, value in zip(
            quantities, (radius, apart.mean(), apart.std(correction=0), participation(variances)), strict=True
        ):
            shape[name].values[place] = value
        directions = normal - normal.mean(1, keepdim=True)
        lengths = torch.einsum("pi,ij,pj->p", directions, centred, directions).clamp_min(0).sqrt()
        sphere = 1 / count + radius * directions / lengths[:, None].clamp_min(torch.finfo(torch.float64).tiny)
        mean = torch.full((1, count), 1 / count, dtype=torch.float64)
        return Mixtures(torch.cat([torch.eye(count, dtype=torch.float64), mean, sphere]))

    coords: Coords = {"point": count + 1 + samples}
    try:
        scores = points.measure(groups, coords, mixtures, splits=named).squeeze("split", drop=True)
    except Interrupted as stop:
        raise Interrupted(_summary(stop.partial.squeeze("split", drop=True), shape, count)) from stop
    return _summary(scores, shape, count)


def participation(variances: np.ndarray[Any, Any]) -> float:
    """The participation ratio, the squared sum of variances over the sum of their squares: an effective dimension.

    Of n equal variances it is n; if one of them is much larger than all others, it is 1. Negative variances (rounding)
    count as 0; NaN if all are 0.

    >>> participation(np.array([2.0, 2.0, 2.0, 0.0])), participation(np.array([1.0, 0.0]))
    (3.0, 1.0)
    """
    positive = np.clip(variances, 0, None)
    squares = float((positive**2).sum())
    return float(positive.sum() ** 2 / squares) if squares else math.nan


def _centred_gram(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Inner products of networks about their mean, and the squared distances of all pairs.

    Args:
        gram: inner products of the differences from the first network, see `Evaluator.gram`; its first row and column
            are ignored.
    """
    inner = gram.clone()
    inner[0] = inner[:, 0] = 0  # the first network is the origin
    squared = (inner.diagonal()[:, None] + inner.diagonal()[None] - 2 * inner).clamp_min(0)
    rows = inner.mean(0)
    return inner - rows[:, None] - rows[None] + inner.mean(), squared


def _summary(scores: xr.Dataset, shape: xr.Dataset, count: int) -> xr.Dataset:
    parts = (slice(0, count), slice(count, count + 1), slice(count + 1, None))
    means = [scores.isel(point=part).mean("point", skipna=False, keep_attrs=True) for part in parts]
    return xr.concat(means, xr.Variable("where", list(_WHERE))).assign(shape.data_vars)
