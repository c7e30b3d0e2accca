"""Parameters of a forking run, its resource needs, and the networks that it trains."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch

from lmc_utils.formatting import plain_number
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.networks import activation_sizes, data, forked_training, models
from lmc_utils.networks.augmentation import require_space
from lmc_utils.networks.data import DATASETS, Source
from lmc_utils.networks.forked_training import ForkedRecipe, Member
from lmc_utils.networks.models import Architecture
from lmc_utils.settings import (
    ParameterError,
    at_least,
    increasing,
    one_of,
    parameter,
    require,
    require_resources,
)

_NUMBER = 4  # bytes of a float32
_COPIES = 9  # of a network's parameters in training and saving: parameters and momentum, old and new, and gradients
_ADAMW_COPIES = 4  # of the second moment, likewise
_SCHEDULES = {
    "cosine": "falling to zero as a cosine",
    "constant": "constant",
    "constant_then_decay": "constant, then falling to zero in the last {decay_epochs} epochs",
}
_DIFFERENCES = {
    "order": "",
    "noise": ", with the same data order and noise of {difference_size:g} standard deviations of the initialisation",
    "weight": ", with the same data order and one weight changed by {difference_size:g} standard deviations",
}


@dataclass(frozen=True, kw_only=True)
class Experiment(Convention, ForkedRecipe, Architecture, Source):
    """All parameters of a training run and its measurement, under the names that the notebooks share.

    >>> Experiment(epochs=10)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: fork_epochs must be increasing and <= epochs = 10 (got [0, 1, 2, 15]); set it ...
    """

    fork_epochs: tuple[int | float, ...] = parameter(
        (0, 1, 2, 15),
        "when siblings split from their parent",
        increasing(at_least(0)),
        also="<= `epochs`; whole steps",
        unit="epochs",
    )
    fork_steps: tuple[int, ...] | None = parameter(
        None, "fork points in training steps; replaces fork_epochs", increasing(at_least(0)), unit="steps"
    )
    siblings: int = parameter(2, "copies of each parent at each fork epoch", at_least(2))
    parents: int = parameter(10, "networks with different initialisations", at_least(1))
    seed: int = parameter(0, "random seed; equal seeds give equal runs", at_least(0))
    keep: int = parameter(1, "store every N-th epoch (first, last and fork epochs are always stored)", at_least(1))
    device: str = parameter("auto", "device; auto is a GPU where there is one", one_of(("auto", "cpu", "cuda")))

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"epochs": 16, "parents": 2, "train_samples": 1000},
        "paper": {
            "dataset": "cifar10",
            "data_dir": "data",
            "architecture": "resnet20",
            "widths": [16],
            "norm": "batch",
            "augmentation": "crop_flip",
            "weight_decay": 1e-4,
            "batch_size": 128,
            "epochs": 160,
            "precision": "bfloat16",
            "keep": 10,
        },
    }

    def check(self) -> None:
        self._resolve_forks()
        wanted, fitting = (
            f"increasing and <= epochs = {self.epochs}",
            [each for each in self.fork_epochs if each <= self.epochs],
        )
        hint = f'set it too, e.g. -p fork_epochs "{fitting or [0]}"'
        require(self.fork_epochs[-1] <= self.epochs, "fork_epochs", wanted, self.fork_epochs, hint=hint)
        alone = self.norm == "batch" and self.batch_size == 1
        require(not alone, "batch_size", "at least 2 with batch normalisation", self.batch_size)
        within = [fork for fork in self.fork_epochs if fork % 1]
        require(not (self.dropout and within), "fork_epochs", "whole epochs with dropout > 0", within)
        shape = DATASETS[self.dataset].shape
        self.require_fit(shape)
        require_space(self.augmentation, shape)

    def _resolve_forks(self) -> None:
        """Convert `fork_steps` to `fork_epochs`, and check that these are whole steps."""
        forks = [plain_number(fork) for fork in self.fork_epochs]
        if self.fork_steps is not None or any(fork % 1 for fork in forks):
            steps = self.steps_per_epoch()
            if self.fork_steps is not None:
                last, within = self.epochs * steps, [step for step in self.fork_steps if step % steps]
                require(
                    self.fork_steps[-1] <= last, "fork_steps", f"<= {last}, the steps of training", self.fork_steps[-1]
                )
                whole = f"multiples of {steps}, whole epochs, with dropout > 0"
                require(not (self.dropout and within), "fork_steps", whole, within)
                forks = [plain_number(step / steps) for step in self.fork_steps]
            for fork in forks:
                nearest = round(fork * steps)
                hint = f"nearest: {nearest / steps:.6g}, or fork_steps [{nearest}]"
                expected = f"whole steps, of which an epoch has {steps}"
                require(math.isclose(fork * steps, nearest, abs_tol=1e-6), "fork_epochs", expected, fork, hint=hint)
            forks = [plain_number(round(fork * steps) / steps) for fork in forks]
        object.__setattr__(self, "fork_epochs", tuple(forks))
        object.__setattr__(self, "fork_steps", None)

    def steps_per_epoch(self) -> int:
        """The number of training steps in an epoch; raises the errors of `load`."""
        samples = self.train_samples or len(self._load_all().train[0])
        return max(1, samples // self.batch_size)

    def load(self) -> data.Dataset:
        """The data set, with `train_samples` of its training samples.

        Raises:
            ParameterError: its files are missing, or it has fewer samples.
        """
        dataset = self._load_all()
        return dataset if self.train_samples is None else dataset.subset(self.train_samples, self.seed)

    def _load_all(self) -> data.Dataset:
        return data.load(Source.pick(vars(self)))

    @property
    def last_epoch(self) -> int:
        """The epoch at which all networks are finished; later than `epochs` if siblings restart."""
        return last_epoch(vars(self))

    def every_epoch(self) -> list[float]:
        """All whole epochs to the end of training, and the forks between them, in order.

        >>> Experiment(epochs=2, fork_epochs=(0, 0.5)).every_epoch()
        [0, 0.5, 1, 2]
        """
        return sorted({*range(self.last_epoch + 1), *self.fork_epochs})

    def kept_epochs(self) -> list[float]:
        """The epochs that are stored on disk, in order.

        >>> Experiment(epochs=16, keep=10).kept_epochs()
        [0, 1, 2, 10, 15, 16]
        """
        return sorted({*range(0, self.last_epoch, self.keep), *self.fork_epochs, self.last_epoch})

    def require_kept(self, epochs: Iterable[float]) -> None:
        """Raise ParameterError unless these are epochs of training that are stored on disk."""
        kept_epochs = set(self.kept_epochs())
        for epoch in epochs:
            require(0 <= epoch <= self.last_epoch, "epoch", f"between 0 and {self.last_epoch}", epoch)
            if epoch not in kept_epochs:
                raise ParameterError(f"epoch {epoch} is not stored (keep = {self.keep}); set keep to 1, e.g. -p keep 1")

    def alive(self, epoch: float) -> int:
        """The number of networks after so many epochs.

        >>> [Experiment().alive(epoch) for epoch in (0, 1, 40)]
        [10, 30, 90]
        """
        return self.parents * (1 + self.siblings * sum(fork < epoch for fork in self.fork_epochs))

    def check_resources(self) -> None:
        """Raise ParameterError if one epoch's networks do not fit, even counting only weights between hidden layers."""
        least = sum(self.widths) + sum(a * b for a, b in itertools.pairwise(self.widths))
        largest = self.alive(self.last_epoch)
        require_resources(
            f"training {largest:,} networks of at least {least:,} parameters", memory=_NUMBER * largest * least
        )

    def memory(self) -> float:
        """Peak memory of training in bytes, without the data: all networks and their activations for a batch.

        >>> f"{Experiment().memory():.3g}"
        '5.94e+07'
        """
        return self._memory(*self._sizes())

    def overview(self) -> dict[str, str]:
        """Data, network, training, parents and forks of this run, see `Settings.overview`."""
        (parameters, _), networks = self._sizes(), len(members(self))
        part = "" if self.train_samples is None else f"; {self.train_samples:,} of those to train, drawn at random"
        layers = "hidden layers of" if len(self.widths) > 1 else "width"
        network = [
            f"`{self.architecture}`",
            f"{layers} {', '.join(map(str, self.widths))}",
            f"`{self.activation}`",
            f"{'no' if self.norm == 'none' else self.norm} normalisation",
        ]
        warm = f" after {self.warmup} epoch{'' if self.warmup == 1 else 's'} of warm-up" if self.warmup else ""
        adamw = self.optimizer == "adamw"
        recipe = [
            f"{self.epochs} epochs of {'AdamW' if adamw else 'SGD'}",
            f"learning rate {self.learning_rate:g}, {_SCHEDULES[self.schedule].format(**vars(self))}{warm}",
            *([] if adamw else [f"momentum {self.momentum:g}"]),
            f"weight decay {self.weight_decay:g}",
            f"batches of {self.batch_size}",
            *([] if self.augmentation == "none" else [f"augmentation `{self.augmentation}`"]),
        ]
        return {
            "data": f"`{self.dataset}`: {DATASETS[self.dataset].what}{part}",
            "network": f"{', '.join(network)}: {parameters:,} parameters",
            "training": ", ".join(recipe),
            "parents": f"{self.parents}, each with {self.siblings} siblings at every fork: {networks:,} networks",
            "forks": self._described_forks(),
        }

    def _described_forks(self) -> str:
        forks = f"at epoch {', '.join(f'{fork:.4g}' for fork in self.fork_epochs)}"
        copies = ", without a difference" if self.difference_size == 0 else _DIFFERENCES[self.difference]
        if self.after_fork == "as_parent":
            return forks + copies.format(**vars(self))
        rate = self.restarted().learning_rate
        return f"{forks}{copies.format(**vars(self))}; each sibling then trains a cosine of its own, from {rate:g}"

    def _sizes(self) -> tuple[int, int]:
        """The numbers of parameters of a network and of its activations for one sample."""
        data = DATASETS[self.dataset]
        return _sizes(Architecture.pick(vars(self)), data.shape, data.classes)

    def _memory(self, parameters: int, activations: int) -> float:
        largest = self.alive(self.last_epoch)
        copies = _COPIES + (_ADAMW_COPIES if self.optimizer == "adamw" else 0)
        return _NUMBER * largest * (copies * parameters + 2 * self.batch_size * activations)

    def require_resources(
        self, parameters: int, activations: int, *, epochs: Sequence[float], folder: Path, buffers: int = 0
    ) -> None:
        """Raise ParameterError unless memory and disk space suffice to train.

        Args:
            parameters: the number of parameters of a network.
            activations: the number of activations of one network for one sample.
            epochs: the epochs to be written.
            folder: the folder of the run.
            buffers: the number of buffer entries of a network.
        """
        largest = self.alive(self.last_epoch)
        what = f"training {largest:,} networks of {parameters:,} parameters, and storing {len(epochs):,} epochs"
        memory = self._memory(parameters, activations)
        stored = (3 if self.optimizer == "adamw" else 2) * parameters + buffers
        disk = _NUMBER * stored * sum(map(self.alive, epochs))
        require_resources(what, memory=memory, disk=disk, folder=folder)

    def torch_device(self) -> torch.device:
        """The device to use.

        Raises:
            ParameterError: `cuda` was requested but is not available.
        """
        available = torch.cuda.is_available()
        require(available or self.device != "cuda", "device", "'auto' or 'cpu' (torch finds no GPU)", self.device)
        return torch.device("cuda" if available and self.device != "cpu" else "cpu")


def last_epoch(parameters: Mapping[str, Any]) -> int:
    """The epoch at which all networks of a run with these parameters are finished.

    >>> last_epoch({"epochs": 40, "fork_epochs": [0, 15], "after_fork": "restart"})
    55
    """
    restarted = parameters.get("after_fork") == "restart"
    return int(parameters["epochs"]) + (math.ceil(max(parameters["fork_epochs"])) if restarted else 0)


@cache
def _sizes(architecture: Architecture, shape: tuple[int, ...], classes: int) -> tuple[int, int]:
    with torch.device("meta"):  # shapes only
        network = models.build(architecture, shape, classes=classes)
        activations = sum(activation_sizes.activations(network, torch.zeros(1, *shape)))
    return sum(value.numel() for value in network.parameters()), activations


def members(experiment: Experiment) -> list[Member]:
    """All networks of a run in the order in which they join the stack: parents, then siblings fork by fork.

    >>> len(members(Experiment()))
    90
    """
    return forked_training.members(experiment.parents, experiment.fork_epochs, experiment.siblings)
