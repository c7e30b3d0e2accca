"""Training loss on the lines through all sibling pairs: many networks at once against one after the other.

The alternatives are the usual loop and the package loss-landscapes, whose `linear_interpolation` takes a step before
each measurement: its points are alpha = 1/steps, 2/steps, ..., 1, without alpha = 0. This costs as much as any grid of
as many points, so it is timed as it is and checked at its own alphas.
"""

from __future__ import annotations

from dataclasses import dataclass

import loss_landscapes
import torch
from loss_landscapes.metrics import Loss
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import plain
from benchmarks.timing import Times, interleaved
from lmc_utils.forking import Experiment, train
from lmc_utils.measure.mixtures import blend, on_line
from lmc_utils.measure.stacked_scores import StackedScores
from lmc_utils.networks.state_check import evaluating

OURS, PACKAGE, LOADER = "`lines.line` (ours)", "loss-landscapes", "loop, DataLoader"
POINTS = 21
_BATCH_SIZE = 128


@dataclass(frozen=True)
class Task:
    """Pairs of networks, shape (pairs, 2, parameters), and the samples to measure their lines on."""

    design: nn.Module
    ends: Tensor
    inputs: Tensor
    labels: Tensor

    @classmethod
    def of(cls, experiment: Experiment) -> Task:
        """All pairs of siblings after training, on the training set."""
        run = train(experiment)
        return cls(run.network, torch.stack([pair.theta for _, pair in run.pairs()]), *run.dataset.train)

    def points(self, alphas: Tensor) -> Tensor:
        """Shape (pairs, alphas, parameters)."""
        weights = on_line(alphas).weights
        return torch.stack([blend(weights, pair) for pair in self.ends])


def compare(experiment: Experiment, repeats: int) -> Times:
    """Seconds of each contender, after checking that they agree."""
    task, alphas = Task.of(experiment), torch.linspace(0, 1, POINTS)
    _check_equal(task, POINTS)
    contenders = {
        OURS: lambda: _stack(task, alphas),
        PACKAGE: lambda: _package(task, POINTS),
        LOADER: lambda: _loop(task, alphas),
    }
    return interleaved(contenders, repeats)


def _stack(task: Task, alphas: Tensor) -> Tensor:
    """Losses in nats, shape (pairs, alphas); one pair at a time, as in `lines.line`."""
    scores = StackedScores(evaluating(task.design), task.inputs, task.labels)
    return torch.stack([scores(points)[0] for points in task.points(alphas)])


def _loop(task: Task, alphas: Tensor) -> Tensor:
    network = plain.network(task.design, task.ends[0, 0])
    loader = DataLoader(TensorDataset(task.inputs.flatten(1), task.labels), _BATCH_SIZE)
    losses = torch.zeros(len(task.ends), len(alphas), dtype=torch.float64)
    with torch.no_grad():
        for pair, points in enumerate(task.points(alphas)):
            for place, theta in enumerate(points):
                network.load_state_dict(plain.state(task.design, theta))
                for inputs, labels in loader:
                    losses[pair, place] += functional.cross_entropy(network(inputs), labels, reduction="sum").item()
    return losses / len(task.labels)


def _package(task: Task, steps: int) -> Tensor:
    """Losses at alpha = 1/steps, ..., 1. It moves its first model along the line, so every line has fresh ones."""
    metric = Loss(functional.cross_entropy, task.inputs.flatten(1), task.labels)
    rows = []
    for pair in task.ends:
        first, second = (plain.network(task.design, theta) for theta in pair)
        rows.append(torch.from_numpy(loss_landscapes.linear_interpolation(first, second, metric, steps)))
    return torch.stack(rows)


def _check_equal(task: Task, count: int) -> None:
    even, theirs = torch.linspace(0, 1, count), torch.arange(1, count + 1) / count
    # float32: the order of summation differs, and the package adds up its steps.
    torch.testing.assert_close(_loop(task, even), _stack(task, even), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(_package(task, count), _stack(task, theirs), rtol=1e-4, atol=1e-6)
