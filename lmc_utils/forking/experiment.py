"""What a run of forking is: its parameters, and the networks that it trains."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from lmc_utils.networks.data import Source
from lmc_utils.networks.models import Architecture
from lmc_utils.networks.training import Recipe
from lmc_utils.settings import require, require_choice


@dataclass(frozen=True, kw_only=True)
class Experiment(Source, Architecture, Recipe):
    """Everything that one run of training depends on, under the names that the notebooks share.

    Attributes:
        fork_epochs: when siblings part from their parent, in epochs of training, increasing; at most `epochs`.
        siblings: copies made of each parent at each fork epoch.
        parents: networks trained from different initialisations.
        seed: of everything random; equal seeds give equal runs.
        device: `auto` (a GPU where there is one), `cpu` or `cuda`.

    >>> Experiment(epochs=10)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: fork_epochs: expected increasing epochs from 0 to 10 (epochs), got [0, 1, 2, 15]
    """

    fork_epochs: tuple[int, ...] = (0, 1, 2, 15)
    siblings: int = 2
    parents: int = 3
    seed: int = 0
    device: str = "auto"

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"epochs": 16, "parents": 2},
        "paper": {
            "dataset": "cifar10",
            "data_dir": "data",
            "architecture": "cnn",
            "widths": [64, 128, 256, 256],
            "norm": "layer",
            "learning_rate": 0.05,
            "batch_size": 128,
            "epochs": 60,
            "parents": 5,
        },
    }

    def check(self) -> None:
        forks = self.fork_epochs
        increasing = len(forks) > 0 and all(a < b for a, b in itertools.pairwise(forks))
        in_range = increasing and forks[0] >= 0 and forks[-1] <= self.epochs
        require(in_range, "fork_epochs", f"increasing epochs from 0 to {self.epochs} (epochs)", forks)
        require(self.siblings >= 2, "siblings", "at least 2", self.siblings)
        require(self.parents >= 1, "parents", "at least 1", self.parents)
        require(self.seed >= 0, "seed", "at least 0", self.seed)
        require_choice("device", self.device, ("auto", "cpu", "cuda"))

    def torch_device(self) -> torch.device:
        """The device to use.

        Raises:
            ParameterError: `cuda` was asked for where there is none.
        """
        available = torch.cuda.is_available()
        require(available or self.device != "cuda", "device", "auto or cpu, as torch finds no GPU", self.device)
        return torch.device("cuda" if available and self.device != "cpu" else "cpu")


@dataclass(frozen=True)
class Member:
    """One network of a run: a parent, or, with a fork epoch, the sibling of that number."""

    parent: int
    fork_epoch: int | None = None
    sibling: int | None = None

    def stream(self, seed: int) -> tuple[int, ...]:
        """The seed of its data order: it depends on who the network is, not on who else is in the run."""
        if self.fork_epoch is None or self.sibling is None:
            return (seed, self.parent, 0, 0)
        return (seed, self.parent, 1 + self.fork_epoch, 1 + self.sibling)

    def exists(self, epoch: int) -> bool:
        """Whether it has left its parent, to be trained on its own from this epoch on."""
        return self.fork_epoch is None or self.fork_epoch <= epoch


def members(experiment: Experiment) -> list[Member]:
    """The family: all networks of a run in the order in which they join the stack, parents, then siblings fork by fork.

    >>> len(members(Experiment()))
    27
    """
    parents = range(experiment.parents)
    forks = itertools.product(experiment.fork_epochs, parents, range(experiment.siblings))
    return [Member(parent) for parent in parents] + [Member(parent, fork, sibling) for fork, parent, sibling in forks]
