"""The forking protocol: parents, fork epochs, siblings, and the run they yield.

A parent is trained from scratch. At each fork epoch some siblings are copied from it, optimiser state and all, and go
on with data orders of their own (Frankle et al. 2020). Up to its fork epoch a sibling *is* its parent.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from lmc_utils import data, models, stack, store, training
from lmc_utils.settings import ParameterError, require, require_choice

PairAt = tuple[tuple[int, ...], Tensor]

_RECIPE_SOURCES = ("data.py", "stack.py", "models.py", "training.py", "siblings.py")


@dataclass(frozen=True, kw_only=True)
class Experiment(data.Source, models.Architecture, training.Recipe):
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


def family(experiment: Experiment) -> list[Member]:
    """All networks of a run in the order in which they join the stack: parents, then siblings fork by fork.

    >>> len(family(Experiment()))
    27
    """
    parents = range(experiment.parents)
    forks = itertools.product(experiment.fork_epochs, parents, range(experiment.siblings))
    return [Member(parent) for parent in parents] + [Member(parent, fork, sibling) for fork, parent, sibling in forks]


@dataclass(frozen=True)
class Run:
    """A trained family: every epoch of every network, kept on disk, read as needed."""

    experiment: Experiment
    folder: store.RunFolder
    dataset: data.Dataset
    network: nn.Module

    @cached_property
    def _rows(self) -> dict[Member, int]:
        return {member: row for row, member in enumerate(family(self.experiment))}

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The sibling pairs of one parent and fork: (0, 1), and with more siblings (0, 2), (1, 2), ..."""
        return list(itertools.combinations(range(self.experiment.siblings), 2))

    def each_pair(self, epochs: Sequence[int] | None = None) -> tuple[dict[str, Any], Iterable[PairAt]]:
        """Every pair of siblings at every epoch at which it exists.

        Args:
            epochs: of training; by default the last one only.

        Returns:
            The coordinates of an array over pairs (fork_epoch, parent, pair, epoch), and for each pair at each epoch
            its place in such an array and its endpoints, shape (2, parameters). Nothing is read before it is asked for.
        """
        experiment = self.experiment
        epochs = [experiment.epochs] if epochs is None else list(epochs)
        coords: dict[str, Any] = {
            "fork_epoch": list(experiment.fork_epochs),
            "parent": list(range(experiment.parents)),
            "pair": [f"{first}-{second}" for first, second in self.pairs],
            "epoch": epochs,
        }
        labels = itertools.product(experiment.fork_epochs, coords["parent"], self.pairs, epochs)
        places = np.ndindex(*(len(values) for values in coords.values()))
        there = [(place, label) for place, label in zip(places, labels, strict=True) if label[3] >= label[0]]
        return coords, _Pairs(self, there)

    def thetas(self, members: Sequence[Member], epoch: int) -> Tensor:
        """Parameter vectors after this many epochs, (members, parameters); up to its fork a sibling is its parent.

        Raises:
            ParameterError: a member or the epoch is not of this run.
        """
        require(0 <= epoch <= self.experiment.epochs, "epoch", f"from 0 to {self.experiment.epochs}", epoch)
        for member in members:
            require(member in self._rows, "member", "a network of this run", member)
        # A sibling trained from its fork epoch on: the row of the fork epoch itself is still its parent's.
        rows = [self._rows[member if member.exists(epoch - 1) else Member(member.parent)] for member in members]
        return torch.from_numpy(np.array(self.folder.thetas(epoch)[rows]))


@dataclass(frozen=True)
class _Pairs(Sized, Iterable[PairAt]):
    """Pairs of a run, read from disk one at a time; sized, so that progress can be shown."""

    run: Run
    there: list[tuple[tuple[int, ...], tuple[int, int, tuple[int, int], int]]]

    def __len__(self) -> int:
        return len(self.there)

    def __iter__(self) -> Iterator[PairAt]:
        for place, (fork, parent, pair, epoch) in self.there:
            yield place, self.run.thetas([Member(parent, fork, sibling) for sibling in pair], epoch)


def run(experiment: Experiment, folder: Path | None = None, progress: bool = True) -> Run:
    """Train a family, or fetch it where it was trained before; an interrupted run goes on where it stopped.

    Args:
        experiment: what to train.
        folder: where runs are kept; by default `store.root()`.
        progress: show a progress bar on standard error.

    Raises:
        ParameterError: the data are missing, or a parameter does not fit them.
        training.Diverged: training left the finite numbers; the epochs before are kept.
    """
    device = experiment.torch_device()
    dataset = data.load(data.Source.pick(vars(experiment)))
    samples = len(dataset.train[0])
    fits = experiment.batch_size <= samples
    require(fits, "batch_size", f"at most the {samples} training samples of {dataset.name}", experiment.batch_size)
    try:
        network = models.build(experiment, dataset.input_shape, dataset.classes)
    except ValueError as error:
        raise ParameterError(f"architecture: {error}") from error
    kept = store.RunFolder(_key(experiment, device), folder)
    if kept.newest() != experiment.epochs:
        with kept.lock():
            _train(experiment, dataset, network, kept, device, progress)
    return Run(experiment, kept, dataset, network)


def _train(
    experiment: Experiment,
    dataset: data.Dataset,
    network: nn.Module,
    kept: store.RunFolder,
    device: torch.device,
    progress: bool,
) -> None:
    """Train from the newest epoch kept to the last, keeping each."""
    members = family(experiment)
    streams = [member.stream(experiment.seed) for member in members]
    train = dataset.to(device).train
    start = kept.newest()
    if start is None:
        seeds = [init_seed(experiment.seed, parent) for parent in range(experiment.parents)]
        thetas = stack.flatten(stack.initialise(network, seeds))
        momentum = torch.zeros_like(thetas)
        kept.save(0, thetas.numpy(), momentum.numpy())
        start = 0
    thetas, momentum = (
        torch.from_numpy(np.array(array)).to(device) for array in (kept.thetas(start), kept.momentum(start))
    )
    for epoch in tqdm(
        range(start, experiment.epochs),
        f"training {len(members)} networks",
        total=experiment.epochs,
        initial=start,
        unit="epoch",
        disable=not progress,
    ):
        born = [member.parent for member in members[len(thetas) :] if member.exists(epoch)]
        thetas, momentum = torch.cat([thetas, thetas[born]]), torch.cat([momentum, momentum[born]])
        thetas, momentum = training.train_epoch(
            network.to(device), thetas, momentum, train, streams[: len(thetas)], experiment, epoch
        )
        kept.save(epoch + 1, thetas.cpu().numpy(), momentum.cpu().numpy())


def init_seed(seed: int, parent: int) -> int:
    """The seed of a parent's initialisation."""
    return int(np.random.SeedSequence([seed, parent]).generate_state(1, np.uint64)[0] >> 1)


def _key(experiment: Experiment, device: torch.device) -> dict[str, Any]:
    """Everything that a run's bits depend on: the parameters, the code that trains, torch and the kind of device."""
    here = Path(__file__).parent
    code = store.digest({name: (here / name).read_text() for name in _RECIPE_SOURCES})
    irrelevant = ("data_dir", "device")
    settings = {name: value for name, value in experiment.to_json().items() if name not in irrelevant}
    return {"experiment": settings, "code": code, "torch": torch.__version__, "device": device.type}
