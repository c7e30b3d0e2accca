"""Distances and angles between siblings, their parent and their origins, for the whole network and for each layer.

The angle between siblings depends on its apex: at the fork point it compares their displacements since the fork, at the
initialisation those of all training, at the origin the weights themselves. Sums run in float64.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.measure.labelled_arrays import Quantity, blank
from lmc_utils.measure.trajectories import Trajectories
from lmc_utils.progress import bar

__all__ = ["track", "along_the_start", "by_layer", "cosine"]

APEXES = ("fork_point", "initialisation", "origin")
WHOLE = "all"
UNDEFINED = {
    "undefined": "NaN where a sibling stands at the apex itself, as at its fork, for there it has no direction"
}

_SIBLING = ("fork_epoch", "parent", "sibling", "epoch", "layer")
_PAIR = ("fork_epoch", "parent", "pair", "epoch", "layer")


def by_layer(products: Tensor, slices: Mapping[str, slice]) -> Tensor:
    """Sums over the parameters of the whole network and of each layer: (..., parameters) to (..., 1 + layers).

    >>> by_layer(torch.tensor([1.0, 2.0, 4.0]), {"a": slice(0, 1), "b": slice(1, 3)})
    tensor([7., 1., 6.], dtype=torch.float64)
    """
    layers = torch.stack([products[..., block].sum(-1, dtype=torch.float64) for block in slices.values()], -1)
    return torch.cat([layers.sum(-1, keepdim=True), layers], -1)


def cosine(dot: xr.DataArray, first: xr.DataArray, second: xr.DataArray) -> xr.DataArray:
    """Cosine of the angle between two vectors, from their inner product and their lengths, clamped to [-1, 1].

    NaN where one of them has length zero, and so no direction.

    >>> one, two = xr.DataArray(1.0), xr.DataArray(2.0)
    >>> cosine(xr.DataArray(2.0000001), one, two).item(), cosine(0 * one, 0 * one, two).item()
    (1.0, nan)
    """
    lengths = first * second
    return (dot / lengths.where(lengths > 0)).clip(-1, 1)


def track(trajectories: Trajectories) -> xr.Dataset:
    """Distances and directions of siblings, at every epoch of training.

    Args:
        trajectories: of the siblings.

    Returns:
        For each sibling, with dimensions fork_epoch, parent, sibling, epoch, layer: its distances `norm` (from the
        origin), `fork_distance`, `initialisation_distance` and `parent_distance` (from the parent at the fork, at
        initialisation and at the same epoch); `step`, the distance from the previous epoch; `path_length`, the sum of
        its steps since the fork; and `path_ratio`, `path_length` over `fork_distance`.

        For each pair, with dimensions fork_epoch, parent, pair, epoch, layer: their `distance`, and with a further
        dimension apex the `cosine` and the `angle` (degrees) between them as seen from the apex.

        Layer `all` is the whole network; the squared distances of the other layers add up to its squared distance. NaN
        before the fork, and where a direction is undefined (see the attribute `undefined`).
    """
    slices = trajectories.slices
    coords = {**trajectories.coords(), "layer": [WHOLE, *slices], "apex": list(APEXES)}
    lengths = ("step", "parent_distance", *APEXES)
    quantities = {name: Quantity(_SIBLING) for name in lengths}
    quantities |= {"distance": Quantity(_PAIR), "dots": Quantity((*_PAIR, "apex"))}
    squared = blank(coords, quantities, trajectories.provenance)
    groups = list(itertools.product(enumerate(trajectories.fork_epochs), range(trajectories.parents)))
    for (fork, fork_epoch), parent in bar(groups, "tracking siblings", unit="parent"):
        start, left = (trajectories.read(fork_epoch, parent, epoch)[:1].double() for epoch in (0, fork_epoch))
        before = left
        for place, epoch in trajectories.since(fork_epoch):
            thetas = trajectories.read(fork_epoch, parent, epoch).double()
            siblings = thetas[1:]
            seen = {"fork_point": siblings - left, "initialisation": siblings - start, "origin": siblings}
            moves = seen | {"step": siblings - before, "parent_distance": siblings - thetas[:1]}
            for name, vectors in moves.items():
                squared[name].values[fork, parent, :, place] = by_layer(vectors.square(), slices)
            for row, (one, other) in enumerate(trajectories.pairs):
                apart = by_layer((siblings[other] - siblings[one]).square(), slices)
                products = torch.stack([seen[apex][one] * seen[apex][other] for apex in APEXES])
                squared.distance.values[fork, parent, row, place] = apart
                squared.dots.values[fork, parent, row, place] = by_layer(products, slices).T
            before = siblings
    far: xr.Dataset = squared.drop_vars("dots").map(np.sqrt).assign_attrs(trajectories.provenance)
    path = far.step.cumsum("epoch").where(far.step.notnull())
    seen_from = [cosine(squared.dots.sel(apex=apex), *of_both(far[apex], squared.pair)) for apex in APEXES]
    turns = xr.concat(seen_from, squared.apex).transpose(*squared.dots.dims)
    names = {"origin": "norm", "fork_point": "fork_distance", "initialisation": "initialisation_distance"}
    return far.rename(names).assign(
        path_length=path,
        path_ratio=(path / far.fork_point.where(far.fork_point > 0)).assign_attrs(UNDEFINED),
        cosine=turns.assign_attrs(UNDEFINED),
        angle=degrees(turns).assign_attrs(UNDEFINED),
    )


def along_the_start(tracked: xr.Dataset) -> xr.Dataset:
    """How much of what siblings have in common lies along the weights that they forked from.

    Weight decay shrinks all weights of every network by the same factor, so siblings share a movement towards the
    origin that has nothing to do with the landscape. With the displacements `w_i = theta_i - theta_f` and `u = theta_f
    / |theta_f|`, their components along the start are `r_i = w_i . u = (|theta_i|^2 - |theta_f|^2 - |w_i|^2) / (2
    |theta_f|)`.

    Args:
        tracked: from `track`.

    Returns:
        For each sibling `start_left`, the fraction of the start that is left, `1 + r_i / |theta_f|`. For each pair the
        fractions of inner products that lie along the start: `displacement_fraction`, `r_1 r_2 / (w_1 . w_2)`, and
        `position_fraction`, `(theta_1 . u)(theta_2 . u)` over `theta_1 . theta_2`; and `cosine`, that of the
        displacements without their components along the start. NaN before the fork, and for pairs at the fork, too.
    """
    start = np.sqrt(squared_start(tracked))
    along = (tracked.norm**2 - start**2 - tracked.fork_distance**2) / (2 * start)

    def product(values: xr.DataArray) -> xr.DataArray:
        one, other = of_both(values, tracked.pair)
        return one * other

    turns = {apex: tracked.cosine.sel(apex=apex, drop=True) for apex in ("fork_point", "origin")}
    displacements = turns["fork_point"] * product(tracked.fork_distance)
    places = turns["origin"] * product(tracked.norm)
    across = np.sqrt((tracked.fork_distance**2 - along**2).clip(0))
    return xr.Dataset(
        {
            "start_left": 1 + along / start,
            "displacement_fraction": product(along) / displacements,
            "position_fraction": product(start + along).where(displacements.notnull()) / places,
            "cosine": cosine(displacements - product(along), product(across), xr.ones_like(displacements)),
        }
    )


def degrees(cosines: xr.DataArray) -> xr.DataArray:
    """The angles with these cosines, in degrees."""
    return cosines.copy(data=np.degrees(np.arccos(cosines.values))).assign_attrs(units="degrees")


def squared_start(tracked: xr.Dataset) -> xr.DataArray:
    """The squared length of the weights that siblings forked from."""
    squared: xr.DataArray = (tracked.norm**2).isel(sibling=0, drop=True)
    return squared.where(tracked.epoch == tracked.fork_epoch).max("epoch")


def of_both(values: xr.DataArray, pair: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """The values of the first and of the second sibling of each pair."""
    siblings = [[int(sibling) for sibling in name.split("-")] for name in pair.values]
    one, other = (values.sel(sibling=list(end)).rename(sibling="pair") for end in zip(*siblings, strict=True))
    return one.assign_coords(pair=pair.values), other.assign_coords(pair=pair.values)
