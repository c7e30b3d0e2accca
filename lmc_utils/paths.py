"""Loss and error along lines and on planes through weight space."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from tqdm import tqdm

from lmc_utils import stack
from lmc_utils.evaluation import evaluate, require_finite
from lmc_utils.settings import Settings, require, require_choice
from lmc_utils.siblings import Member, PairAt, Run

SPLITS = ("train", "test")
THIRDS = ("fork_point", "parent")

Place = tuple[int, ...]


@dataclass(frozen=True)
class Line(Settings):
    """Where on the line (1 - alpha) * theta_1 + alpha * theta_2 to look.

    Attributes:
        alphas: evenly spaced interpolation coefficients; 0, 1/2 and 1 are added where the grid misses them.
        alpha_range: the first and the last; beyond [0, 1] the line goes on past the endpoints.

    >>> Line(alphas=3, alpha_range=[0, 2]).grid().tolist()
    [0.0, 0.5, 1.0, 2.0]
    """

    alphas: int = 25
    alpha_range: tuple[float, ...] = (-0.5, 1.5)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"alphas": 9}}

    def check(self) -> None:
        require(self.alphas >= 2, "alphas", "at least 2", self.alphas)
        ends = self.alpha_range
        around = len(ends) == 2 and -math.inf < ends[0] <= 0 and 1 <= ends[1] < math.inf
        require(around, "alpha_range", "two numbers, the first at most 0, the second at least 1", ends)

    def grid(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The interpolation coefficients, increasing."""
        even = np.linspace(self.alpha_range[0], self.alpha_range[1], self.alphas).round(12)
        return np.union1d(even, [0.0, 0.5, 1.0])


@dataclass(frozen=True)
class Plane(Settings):
    """Where to look on the plane through two siblings and a third point.

    Attributes:
        grid: points along each of the plane's two axes.
        margin: how far the grid goes beyond the three points, in widths and heights of their triangle.

    >>> Plane(grid=1)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: grid: expected at least 2, got 1
    """

    grid: int = 25
    margin: float = 0.3

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"grid": 5}}

    def check(self) -> None:
        require(self.grid >= 2, "grid", "at least 2", self.grid)
        require(0 <= self.margin < math.inf, "margin", "a finite number of at least 0", self.margin)


@dataclass(frozen=True)
class Climb(Settings):
    """Where to look on the way from the sibling line (height 0) up to a third point (height 1).

    Attributes:
        heights: how many, evenly spaced; an odd number, so that every other one makes an even grid, too.

    >>> Climb(heights=5).grid().tolist(), Climb(heights=5).coarse().tolist()
    ([0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.5, 1.0])
    """

    heights: int = 11

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"heights": 5}}

    def check(self) -> None:
        require(self.heights >= 5 and self.heights % 2 == 1, "heights", "an odd number of at least 5", self.heights)

    def grid(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """All heights, from 0 to 1."""
        return np.linspace(0, 1, self.heights).round(12)

    def coarse(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Every other height, from 0 to 1."""
        return self.grid()[::2]


class Colinear(ValueError):
    """Three points that span no plane."""


class Frame(NamedTuple):
    """Coordinates on the plane through three points.

    Attributes:
        origin: the first point, shape (parameters,), float64.
        axes: an orthonormal basis, shape (2, parameters): the first axis points to the second point, and the third
            point lies on the positive side of the first.
        corners: where the three points lie, shape (3, 2).
    """

    origin: Tensor
    axes: Tensor
    corners: Tensor

    def locate(self, thetas: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates of the points' projections, shape (points, 2), and their distances from the plane, (points,)."""
        away = thetas.double() - self.origin
        inside = away @ self.axes.T
        return inside, (away - inside @ self.axes).norm(dim=1)

    def points(self, coordinates: Tensor) -> Tensor:
        """The parameter vectors at these coordinates, shape (points, parameters)."""
        return self.origin + coordinates @ self.axes


def frame(corners: Tensor) -> Frame:
    """An orthonormal frame of the plane through three points, by QR decomposition.

    Args:
        corners: shape (3, parameters).

    Raises:
        Colinear: they lie on one line, as far as float32 can tell.

    >>> found = frame(torch.tensor([[1.0, 0.0, 0.0], [1.0, 2.0, 0.0], [1.0, 1.0, -3.0]]))
    >>> found.corners + 0  # no -0
    tensor([[0., 0.],
            [2., 0.],
            [1., 3.]], dtype=torch.float64)
    """
    origin, *others = corners.double()
    basis, triangle = torch.linalg.qr((torch.stack(others) - origin).T)
    signs = torch.where(triangle.diagonal() < 0, -1.0, 1.0)
    basis, triangle = basis * signs, triangle * signs[:, None]
    # Parameters are float32: what is below their rounding is no height.
    rounding = 1e-6 * float(corners.double().norm(dim=1).max() + triangle.abs().max())
    if min(triangle.diagonal().tolist()) <= rounding:
        raise Colinear("points: expected three that span a plane, got three on one line")
    return Frame(origin, basis.T, torch.cat([triangle.new_zeros(1, 2), triangle.T]))


def corners(run: Run, place: Place, ends: Tensor, third: str) -> Tensor:
    """Both siblings of a pair and a third point: where they parted, or their parent at the end of training.

    Args:
        run: the trained family.
        place: of the pair, as `Run.each_pair` gives it.
        ends: its endpoints, shape (2, parameters).
        third: `fork_point` or `parent`.

    Returns:
        shape (3, parameters).
    """
    require_choice("third", third, THIRDS)
    experiment = run.experiment
    epoch = experiment.fork_epochs[place[0]] if third == "fork_point" else experiment.epochs
    return torch.cat([ends, run.thetas([Member(place[1])], epoch)])


def line(run: Run, where: Line, epochs: Sequence[int] | None = None, progress: bool = True) -> xr.Dataset:
    """Loss and error along the line through each pair of siblings.

    Args:
        run: the trained family.
        where: the interpolation coefficients.
        epochs: which epochs of training; by default the last one only.
        progress: show a progress bar on standard error.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, fork_epoch, parent, pair, epoch, alpha. NaN where an
        epoch lies before the fork; at the fork itself both endpoints are the parent and the line is one point.
    """
    alphas = torch.from_numpy(where.grid())
    coords, pairs = run.each_pair(epochs)
    coords = {"split": list(SPLITS)} | coords | {"alpha": where.grid()}
    return _measure(run, coords, pairs, lambda _, ends: stack.mix(ends[0], ends[1], alphas.to(ends.dtype)), progress)


def layer_line(
    run: Run, alphas: Sequence[float] = (0.0, 0.5), epochs: Sequence[int] | None = None, progress: bool = True
) -> xr.Dataset:
    """Loss and error while one layer alone walks from one sibling to the other and all others stay where they are.

    This is the walk of layer-wise linear mode connectivity (Adilova et al., arXiv 2307.06966).

    Args:
        run: the trained family.
        alphas: how far the layer has gone: 0 at home, 1 at the other sibling.
        epochs: which epochs of training; by default the last one only.
        progress: show a progress bar on standard error.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, fork_epoch, parent, pair, epoch, end, layer, alpha.
        At end 0 the other layers are those of the pair's first sibling, at end 1 those of its second. NaN before the
        fork.
    """
    slices = stack.layer_slices(run.network)
    way = torch.tensor(alphas, dtype=torch.float64)
    coords, pairs = run.each_pair(epochs)
    coords = {"split": list(SPLITS)} | coords | {"end": [0, 1], "layer": list(slices), "alpha": way.numpy()}

    def points(_: Place, ends: Tensor) -> Tensor:
        walked = stack.mix(ends, ends.flip(0), way.to(ends.dtype))  # (end, alpha, parameters)
        moved = ends[:, None, None].repeat(1, len(slices), len(way), 1)
        for row, block in enumerate(slices.values()):
            moved[:, row, :, block] = walked[:, :, block]
        return moved

    return _measure(run, coords, pairs, points, progress)


def plane(
    run: Run,
    where: Plane,
    third: str = "fork_point",
    parents: Sequence[int] | None = None,
    splits: Sequence[str] = SPLITS,
    progress: bool = True,
) -> xr.Dataset:
    """Loss and error on the plane through both siblings of each pair, as trained, and a third point.

    Args:
        run: the trained family.
        where: the grid.
        third: `fork_point`, or `parent`: the parent at the end of training.
        parents: whose siblings; by default those of all.
        splits: `train`, `test` or both.
        progress: show a progress bar on standard error.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, fork_epoch, parent, pair, row, column; the distances
        `x` (of each column) and `y` (of each row) from the first sibling along axes that are perpendicular to each
        other; `corner` with dimensions corner (the siblings, then the third point) and axis. All are NaN where
        `colinear` says that the three points lie on one line, as they do where siblings have not yet parted.
    """
    coords, pairs = run.each_pair()
    kept = list(range(run.experiment.parents)) if parents is None else list(parents)
    coords = {name: values for name, values in coords.items() if name != "epoch"} | {"parent": kept}
    shape = tuple(len(values) for values in coords.values())
    x, y = np.full((*shape, where.grid), np.nan), np.full((*shape, where.grid), np.nan)
    located = np.full((*shape, 3, 2), np.nan)
    todo: list[tuple[Place, Tensor]] = []
    grids: dict[Place, Frame] = {}
    for (fork, parent, pair, _), ends in pairs:
        if parent not in kept:
            continue
        place = (fork, kept.index(parent), pair)
        try:
            grids[place] = frame(corners(run, (fork, parent, pair), ends, third))
        except Colinear:
            continue
        spots = grids[place].corners.numpy()
        located[place] = spots
        for axis, ticks in enumerate((x, y)):
            low, high = spots[:, axis].min(), spots[:, axis].max()
            beyond = where.margin * (high - low)
            ticks[place] = np.linspace(low - beyond, high + beyond, where.grid)
        todo.append((place, ends))

    def points(place: Place, ends: Tensor) -> Tensor:
        across, up = torch.from_numpy(x[place]), torch.from_numpy(y[place])
        spots = torch.stack(torch.meshgrid(across, up, indexing="xy"), -1)
        return grids[place].points(spots.flatten(0, 1)).to(ends.dtype).view(where.grid, where.grid, -1)

    steps = list(range(where.grid))
    measured = _measure(
        run, {"split": list(splits)} | coords | {"row": steps, "column": steps}, todo, points, progress, "plane"
    )
    dims = tuple(coords)
    return measured.drop_vars(["row", "column"]).assign(
        x=((*dims, "column"), x),
        y=((*dims, "row"), y),
        corner=((*dims, "corner", "axis"), located),
        colinear=(dims, np.isnan(located).any((-1, -2))),
    )


def ridge(
    run: Run,
    heights: Sequence[float],
    third: str = "fork_point",
    epochs: Sequence[int] | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Loss and error on three tracks from the sibling line up to a third point: the midline and both flanks.

    At height h the flanks are (1 - h) * theta_i + h * third for either sibling; the middle is half-way between them.

    Args:
        run: the trained family.
        heights: from 0, the sibling line, to 1, the third point.
        third: `fork_point`, or `parent`: the parent at the end of training.
        epochs: which epochs of training; by default the last one only.
        progress: show a progress bar on standard error.

    Returns:
        `loss` (nats) and `error` (percent) with dimensions split, fork_epoch, parent, pair, epoch, height and track
        (first, middle, second). NaN before the fork.
    """
    rise = torch.tensor(heights, dtype=torch.float64)
    coords, pairs = run.each_pair(epochs)
    tracks = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])

    def points(place: Place, ends: Tensor) -> Tensor:
        *_, top = corners(run, place, ends, third)
        feet = tracks.to(ends) @ ends
        return stack.mix(feet, top.expand_as(feet), rise.to(ends.dtype)).transpose(0, 1)

    coords = {"split": list(SPLITS)} | coords | {"height": rise.numpy(), "track": ["first", "middle", "second"]}
    return _measure(run, coords, pairs, points, progress)


def _measure(
    run: Run,
    coords: dict[str, Any],
    pairs: Iterable[PairAt],
    points: Callable[[Place, Tensor], Tensor],
    progress: bool,
    unit: str = "line",
) -> xr.Dataset:
    """Evaluate the points (..., parameters) of each pair; coords are split, those of pairs, and those of `...`."""
    shape = tuple(len(values) for values in coords.values())
    loss, error = np.full(shape, np.nan), np.full(shape, np.nan)
    device = run.experiment.torch_device()
    dataset, network = run.dataset.to(device), run.network.to(device)
    samples = {"train": dataset.train, "test": dataset.test}
    for place, ends in tqdm(pairs, f"evaluating {unit}s", unit=unit, disable=not progress):
        thetas = points(place, ends)
        for row, split in enumerate(coords["split"]):
            found = evaluate(network, thetas.flatten(0, -2), *samples[split])
            at = (row, *place)
            loss[at], error[at] = (values.view(thetas.shape[:-1]).numpy() for values in found)
            require_finite(loss[at], coords, at)
    dims = tuple(coords)
    return xr.Dataset(
        {
            "loss": (dims, loss, {"units": "nats", "long_name": "cross-entropy, without weight decay"}),
            "error": (dims, error, {"units": "percent", "long_name": "misclassified samples"}),
        },
        coords=coords,
        attrs={"experiment": json.dumps(run.experiment.to_json()), "dataset": run.dataset.name},
    )
