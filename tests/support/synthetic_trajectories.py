"""Synthetic trajectories, without training, run or store."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lmc_utils.measure.trajectories import Trajectories

SIZE = 592
SLICES = {"linear1": slice(0, 520), "linear2": slice(520, SIZE)}
FORKS, PARENTS, SIBLINGS, EPOCHS = (0, 2, 5), 2, 3, 5

Step = Callable[[int, int, int | None, int], Tensor]
"""From fork epoch, parent, sibling (None: the parent itself) and epoch to a parameter vector."""


def trajectories_of(step: Step) -> Trajectories:
    """Trajectories of two parents, each with three siblings at three forks; up to its fork a sibling is its parent."""

    def read(fork_epoch: int, parent: int, epoch: int) -> Tensor:
        there = [None, *(sibling if epoch >= fork_epoch else None for sibling in range(SIBLINGS))]
        return torch.stack([step(fork_epoch, parent, sibling, epoch) for sibling in there])

    return Trajectories(FORKS, PARENTS, SIBLINGS, range(EPOCHS + 1), SLICES, read)


def triangle() -> Trajectories:
    """Siblings 0, 1, 2 move from (1, 0, ...) along (0, 3, ...), (0, 0, 4, ...) and (0, -3, ...) at constant speed."""
    ways = torch.zeros(3, SIZE, dtype=torch.float64)
    ways[0, 1], ways[1, 2], ways[2, 1] = 3, 4, -3

    def step(fork_epoch: int, _parent: int, sibling: int | None, epoch: int) -> Tensor:
        start = torch.zeros(SIZE, dtype=torch.float64)
        start[0] = 1
        return start if sibling is None else start + ways[sibling] * (epoch - fork_epoch)

    return trajectories_of(step)
