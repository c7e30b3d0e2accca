"""Training loss on planes through a fork point and two siblings, one for each fork epoch.

The alternative is the package loss-landscapes, whose `planar_interpolation` evaluates as many points of a
parallelogram. Its columns alternate in direction, and upward ones are one step ahead of downward ones, so it is checked
at its own points.
"""

from __future__ import annotations

import loss_landscapes
import torch
from loss_landscapes.metrics import Loss
from torch import Tensor
from torch.nn import functional

from benchmarks import plain
from benchmarks.timing import Times, interleaved
from lmc_utils.forking import Experiment, Run, train
from lmc_utils.measure import planes
from lmc_utils.measure.stacked_scores import evaluate

OURS, PACKAGE = "`planes.plane` (ours)", "loss-landscapes"
GRID = 25


def compare(experiment: Experiment, repeats: int, grid: int = GRID) -> Times:
    """Seconds of both, after checking the losses of the alternative."""
    run = train(experiment)
    triangles = _triangles(run)
    _check_equal(run, triangles[0])
    ground = planes.PlaneGrid(grid=grid)
    pairs = run.pairs(third="fork_point", parents=[0])
    contenders = {
        OURS: lambda: planes.plane(pairs, ground, splits=["train"]),
        PACKAGE: lambda: [_package(run, triangle, grid) for triangle in triangles],
    }
    return interleaved(contenders, repeats)


def _triangles(run: Run) -> list[Tensor]:
    """Both siblings and the fork point for each pair of the first parent, each of shape (3, parameters)."""
    return [corners.theta for _, corners in run.pairs(third="fork_point", parents=[0])]


def _package(run: Run, triangle: Tensor, steps: int) -> Tensor:
    """Losses in nats, shape (steps, steps). It moves its first model over the plane, so every plane has fresh ones."""
    inputs, labels = run.dataset.train
    metric = Loss(functional.cross_entropy, inputs.flatten(1), labels)
    networks = [plain.network(run.network, theta) for theta in triangle]
    return torch.from_numpy(loss_landscapes.planar_interpolation(*networks, metric, steps))


def _check_equal(run: Run, triangle: Tensor, steps: int = 4) -> None:
    origin, first, second = triangle
    rows = [
        origin + (first - origin) * column / steps + (second - origin) * (row + (column % 2 == 0)) / steps
        for column in range(steps)
        for row in range(steps)
    ]
    expected, _ = evaluate(run.network, torch.stack(rows), *run.dataset.train)
    torch.testing.assert_close(_package(run, triangle, steps).flatten(), expected, rtol=1e-4, atol=1e-6)
