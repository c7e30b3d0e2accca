"""Curved low-loss paths between two networks, found by training their inner nodes (Garipov et al. 2018).

A path has nodes: the two networks, which are fixed, and inner nodes, which are trained. Its points are mixtures of the
nodes,

    bezier   (1 - t)^2 theta_1 + 2 t (1 - t) inner + t^2 theta_2        (one inner node)
    chain    straight segments from node to node, equally long in t       (one or more inner nodes)

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

from lmc_utils.measure.evaluator import Corners, Vectors
from lmc_utils.measure.labelled_arrays import Place, Quantity, blank
from lmc_utils.measure.mixtures import EITHER, Mixtures, on_line
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.path_length import embedded, spacing
from lmc_utils.measure.planes import Colinear, basis, triangle
from lmc_utils.measure.points import measure
from lmc_utils.networks.training import Diverged, Recipe, rate
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError, Settings, at_least, between, one_of, parameter, require

KINDS = ("bezier", "chain")
_SEEN = 101  # values of t at which loss and error are measured
_DRAW = 77  # separates the draws of t from those of the data order, which have the same seeds


@dataclass(frozen=True)
class CurveSettings(Settings):
    """Settings of a path between two networks, and of its training.

    >>> CurveSettings(curve="bezier", bends=2)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: bends must be 1 for a Bézier curve (got 2)
    """

    curve: str = parameter("bezier", "type of curve", one_of(KINDS))
    bends: int = parameter(1, "trainable points between the two networks", at_least(1), also="1 for a Bézier curve")
    curve_epochs: int = parameter(100, "training epochs of the curve", between(1, 9999), unit="epochs")
    curve_rate: float = parameter(0.1, "initial learning rate for the curve (cosine decay to zero)", at_least(0))
    curve_points: int = parameter(21, "evenly spaced points measured along the curve", at_least(3), bytes_each=64)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"curve_epochs": 2, "curve_points": 5}}

    def check(self) -> None:
        require(self.curve == "chain" or self.bends == 1, "bends", "1 for a Bézier curve", self.bends)

    def weights(self, t: Tensor) -> Tensor:
        """The weights of the nodes at these t: (points,) to (points, 2 + bends).

        Raises:
            ParameterError: a t outside [0, 1].

        >>> CurveSettings().weights(torch.tensor([0.0, 0.5, 1.0])).tolist()  # first network, inner node, second
        [[1.0, 0.0, 0.0], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]]
        """
        outside = t[(t < 0) | (t > 1) | t.isnan()]
        if len(outside):
            raise ParameterError(f"t must be between 0 and 1 (got {outside[0].item():g})")
        if self.curve == "bezier":
            return torch.stack([(1 - t).square(), 2 * t * (1 - t), t.square()], 1)
        legs = 1 + self.bends
        return (1 - (t[:, None] * legs - torch.arange(1 + legs).to(t)).abs()).clamp(min=0)

    def describe(self) -> str:
        """The kind of path and its training, for the attributes of a result."""
        return f"{self.curve}, {self.bends} trained for {self.curve_epochs} epochs"


@dataclass(frozen=True)
class Curves:
    """A path between the networks of each pair.

    Attributes:
        pairs: the networks that the paths join.
        settings: the kind of path.
        inner: the trained nodes of each pair, in the order of the pairs: tensors by name, (bends, numbers).
    """

    pairs: Pairs
    settings: CurveSettings
    inner: Sequence[Vectors]

    def nodes(self, place: Place) -> Corners:
        """The nodes of one pair's path: first network, inner nodes, second network."""
        inner_nodes = self.inner[list(self.pairs.places).index(place)]
        return self.pairs.evaluator.insert_inner_nodes(_ends(self.pairs, place), inner_nodes)

    def planes(self) -> Pairs:
        """The pairs with their first inner node as third point, for planes through all three."""

        def read(place: Place) -> Corners:
            inner_nodes = self.inner[list(self.pairs.places).index(place)]
            first = {name: value[:1] for name, value in inner_nodes.items()}
            nodes = self.pairs.evaluator.insert_inner_nodes(_ends(self.pairs, place), first)
            return self.pairs.evaluator.select(nodes, [0, 2, 1])

        return replace(self.pairs, read=read, third="bend")

    def measure(self, *, splits: Sequence[str] | str | None = None) -> xr.Dataset:
        """Loss and error along each path, at points that are evenly spaced by its length.

        If running statistics are interpolated or kept, those of a point are the statistics at the same fraction of the
        straight line.

        Args:
            splits: names of the samples; see `points.measure`, also for the errors raised.

        Returns:
            `loss` and `error` (percent) with dimensions split, those of the pairs, and `alpha`, the fraction of path
            length, so that the functions of `barriers` apply. Also `t` of these points; `length` of the path, and
            `off_line`, its largest distance from the straight line through the networks, both in units of the networks'
            distance; NaN where the two are the same network.
        """
        alphas = np.linspace(0, 1, self.settings.curve_points)
        dims = tuple(self.pairs.coords)
        quantities = {
            "t": Quantity((*dims, "alpha"), long_name="parameter of the path"),
            "length": Quantity(dims, long_name="length of the path over the distance of the networks"),
            "off_line": Quantity(dims, long_name="farthest from the line over the distance of the networks"),
        }
        ground = blank({**self.pairs.coords, "alpha": alphas.tolist()}, quantities, {})
        evaluator, last = self.pairs.evaluator, 1 + self.settings.bends
        ends_first, path_order = [0, last, *range(1, last)], [0, *range(2, 1 + last), 1]  # orders of nodes
        straight = on_line(torch.from_numpy(alphas), 1 + last).weights

        def points(place: Place, corners: Corners) -> Mixtures:
            nodes = evaluator.select(corners, path_order)
            placed = spacing(self.settings.weights, embedded(evaluator.gram(nodes)), alphas)
            for name, value in placed._asdict().items():
                ground[name].values[place] = value
            homes = torch.tensor([0, *[EITHER] * (len(alphas) - 2), 1])
            return Mixtures(self.settings.weights(torch.from_numpy(placed.t))[:, ends_first], homes, straight)

        paths = replace(self.pairs, read=lambda place: evaluator.select(self.nodes(place), ends_first))
        result = measure(paths, {"alpha": alphas.tolist()}, points, splits=splits, unit="curve")
        return result.assign(ground.data_vars).assign_attrs(curve=self.settings.describe())


def off_plane(curves: Curves, thirds: Pairs) -> xr.DataArray:
    """Largest distance of each path from the plane through its networks and a third point, over the networks' distance.

    Args:
        curves: the paths.
        thirds: the same pairs, with a third point.

    Returns:
        With the dimensions of the pairs; NaN where the three points lie on one line.

    Raises:
        ParameterError: pairs without a third point, or pairs that differ from those of the paths.
    """
    thirds.require_third()
    if list(thirds.places) != list(curves.pairs.places):
        raise ParameterError("thirds must be of the same pairs as the paths")
    dims, evaluator = tuple(curves.pairs.coords), curves.pairs.evaluator
    quantities = {"off_plane": Quantity(dims, long_name="farthest from the plane over the distance of the networks")}
    result: xr.DataArray = blank(curves.pairs.coords, quantities, curves.pairs.attributes).off_plane
    weights = curves.settings.weights(torch.linspace(0, 1, _SEEN, dtype=torch.float64))
    for (place, corners), inner in zip(thirds, curves.inner, strict=True):
        third = evaluator.vectors(evaluator.select(corners, [2]))
        more = {name: torch.cat([value, third[name].to(value)]) for name, value in inner.items()}
        gram = evaluator.gram(evaluator.insert_inner_nodes(evaluator.select(corners, [0, 1]), more))
        spots = embedded(gram)  # of the first network, inner nodes, third point, second network
        with suppress(Colinear):
            triangle(gram[[0, -1, -2]][:, [0, -1, -2]])  # raises by the scale of the parameters
            plane = basis(spots[[0, -1, -2]])
            nodes = torch.cat([spots[:-2], spots[-1:]])
            result.values[place] = plane.locate(weights @ nodes)[1].max() / spots[-1].norm()
    return result


def plane_trajectories(planes: xr.Dataset, settings: CurveSettings) -> xr.Dataset:
    """Coordinates of the straight line and the path on the planes through both networks and the inner node.

    A path with one inner node lies entirely on this plane.

    Args:
        planes: of `Curves.planes`, from `measure.planes.plane`.
        settings: the kind of the paths.

    Returns:
        `position` with the dimensions of the planes' corners, where `point` is replaced by trajectory (0 the line, 1
        the path) and step; the attribute `third` is that of the planes.

    Raises:
        ParameterError: more than one inner node.
    """
    require(settings.bends == 1, "bends", "1: a path with more bends leaves the plane", settings.bends)
    t = torch.linspace(0, 1, _SEEN, dtype=torch.float64)
    path = settings.weights(t)[:, [0, 2, 1]]  # corners: both networks, then the inner node
    line = torch.stack([1 - t, t, torch.zeros_like(t)], 1)
    weights = xr.DataArray(torch.stack([line, path]).numpy(), dims=["trajectory", "step", "point"])
    positions = xr.dot(weights, planes.corner, dim="point").transpose(..., "trajectory", "step", "axis")
    return xr.Dataset({"position": positions}, attrs={"third": planes.attrs["third"]})


def train(pairs: Pairs, settings: CurveSettings, recipe: Recipe | None = None, *, seed: int = 0) -> Curves:
    """Train the inner nodes of all pairs, starting on the straight line, by SGD on the loss at random t.

    Args:
        pairs: the networks to join.
        settings: the kind of path and the length of training.
        recipe: that of the networks, for batch size, momentum, augmentation and precision. There is no weight decay: it
            would pull the inner nodes towards the origin.
        seed: seed of the draws; each pair's own seed is derived from it and the pair's labels.

    Raises:
        ParameterError: no training samples, or fewer than a batch; parameters of half precision; or training that
            diverged.
        training.Diverged: likewise, for stacked networks.
    """
    changed = {"learning_rate": settings.curve_rate, "weight_decay": 0.0, "epochs": settings.curve_epochs, "warmup": 0}
    own = Recipe.pick({**vars(recipe or Recipe()), **changed, "optimizer": "sgd", "schedule": "cosine"})
    evaluator, places = pairs.evaluator, list(pairs.places)
    steps = evaluator.steps(own)
    streams = [_stream(pairs, place, seed) for place in places]
    size = evaluator.networks_at_once(len(places), own) if places else 1
    inner: list[Vectors] = []
    parts = range(0, len(places), size)
    with bar(description="training curves", unit="epoch", total=len(parts) * own.epochs) as shown:
        for first in parts:
            rows = [min(row, len(places) - 1) for row in range(first, first + size)]  # see `training.train_epoch`
            ends = [evaluator.vectors(_ends(pairs, places[row])) for row in rows]
            nodes, momentum = Vectors(), Vectors()
            for name in ends[0]:
                both = torch.stack([each[name] for each in ends])
                fractions = torch.arange(1, 1 + settings.bends).to(both) / (1 + settings.bends)
                middle = torch.lerp(both[:, :1], both[:, 1:], fractions[:, None])
                nodes[name] = torch.cat([both[:, :1], middle, both[:, 1:]], 1)
                momentum[name] = torch.zeros_like(middle)
            for epoch in range(own.epochs):
                _epoch(pairs, settings, own, nodes, momentum, [streams[row] for row in rows], epoch, steps)
                shown.update()
            inner += [{name: value[row, 1:-1].clone() for name, value in nodes.items()} for row in range(len(rows))]
    return Curves(pairs, settings, inner[: len(places)])


def _epoch(
    pairs: Pairs,
    settings: CurveSettings,
    recipe: Recipe,
    nodes: Vectors,
    momentum: Vectors,
    streams: Sequence[Sequence[int]],
    epoch: int,
    steps: int,
) -> None:
    """Train the inner nodes (all but the first and the last) for an epoch; update them and their momentum in place."""
    drawn = torch.from_numpy(np.stack([draws_of_t(each, epoch, steps) for each in streams]))
    inner = {name: value[:, 1:-1] for name, value in nodes.items()}
    for step, gradient in enumerate(pairs.evaluator.gradients(streams, recipe, epoch)):
        weights = settings.weights(drawn[:, step])
        points = {name: torch.bmm(weights[:, None].to(each), each)[:, 0] for name, each in nodes.items()}
        step_size = rate(recipe, epoch * steps + step, recipe.epochs * steps)
        for name, slope in gradient(points).items():
            weight = weights[:, 1:-1, None].to(slope)
            momentum[name].mul_(recipe.momentum).add_(weight * slope[:, None])
            inner[name].sub_(momentum[name], alpha=step_size)
    if not all(bool(value.isfinite().all()) for value in inner.values()):
        raise Diverged(
            f"curve_rate: training of the curve diverged in epoch {epoch + 1} of {recipe.epochs}; "
            f"{recipe.learning_rate:g} is too large here, try a tenth of it"
        )


def draws_of_t(stream: Sequence[int], epoch: int, steps: int) -> np.ndarray[Any, Any]:
    """Random t of a pair at each step of an epoch, (steps,), uniform in [0, 1)."""
    return np.random.default_rng([*stream, epoch, _DRAW]).random(steps)


def _ends(pairs: Pairs, place: Place) -> Corners:
    return pairs.evaluator.select(pairs.read(place), [0, 1])


def _stream(pairs: Pairs, place: Place, seed: int) -> tuple[int, ...]:
    """The seed of a pair's draws: it depends on the pair's labels, not on the other pairs."""
    labels = {
        name: dim_labels if isinstance(dim_labels, int) else str(dim_labels[index])
        for (name, dim_labels), index in zip(pairs.coords.items(), place, strict=True)
    }
    return (seed, zlib.crc32(json.dumps(labels).encode())) if labels else (seed,)
