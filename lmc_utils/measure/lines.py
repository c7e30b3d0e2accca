"""Loss and error on the straight line between two networks, all layers together or one layer alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from lmc_utils.measure.labelled_arrays import Coords
from lmc_utils.measure.mixtures import Mixtures, on_line
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import measure
from lmc_utils.settings import Allowed, Settings, at_least, parameter


@dataclass(frozen=True)
class LineGrid(Settings):
    """Grid of alphas on the line `(1 - alpha) * theta_1 + alpha * theta_2`; 0, 1/2 and 1 are always included.

    >>> LineGrid(alphas=3, alpha_range=[0, 2]).values().tolist()
    [0.0, 0.5, 1.0, 2.0]
    """

    alphas: int = parameter(25, "evenly spaced points on the line through two siblings", at_least(2), bytes_each=64)
    alpha_range: tuple[float, ...] = parameter(
        (-0.5, 1.5),
        "first and last alpha on the line (the siblings are at 0 and 1)",
        Allowed(
            "two numbers, the first <= 0, the second >= 1",
            lambda ends: len(ends) == 2 and ends[0] <= 0 and ends[1] >= 1,
        ),
    )

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"alphas": 9}}

    def values(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The interpolation coefficients, increasing, shape (n_alphas,)."""
        even = np.linspace(self.alpha_range[0], self.alpha_range[1], self.alphas).round(12)
        return np.union1d(even, [0.0, 0.5, 1.0])


ENDS_AND_MIDPOINT = (0.0, 0.5, 1.0)
"""The points of a line that a midpoint barrier needs."""


def line(
    pairs: Pairs, grid: LineGrid | Sequence[float] | np.ndarray[Any, Any], *, splits: Sequence[str] | str | None = None
) -> xr.Dataset:
    """Loss and error along the line through each pair of networks.

    Args:
        pairs: the networks.
        grid: the interpolation coefficients.
        splits: names of the samples; see `points.measure`, also for further results and the errors raised.

    Returns:
        `loss` and `error` (percent) with dimensions split, those of the pairs, alpha. At a fork itself both endpoints
        are the parent and the line is one point.
    """
    alphas = torch.as_tensor(grid.values() if isinstance(grid, LineGrid) else grid, dtype=torch.float64)
    labels, points = alphas.tolist(), on_line(alphas, pairs.corners)
    order = spread_out(labels) if pairs.evaluator.one_at_a_time else None
    return measure(pairs, {"alpha": labels}, points, splits=splits, order=order, unit="line")


def layer_line(
    pairs: Pairs, alphas: Sequence[float] = (0.0, 0.5), *, splits: Sequence[str] | str | None = None
) -> xr.Dataset:
    """Loss and error while a single layer is interpolated between two networks and all others stay fixed.

    This is layer-wise linear mode connectivity (Adilova et al., arXiv 2307.06966). Running statistics move with their
    layer.

    Args:
        pairs: the networks.
        alphas: position of the layer: 0 in its own network, 1 in the other.
        splits: names of the samples; see `points.measure`, also for further results and the errors raised.

    Returns:
        `loss` and `error` (percent) with dimensions split, those of the pairs, end, layer, alpha. At end 0 the other
        layers are those of the pair's first network, at end 1 those of its second.
    """
    layers, steps = list(pairs.evaluator.layers), torch.tensor(alphas, dtype=torch.float64)
    shape = (2, len(layers), len(steps))
    end, layer, step = (each.flatten() for each in torch.meshgrid(*map(torch.arange, shape), indexing="ij"))
    gone = torch.zeros(len(end), len(layers), dtype=torch.float64)
    gone[torch.arange(len(end)), layer] = steps[step]
    away = torch.where(end[:, None] == 0, gone, 1 - gone)
    weights = torch.stack([1 - away, away], 2)
    inner: Coords = {"end": [0, 1], "layer": layers, "alpha": steps.tolist()}
    # Alpha by alpha: at alpha = 0 all points of an end are the same network, which is then evaluated once.
    order = (end * len(steps) + step).argsort(stable=True).tolist()
    return measure(pairs, inner, Mixtures(weights, homes=end), splits=splits, order=order, unit="layer-wise line")


def corner(pairs: Pairs, number: int, *, splits: Sequence[str] | str | None = None) -> xr.Dataset:
    """Loss and error of one corner of each pair.

    Args:
        pairs: the networks.
        number: 0 or 1 for a network of the pair, 2 for its third point.
        splits: names of the samples; see `points.measure`, also for further results and the errors raised.

    Returns:
        `loss` and `error` (percent) with dimensions split and those of the pairs.
    """
    weights = torch.eye(pairs.corners, dtype=torch.float64)[number : number + 1]
    result = measure(pairs, {"corner": [number]}, Mixtures(weights), splits=splits, unit="network")
    return result.isel(corner=0, drop=True)


def spread_out(alphas: Sequence[float]) -> list[int]:
    """The order in which to measure a line, so that an early stop is most informative: ends, midpoint, then the rest.

    >>> spread_out([0.0, 0.25, 0.5, 0.75, 1.0])
    [0, 4, 2, 1, 3]
    """
    taken, away = [0], np.abs(np.asarray(alphas, dtype=np.float64) - alphas[0])
    while len(taken) < len(alphas):
        away[taken[-1]] = -1
        taken.append(int(away.round(9).argmax()))
        away = np.where(away < 0, away, np.minimum(away, np.abs(np.asarray(alphas) - alphas[taken[-1]])))
    return taken
