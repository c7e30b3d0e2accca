"""A bent way between two networks, found by training its bends (Garipov et al. 2018; Draxler et al. 2018).

A way is made of nodes: the two networks, which stay, and bends between them, which are trained. Its points are mixtures
of the nodes,

    bezier   (1 - t)^2 theta_1 + 2 t (1 - t) bend + t^2 theta_2        (one bend)
    chain    straight from node to node, each leg in an equal share of t   (one bend or more)

and training lowers the mean loss over t: each step draws a t and a batch for each pair.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.connect.path_length import laid
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.measure.labelled_arrays import Place, Quantity, blank
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.planes import Colinear, basis
from lmc_utils.measure.points import Points, measure
from lmc_utils.networks import stack
from lmc_utils.networks.lifted import is_stack
from lmc_utils.networks.state_check import refuse_state
from lmc_utils.networks.training import Diverged, Recipe, at_once, batches, rate, seed_dropout, slopes
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError, Settings, at_least, between, one_of, parameter, require

KINDS = ("bezier", "chain")
_SEEN = 101  # values of t that are looked at
_DRAW = 77  # tells the draws of t from those of the data order, which have the same seeds


@dataclass(frozen=True)
class Bending(Settings):
    """How a way between two networks is bent.

    >>> Bending(curve="bezier", bends=2)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: bends: expected 1 for a bezier, got 2
    """

    curve: str = parameter("bezier", "kind of the way around", one_of(KINDS))
    bends: int = parameter(1, "points between the networks that are trained", at_least(1), also="1 for a bezier")
    curve_epochs: int = parameter(100, "passes over the training data to bend it", between(1, 9999), unit="epochs")
    curve_rate: float = parameter(0.1, "learning rate at the first step; a cosine takes it to zero", at_least(0))
    curve_points: int = parameter(21, "points along it that are measured, evenly spaced", at_least(3), bytes_each=64)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"curve_epochs": 2, "curve_points": 5}}

    def check(self) -> None:
        require(self.curve == "chain" or self.bends == 1, "bends", "1 for a bezier", self.bends)

    def weights(self, t: Tensor) -> Tensor:
        """How much of each node the points at these t are made of: (points,) to (points, 2 + bends).

        Raises:
            ParameterError: a t outside [0, 1].

        >>> Bending().weights(torch.tensor([0.0, 0.5, 1.0])).tolist()  # first network, bend, second network
        [[1.0, 0.0, 0.0], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]]
        """
        outside = t[(t < 0) | (t > 1) | t.isnan()]
        if len(outside):
            raise ParameterError(f"t: expected from 0 to 1, got {outside[0].item():g}")
        if self.curve == "bezier":
            return torch.stack([(1 - t).square(), 2 * t * (1 - t), t.square()], 1)
        legs = 1 + self.bends
        return (1 - (t[:, None] * legs - torch.arange(1 + legs).to(t)).abs()).clamp(min=0)


@dataclass(frozen=True)
class Curves:
    """A way between the networks of each pair.

    Attributes:
        pairs: the networks that they join; statistics of batch normalisation are re-estimated at every point.
        how: of which kind.
        bends: what was trained, shape (pairs, bends, parameters), in the order of the pairs.
    """

    pairs: Pairs
    how: Bending
    bends: Tensor

    def nodes(self, place: Place) -> Tensor:
        """The nodes of one pair's way: first network, bends, second network, (2 + bends, parameters)."""
        first, second = self.pairs.read(place)[:2]
        return torch.stack([first, *self.bends[list(self.pairs.places).index(place)], second])

    def points(self, place: Place, t: Tensor) -> Tensor:
        """The parameter vectors at these t, (points, parameters); at 0 and 1 the networks themselves, to the bit.

        Raises:
            ParameterError: a t outside [0, 1].
        """
        nodes = self.nodes(place)
        return self.how.weights(t).to(nodes) @ nodes

    def bent(self) -> Pairs:
        """The pairs with their first bend as third point, for planes through it."""
        rows = {place: row for row, place in enumerate(self.pairs.places)}

        def read(place: Place) -> Tensor:
            return torch.cat([self.pairs.read(place)[:2], self.bends[rows[place]][:1]])

        return replace(self.pairs, read=read, third="bend")

    def measure(self, splits: Sequence[str] | None = None) -> xr.Dataset:
        """Loss and error along each way, at points that are evenly spaced by the length of the way.

        Args:
            splits: as in `losses.measure`, which says what is raised.

        Returns:
            `loss` (nats) and `error` (percent) with dimensions split, those of the pairs, and `alpha`, the share of the
            way's length that lies behind: so the definitions of a barrier hold for it. Also `t`, where these points
            are; `length`, of the way, and `off_line`, how far it goes from the straight line through the networks, both
            in units of the networks' distance; NaN where the two are the same network.
        """
        alphas = np.linspace(0, 1, self.how.curve_points)
        dims = tuple(self.pairs.coords)
        quantities = {
            "t": Quantity((*dims, "alpha"), long_name="parameter of the way"),
            "length": Quantity(dims, long_name="length of the way over the distance of the networks"),
            "off_line": Quantity(dims, long_name="farthest from the line over the distance of the networks"),
        }
        ground = blank({**self.pairs.coords, "alpha": alphas.tolist()}, quantities, {})

        def points(place: Place, _: Tensor) -> Points:
            nodes = self.nodes(place)
            triangle = torch.linalg.qr((nodes[1:] - nodes[0]).double().cpu().T, mode="r")[1]
            way = laid(self.how.weights, triangle, alphas)
            for name, value in way._asdict().items():
                ground[name].values[place] = value
            t = torch.from_numpy(way.t)
            return Points((len(t),), lambda chosen: self.points(place, t[chosen]), torch.zeros(len(t), 2))

        found = measure(self.pairs, {"alpha": alphas.tolist()}, points, splits, "way")
        named = f"{self.how.curve}, {self.how.bends} trained for {self.how.curve_epochs} epochs"
        return found.assign(ground.data_vars).assign_attrs(curve=named)


def off_plane(curves: Curves, thirds: Pairs) -> xr.DataArray:
    """How far each way goes from the plane through its two networks and a third point, over the networks' distance.

    Args:
        curves: the ways.
        thirds: the same pairs with a third point.

    Returns:
        With the dimensions of the pairs; NaN where the three points lie on one line.

    Raises:
        ParameterError: pairs without a third point, or others than those of the ways.
    """
    thirds.require_third()
    require(list(thirds.places) == list(curves.pairs.places), "thirds", "the pairs of the ways", len(thirds))
    dims = tuple(curves.pairs.coords)
    quantities = {"off_plane": Quantity(dims, long_name="farthest from the plane over the distance of the networks")}
    found: xr.DataArray = blank(curves.pairs.coords, quantities, curves.pairs.provenance).off_plane
    for place, corners in thirds:
        with suppress(Colinear):
            plane = basis(corners)
            away = plane.locate(curves.points(place, torch.linspace(0, 1, _SEEN)).to(corners))[1].max()
            found.values[place] = away / (corners[1].double() - corners[0].double()).norm()
    return found


def drawn(planes: xr.Dataset, how: Bending) -> xr.Dataset:
    """The straight line and the way, as walks on the planes through both networks and the bend.

    A way with one bend lies on its plane as a whole.

    Args:
        planes: of `Curves.bent`, from `measure.planes.plane`.
        how: of which kind the ways are.

    Returns:
        `walk` with the dimensions of the planes' corners, where `point` becomes walker (0 the line, 1 the way) and
        epoch (the steps of either); the attribute `third` is that of the planes.

    Raises:
        ParameterError: more than one bend.
    """
    require(how.bends == 1, "bends", "1, as a way with more of them leaves the plane", how.bends)
    t = torch.linspace(0, 1, _SEEN, dtype=torch.float64)
    way = how.weights(t)[:, [0, 2, 1]]  # corners: both networks, then the bend
    line = torch.stack([1 - t, t, torch.zeros_like(t)], 1)
    weights = xr.DataArray(torch.stack([line, way]).numpy(), dims=["walker", "epoch", "point"])
    corners = planes.corner.drop_vars("epoch", errors="ignore")  # of training; here it counts steps
    walk = xr.dot(weights, corners, dim="point").transpose(..., "walker", "epoch", "axis")
    return xr.Dataset({"walk": walk}, attrs={"third": planes.attrs["third"]})


def bend(pairs: Pairs, how: Bending, recipe: Recipe, seed: int = 0) -> Curves:
    """Train the bends of all pairs as one stack, from the straight line on, by SGD on the loss at random t.

    Args:
        pairs: what is to be joined; networks of this package, and with a split `train`.
        how: what kind of way, and how long to train it.
        recipe: of the networks: batch size, momentum, augmentation and precision are its own. There is no weight decay:
            it would draw the bend to the origin.
        seed: of the draws; each pair has its own, by its labels.

    Raises:
        ParameterError: a network that is not of this package, no training samples, or fewer than a batch.
        training.Diverged: training left the finite numbers.
    """
    network, inputs, labels = pairs.network, *pairs.splits("train")["train"]
    if not is_stack(network):
        raise ParameterError("network: expected one built of stacked layers, this one has parameters of other modules")
    refuse_state(network, inputs)
    fits = recipe.batch_size <= len(inputs)
    require(fits, "batch_size", f"at most the {len(inputs)} training samples", recipe.batch_size)
    changed = {"learning_rate": how.curve_rate, "weight_decay": 0.0, "epochs": how.curve_epochs, "warmup": 0}
    own = Recipe.pick(vars(recipe) | changed)
    pairs = replace(pairs, convention=Convention("reestimate", pairs.convention.batchnorm_samples))
    places = list(pairs.places)
    streams = [(seed, name_of(pairs, place)) for place in places]
    size = at_once(network, inputs, len(places), recipe.batch_size)
    bends: list[Tensor] = []
    parts = range(0, len(places), size)
    with bar(description="training curves", unit="epoch", total=len(parts) * own.epochs) as shown:
        for first in parts:
            rows = [min(row, len(places) - 1) for row in range(first, first + size)]  # see `training.train_epoch`
            ends = torch.stack([pairs.read(places[row])[:2] for row in rows]).to(pairs.device)
            shares = torch.arange(1, 1 + how.bends).to(ends) / (1 + how.bends)
            middle = torch.lerp(ends[:, :1], ends[:, 1:], shares[:, None])
            nodes, momentum = torch.cat([ends[:, :1], middle, ends[:, 1:]], 1), torch.zeros_like(middle)
            for epoch in range(own.epochs):
                _epoch(pairs, how, own, nodes, momentum, [streams[row] for row in rows], (inputs, labels), epoch)
                shown.update()
            bends.append(nodes[:, 1:-1])
    joined = torch.cat(bends)[: len(places)] if bends else torch.zeros(0, how.bends, 0)
    return Curves(pairs, how, joined.to(pairs.read(places[0]).device) if places else joined)


def _epoch(
    pairs: Pairs,
    how: Bending,
    recipe: Recipe,
    nodes: Tensor,
    momentum: Tensor,
    streams: Sequence[Sequence[int]],
    train: tuple[Tensor, Tensor],
    epoch: int,
) -> None:
    """Train the bends, which are the nodes between the first and the last, and change their momentum, in place."""
    inputs, labels = train
    bends = nodes[:, 1:-1]
    theta, slope = torch.empty_like(nodes[:, :1]), torch.empty_like(nodes[:, 0])
    moving = stack.bound(pairs.network, theta[:, 0], stack.fresh_buffers(pairs.network, len(nodes)).to(nodes)).train()
    seed_dropout(moving, streams, epoch, inputs.device)
    steps = len(inputs) // recipe.batch_size
    drawn = torch.from_numpy(np.stack([draws_of_t(each, epoch, steps) for each in streams]))
    for step, (batch, targets) in enumerate(batches(inputs, labels, streams, recipe, epoch)):
        weights = how.weights(drawn[:, step]).to(nodes)
        torch.bmm(weights[:, None], nodes, out=theta)
        slopes(moving, batch, targets, recipe.precision, slope)
        momentum.mul_(recipe.momentum).add_(weights[:, 1:-1, None] * slope[:, None])
        bends.sub_(momentum, alpha=rate(recipe, epoch * steps + step, recipe.epochs * steps))
    if not bool(bends.isfinite().all()):
        raise Diverged(
            f"curve_rate: training of the bends diverged in epoch {epoch + 1} of {recipe.epochs}; "
            f"{recipe.learning_rate:g} is too large here, try a tenth of it"
        )


def draws_of_t(stream: Sequence[int], epoch: int, steps: int) -> np.ndarray[Any, Any]:
    """Where on its way a pair stands at each step of an epoch, (steps,), uniform in [0, 1)."""
    return np.random.default_rng([*stream, epoch, _DRAW]).random(steps)


def name_of(pairs: Pairs, place: Place) -> int:
    """A number of a pair that depends on its labels alone: with the seed, the stream of its draws."""
    labels = {
        name: along if isinstance(along, int) else str(along[index])
        for (name, along), index in zip(pairs.coords.items(), place, strict=True)
    }
    return zlib.crc32(json.dumps(labels).encode())
