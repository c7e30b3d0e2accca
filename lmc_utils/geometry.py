"""Distances and angles between siblings, their parent and where they came from, in all and layer by layer.

The angle between siblings depends on where one stands: at the fork point it compares their walks since they parted, at
the initialisation all of training, at the origin the weights themselves. Sums run in float64.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from tqdm import tqdm

from lmc_utils import paths, stack
from lmc_utils.siblings import Member, Run

APEXES = ("fork_point", "initialisation", "origin")
WHOLE = "all"

_SIBLING = ("fork_epoch", "parent", "sibling", "epoch", "layer")
_PAIR = ("fork_epoch", "parent", "pair", "epoch", "layer")
_UNDEFINED = "NaN where a sibling stands at the apex itself, as at its fork, for there it has no direction"


def by_layer(products: Tensor, slices: Mapping[str, slice]) -> Tensor:
    """Sum over the parameters of the whole network and of each layer: (..., parameters) to (..., 1 + layers).

    >>> by_layer(torch.tensor([1.0, 2.0, 4.0]), {"a": slice(0, 1), "b": slice(1, 3)})
    tensor([7., 1., 6.], dtype=torch.float64)
    """
    layers = torch.stack([products[..., block].sum(-1, dtype=torch.float64) for block in slices.values()], -1)
    return torch.cat([layers.sum(-1, keepdim=True), layers], -1)


def cosine(dot: xr.DataArray, first: xr.DataArray, second: xr.DataArray) -> xr.DataArray:
    """The cosine of the angle between two vectors from their product and their lengths, clamped to [-1, 1].

    NaN where one of them has no length, and so no direction.

    >>> one, two = xr.DataArray(1.0), xr.DataArray(2.0)
    >>> cosine(xr.DataArray(2.0000001), one, two).item(), cosine(0 * one, 0 * one, two).item()
    (1.0, nan)
    """
    lengths = first * second
    return (dot / lengths.where(lengths > 0)).clip(-1, 1)


def track(run: Run, progress: bool = True) -> xr.Dataset:
    """How far siblings walk and which way, at every epoch of training.

    Args:
        run: the trained family.
        progress: show a progress bar on standard error.

    Returns:
        For each sibling, with dimensions fork_epoch, parent, sibling, epoch, layer: its distances `norm` (from the
        origin), `fork_distance`, `initialisation_distance` and `parent_distance` (from the parent at the fork, at
        initialisation and at the same epoch); `step`, how far the last epoch took it; `path_length`, its steps since
        the fork together; and `path_ratio`, that over `fork_distance`.

        For each pair, with dimensions fork_epoch, parent, pair, epoch, layer: their `distance`, and with a further
        dimension apex the `cosine` and the `angle` (degrees) between them as seen from there.

        Layer `all` is the whole network; the other layers' squared distances add up to its own. NaN before the fork,
        and where there is no direction, as the attribute `undefined` says.
    """
    experiment, slices = run.experiment, stack.layer_slices(run.network)
    coords: dict[str, Any] = {
        "fork_epoch": list(experiment.fork_epochs),
        "parent": list(range(experiment.parents)),
        "sibling": list(range(experiment.siblings)),
        "pair": [f"{first}-{second}" for first, second in run.pairs],
        "epoch": list(range(experiment.epochs + 1)),
        "layer": [WHOLE, *slices],
        "apex": list(APEXES),
    }
    squared = {name: _empty(coords, _SIBLING) for name in ("step", "parent_distance", *APEXES)}
    dots, apart = _empty(coords, (*_PAIR, "apex")), _empty(coords, _PAIR)
    families = list(itertools.product(enumerate(experiment.fork_epochs), coords["parent"]))
    for (fork, fork_epoch), parent in tqdm(families, "tracking siblings", unit="family", disable=not progress):
        members = [Member(parent), *(Member(parent, fork_epoch, sibling) for sibling in coords["sibling"])]
        start, left = (run.thetas([Member(parent)], epoch).double() for epoch in (0, fork_epoch))
        before = left
        for epoch in range(fork_epoch, experiment.epochs + 1):
            thetas = run.thetas(members, epoch).double()
            walkers = thetas[1:]
            seen = {"fork_point": walkers - left, "initialisation": walkers - start, "origin": walkers}
            moves = seen | {"step": walkers - before, "parent_distance": walkers - thetas[:1]}
            for name, vectors in moves.items():
                squared[name][fork, parent, :, epoch] = by_layer(vectors.square(), slices)
            for row, (one, other) in enumerate(run.pairs):
                apart[fork, parent, row, epoch] = by_layer((walkers[other] - walkers[one]).square(), slices)
                products = torch.stack([seen[apex][one] * seen[apex][other] for apex in APEXES])
                dots[fork, parent, row, epoch] = by_layer(products, slices).T
            before = walkers
    lengths = {name: _label(np.sqrt(values), coords, _SIBLING) for name, values in squared.items()}
    path = lengths["step"].cumsum("epoch").where(lengths["step"].notnull())
    turns = _turns(_label(dots, coords, (*_PAIR, "apex")), lengths, run.pairs)
    straight = lengths["fork_point"].where(lengths["fork_point"] > 0)
    return xr.Dataset(
        {
            "norm": lengths["origin"],
            "fork_distance": lengths["fork_point"],
            "initialisation_distance": lengths["initialisation"],
            "parent_distance": lengths["parent_distance"],
            "step": lengths["step"],
            "path_length": path,
            "path_ratio": (path / straight).assign_attrs(undefined=_UNDEFINED),
            "distance": _label(np.sqrt(apart), coords, _PAIR),
            "cosine": turns.assign_attrs(undefined=_UNDEFINED),
            "angle": _degrees(turns).assign_attrs(undefined=_UNDEFINED),
        },
        attrs={"experiment": json.dumps(experiment.to_json()), "dataset": run.dataset.name},
    )


def along_the_start(tracked: xr.Dataset) -> xr.Dataset:
    """What of the siblings' common walk, and of their common place, points along the weights that they forked from.

    Weight decay shrinks all weights alike, whoever walks; so siblings share a walk towards the origin without the
    landscape having led them there. With `w_i = theta_i - theta_f` and `u = theta_f / |theta_f|`, the walks' parts
    along the start are `r_i = w_i . u = (|theta_i|^2 - |theta_f|^2 - |w_i|^2) / (2 |theta_f|)`.

    Args:
        tracked: from `track`.

    Returns:
        With the dimensions of siblings `kept`, how much of the start is left in one, `1 + r_i / |theta_f|`. With those
        of pairs `walk_share`, `r_1 r_2 / (w_1 . w_2)`; `place_share`, `(theta_1 . u)(theta_2 . u)` over
        `theta_1 . theta_2`; and `cosine`, that of the walks once their parts along the start are taken out. NaN before
        the fork, and those of pairs at the fork, too.
    """
    start = np.sqrt(_squared_start(tracked))
    along = (tracked.norm**2 - start**2 - tracked.fork_distance**2) / (2 * start)

    def product(values: xr.DataArray) -> xr.DataArray:
        one, other = _both(values, tracked.pair)
        return one * other

    turns = {apex: tracked.cosine.sel(apex=apex, drop=True) for apex in ("fork_point", "origin")}
    walks = turns["fork_point"] * product(tracked.fork_distance)
    places = turns["origin"] * product(tracked.norm)
    across = np.sqrt((tracked.fork_distance**2 - along**2).clip(0))
    return xr.Dataset(
        {
            "kept": 1 + along / start,
            "walk_share": product(along) / walks,
            "place_share": product(start + along).where(walks.notnull()) / places,
            "cosine": cosine(walks - product(along), product(across), xr.ones_like(walks)),
        }
    )


def project(run: Run, third: str = "fork_point", progress: bool = True) -> xr.Dataset:
    """The siblings' walks from their fork on, seen on the plane through both as trained and a third point.

    Args:
        run: the trained family.
        third: `fork_point`, or `parent`: the parent at the end of training.
        progress: show a progress bar on standard error.

    Returns:
        With dimensions fork_epoch, parent, pair, walker (0 and 1), epoch: `off_plane`, the distance from the plane, and
        `off_plane_fraction`, that over the distance from the fork point (NaN at the fork); and with a dimension axis
        `walk`, the coordinates on the plane as `paths.plane` lays them. NaN before the fork, and where the three points
        lie on one line.
    """
    epochs = run.experiment.epochs + 1
    coords, pairs = run.each_pair()
    coords = {name: values for name, values in coords.items() if name != "epoch"}
    coords |= {"walker": [0, 1], "epoch": list(range(epochs))}
    dims = tuple(coords)
    walk, off = (np.full([len(values) for values in coords.values()] + more, np.nan) for more in ([2], []))
    away = np.full_like(off, np.nan)
    for (fork, parent, pair, _), ends in tqdm(pairs, "projecting walks", unit="pair", disable=not progress):
        try:
            seen = paths.frame(paths.corners(run, (fork, parent, pair), ends, third))
        except paths.Colinear:
            continue
        fork_epoch = run.experiment.fork_epochs[fork]
        left = run.thetas([Member(parent)], fork_epoch).double()
        walkers = [Member(parent, fork_epoch, sibling) for sibling in run.pairs[pair]]
        for epoch in range(fork_epoch, epochs):
            thetas = run.thetas(walkers, epoch)
            at = (fork, parent, pair, slice(None), epoch)
            walk[at], off[at] = (values.numpy() for values in seen.locate(thetas))
            away[at] = (thetas.double() - left).norm(dim=1)
    distance = _label(off, coords, dims)
    return xr.Dataset(
        {
            "walk": ((*dims, "axis"), walk),
            "off_plane": distance,
            "off_plane_fraction": (distance / _label(away, coords, dims).where(away > 0)).assign_attrs(
                undefined=_UNDEFINED
            ),
        },
        coords=coords,
        attrs={"experiment": json.dumps(run.experiment.to_json()), "dataset": run.dataset.name, "third": third},
    )


def random_walks(tracked: xr.Dataset) -> xr.Dataset:
    """What `track` would find, were every step as long as it was but in a direction of its own, drawn at random.

    In many dimensions directions drawn at random are all but perpendicular: the cosine between two of them has mean 0
    and standard deviation 1 / sqrt(parameters). So squared steps add up, and the angle seen from the fork point stays a
    right one. The values below are exact for the mean squares, and in the limit of many dimensions for all others.

    Args:
        tracked: what `track` returned.

    Returns:
        `fork_distance`, `path_ratio` and `off_plane_fraction` (as `project` has it, of the plane through the fork point
        and both ends) for each sibling; `distance`, `cosine` and `angle` (the latter two with a dimension apex:
        fork_point and origin) for each pair; with the dimensions of `tracked`.
    """
    squared = (tracked.step**2).cumsum("epoch").where(tracked.step.notnull())
    straight = np.sqrt(squared)
    one, other = _both(squared, tracked.pair)
    left = _squared_start(tracked)
    from_origin = left / np.sqrt((left + one) * (left + other))
    turns = xr.concat([xr.zeros_like(from_origin).where((one > 0) & (other > 0)), from_origin], "apex")
    turns = turns.assign_coords(apex=["fork_point", "origin"])
    return xr.Dataset(
        {
            "fork_distance": straight,
            "path_ratio": tracked.path_length / straight.where(straight > 0),
            # Half-way a walk has come s of its way S along its own end's direction, and sqrt(s - s^2 / S) beside it.
            "off_plane_fraction": np.sqrt((1 - squared / squared.isel(epoch=-1)).clip(0)).where(squared > 0),
            "distance": np.sqrt(one + other),
            "cosine": turns,
            "angle": _degrees(turns),
        }
    )


def spread_of_random_angles(parameters: int) -> float:
    """Standard deviation, in degrees, of the angle between two directions drawn at random in so many dimensions.

    The cosine has variance 1 / parameters exactly; near a right angle its arc cosine has the same in radians.

    >>> round(spread_of_random_angles(10_000), 2)
    0.57
    """
    return math.degrees(1 / math.sqrt(parameters))


def _turns(dots: xr.DataArray, lengths: Mapping[str, xr.DataArray], pairs: Iterable[tuple[int, int]]) -> xr.DataArray:
    firsts, seconds = (list(ends) for ends in zip(*pairs, strict=True))
    each = [
        cosine(
            dots.sel(apex=apex),
            _as_pairs(lengths[apex], firsts, dots.pair),
            _as_pairs(lengths[apex], seconds, dots.pair),
        )
        for apex in APEXES
    ]
    return xr.concat(each, dots.apex).transpose(*dots.dims)


def _degrees(cosines: xr.DataArray) -> xr.DataArray:
    return cosines.copy(data=np.degrees(np.arccos(cosines.values))).assign_attrs(units="degrees")


def _squared_start(tracked: xr.Dataset) -> xr.DataArray:
    """The squared length of the weights that siblings forked from."""
    squared: xr.DataArray = (tracked.norm**2).isel(sibling=0, drop=True)
    return squared.where(tracked.epoch == tracked.fork_epoch).max("epoch")


def _both(values: xr.DataArray, pair: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """The values of the first and of the second sibling of each pair."""
    one, other = ([int(name.split("-")[end]) for name in pair.values] for end in (0, 1))
    return _as_pairs(values, one, pair), _as_pairs(values, other, pair)


def _as_pairs(values: xr.DataArray, siblings: list[int], pair: xr.DataArray) -> xr.DataArray:
    """The values of one sibling of each pair."""
    picked = values.sel(sibling=siblings).rename(sibling="pair")
    return picked.assign_coords(pair=pair.values)


def _empty(coords: Mapping[str, Any], dims: tuple[str, ...]) -> np.ndarray[Any, Any]:
    return np.full([len(coords[name]) for name in dims], np.nan)


def _label(values: np.ndarray[Any, Any], coords: Mapping[str, Any], dims: tuple[str, ...]) -> xr.DataArray:
    return xr.DataArray(values, dims=dims, coords={name: coords[name] for name in dims})
