"""Loss and error on the straight line between two networks, all layers together or one layer alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.measure.labelled_arrays import Coords, Place
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import Points, along, measure, mix
from lmc_utils.networks import stack
from lmc_utils.networks.state_check import refuse_buffers
from lmc_utils.settings import Allowed, Settings, at_least, parameter


@dataclass(frozen=True)
class LineGrid(Settings):
    """Which points of the line (1 - alpha) * theta_1 + alpha * theta_2 to look at; 0, 1/2 and 1 are always among them.

    >>> LineGrid(alphas=3, alpha_range=[0, 2]).values().tolist()
    [0.0, 0.5, 1.0, 2.0]
    """

    alphas: int = parameter(25, "evenly spaced points on the line through two siblings", at_least(2), bytes_each=64)
    alpha_range: tuple[float, ...] = parameter(
        (-0.5, 1.5),
        "where the line starts and ends; the siblings are at 0 and 1",
        Allowed(
            "two numbers, the first at most 0, the second at least 1",
            lambda ends: len(ends) == 2 and ends[0] <= 0 and ends[1] >= 1,
        ),
    )

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"alphas": 9}}

    def values(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The interpolation coefficients, increasing, shape (n_alphas,)."""
        even = np.linspace(self.alpha_range[0], self.alpha_range[1], self.alphas).round(12)
        return np.union1d(even, [0.0, 0.5, 1.0])


def line(pairs: Pairs, grid: LineGrid, splits: Sequence[str] | None = None) -> xr.Dataset:
    """Loss and error along the line through each pair of networks.

    Args:
        pairs: what to measure.
        grid: the interpolation coefficients.
        splits: as in `losses.measure`, which says what is returned and raised.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, those of the pairs, alpha. At a fork itself both
        endpoints are the parent and the line is one point.
    """
    alphas = torch.from_numpy(grid.values())

    def points(_: Place, ends: Tensor) -> Points:
        return Points(
            (len(alphas),), lambda chosen: mix(ends[0], ends[1], alphas[chosen].to(ends)), along(alphas, ends)
        )

    return measure(pairs, {"alpha": alphas.tolist()}, points, splits, "line")


def layer_line(pairs: Pairs, alphas: Sequence[float] = (0.0, 0.5), splits: Sequence[str] | None = None) -> xr.Dataset:
    """Loss and error while one layer alone walks from one network to the other and all others stay where they are.

    This is the walk of layer-wise linear mode connectivity (Adilova et al., arXiv 2307.06966).

    Args:
        pairs: what to measure.
        alphas: how far the layer has gone: 0 at home, 1 at the other network.
        splits: as in `losses.measure`, which says what is returned and raised.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, those of the pairs, end, layer, alpha. At end 0 the
        other layers are those of the pair's first network, at end 1 those of its second.
    """
    refuse_buffers(pairs.network)
    slices = stack.layer_slices(pairs.network)
    way = torch.tensor(alphas, dtype=torch.float64)

    shape, blocks = (2, len(slices), len(way)), list(slices.values())
    owners = torch.tensor([list(slices).index(layer) for layer in stack.buffer_layers(pairs.network)])
    end, layer, step = (each.flatten() for each in torch.meshgrid(*map(torch.arange, shape), indexing="ij"))
    gone = torch.where(owners == layer[:, None], way[step, None], 0.0)  # each number of the buffers goes with its layer
    first = torch.where(end[:, None] == 0, 1 - gone, gone)
    weights = torch.stack([first, 1 - first], 1)

    def points(_: Place, ends: Tensor) -> Points:
        def lay(chosen: Tensor) -> Tensor:
            moved = ends[end[chosen]]
            for row, point in enumerate(chosen.tolist()):
                block = blocks[layer[point]]
                home, away = ends[end[point], block], ends[1 - end[point], block]
                moved[row, block] = mix(home, away, way[step[point], None].to(ends))[0]
            return moved

        return Points(shape, lay, weights, end)

    inner: Coords = {"end": [0, 1], "layer": list(slices), "alpha": way.tolist()}
    return measure(pairs, inner, points, splits, "line")


def corner(pairs: Pairs, number: int, splits: Sequence[str] | None = None) -> xr.Dataset:
    """Loss and error of one network that goes with each pair.

    Args:
        pairs: what to measure.
        number: which one: 0 and 1 are those of the pair, 2 its third point.
        splits: as in `losses.measure`, which says what is returned and raised.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split and those of the pairs.
    """

    def points(_: Place, corners: Tensor) -> Points:
        weights = torch.eye(len(corners), dtype=torch.float64)[number : number + 1]
        return Points((1,), lambda chosen: corners[number : number + 1][chosen], weights)

    return measure(pairs, {"corner": [number]}, points, splits, "network").isel(corner=0, drop=True)
