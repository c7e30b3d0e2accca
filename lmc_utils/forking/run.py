"""A trained run: its networks on disk, available as pairs and trajectories to measure."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from lmc_utils.forking.experiment import Experiment, members
from lmc_utils.forking.store import RunFolder
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.measure.labelled_arrays import Coords, Place
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.stacked_evaluator import StackedEvaluator
from lmc_utils.measure.trajectories import Trajectories, pair_names, sibling_pairs
from lmc_utils.measure.trajectory_projection import THIRDS
from lmc_utils.networks.data import Dataset
from lmc_utils.networks.forked_training import Member
from lmc_utils.networks.stack import Networks, layer_slices
from lmc_utils.settings import require, require_choice


@dataclass(frozen=True)
class Run:
    """A trained family of networks, read from disk as needed.

    Attributes:
        experiment: the parameters of the run.
        folder: its files.
        dataset: the training and test data.
        network: its architecture, as a stack of one.
    """

    experiment: Experiment
    folder: RunFolder
    dataset: Dataset
    network: nn.Module

    @cached_property
    def _rows(self) -> dict[Member, int]:
        return {member: row for row, member in enumerate(members(self.experiment))}

    @property
    def _provenance(self) -> dict[str, str]:
        return {"experiment": json.dumps(self.experiment.to_json()), "dataset": self.dataset.name}

    def thetas(self, chosen: Sequence[Member], epoch: float) -> Tensor:
        """Parameter vectors after this many epochs, (members, parameters); up to its fork a sibling equals its parent.

        Raises:
            ParameterError: a member or the epoch is not of this run, or the epoch is not stored.
            store.Corrupted: the file differs from what was saved; the message is one line.
        """
        return self._read("theta", chosen, epoch)

    def buffers(self, chosen: Sequence[Member], epoch: float) -> Tensor:
        """Running statistics after this many epochs, (members, numbers), or (members, 0) without any; see `thetas`."""
        return self._read("buffers", chosen, epoch)

    def networks(self, chosen: Sequence[Member], epoch: float) -> Networks:
        """Parameter vectors and running statistics after this many epochs; raises the errors of `thetas`."""
        return Networks(self.thetas(chosen, epoch), self.buffers(chosen, epoch))

    def _read(self, name: str, chosen: Sequence[Member], epoch: float) -> Tensor:
        self.experiment.require_kept([epoch])
        for member in chosen:
            require(member in self._rows, "member", "a network of this run", member)
        # A sibling has a row only after its fork epoch; at the fork epoch itself it uses its parent's row.
        rows = [self._rows[member if member.exists(epoch) else Member(member.parent)] for member in chosen]
        return torch.from_numpy(self.folder.rows(epoch, name, rows))

    def pairs(
        self,
        epochs: Sequence[float] | None = None,
        *,
        third: str | None = None,
        parents: Sequence[int] | None = None,
        batchnorm: str | None = None,
    ) -> Pairs:
        """All pairs of siblings, at all requested epochs at which they exist.

        Args:
            epochs: epochs of training; by default only the last one.
            third: the third point of each pair: `fork_point`, or `parent`, their parent at the end of training; None
                for none.
            parents: select siblings of these parents; by default of all.
            batchnorm: a convention of `measure.batchnorm.Convention`; by default that of the experiment.

        Returns:
            Pairs with dimensions fork_epoch, parent, pair, epoch; read from disk one at a time.

        Raises:
            ParameterError: an unknown third point, or an epoch or a parent that is not of this run, or not stored.
        """
        experiment = self.experiment
        if third is not None:
            require_choice("third", third, THIRDS)
        times = [experiment.last_epoch] if epochs is None else list(epochs)
        whose = list(range(experiment.parents)) if parents is None else list(parents)
        experiment.require_kept(times)
        for parent in whose:
            require(0 <= parent < experiment.parents, "parent", f"between 0 and {experiment.parents - 1}", parent)
        forks, both = experiment.fork_epochs, sibling_pairs(experiment.siblings)
        coords: Coords = {
            "fork_epoch": list(forks),
            "parent": whose,
            "pair": pair_names(experiment.siblings),
            "epoch": times,
        }

        def read(place: Place) -> Networks:
            fork, parent, epoch = forks[place[0]], whose[place[1]], times[place[3]]
            ends = self.networks([Member(parent, fork, sibling) for sibling in both[place[2]]], epoch)
            if third is None:
                return ends
            return _joined(
                ends, self.networks([Member(parent)], fork if third == "fork_point" else experiment.last_epoch)
            )

        everywhere = itertools.product(*(range(len(labels)) for labels in (forks, whose, both, times)))
        places = [place for place in everywhere if times[place[3]] >= forks[place[0]]]
        return Pairs(self._evaluator(batchnorm), coords, places, read, third, self._provenance)

    def independent_pairs(self, *, parents: int | None = None, batchnorm: str | None = None) -> Pairs:
        """All pairs of parents at the end of training: networks with different initialisations and data orders.

        Args:
            parents: use only so many, the first ones; by default all.
            batchnorm: as for `pairs`.

        Returns:
            Pairs with the dimension pair, labelled as "0-1".

        Raises:
            ParameterError: there is only one parent.
        """
        experiment = self.experiment
        require(
            experiment.parents > 1,
            "parents",
            "at least 2: pairs of independent networks are measured",
            experiment.parents,
        )
        paired = min(parents or experiment.parents, experiment.parents)
        both = sibling_pairs(paired)

        def read(place: Place) -> Networks:
            return self.networks([Member(parent) for parent in both[place[0]]], experiment.last_epoch)

        coords: Coords = {"pair": pair_names(paired)}
        places = [(row,) for row in range(len(both))]
        return Pairs(self._evaluator(batchnorm), coords, places, read, None, self._provenance)

    def _evaluator(self, batchnorm: str | None) -> StackedEvaluator:
        convention = Convention.pick(vars(self.experiment) | ({} if batchnorm is None else {"batchnorm": batchnorm}))
        samples = {"train": self.dataset.train, "test": self.dataset.test}
        return StackedEvaluator(self.network, samples, convention, self.experiment.torch_device())

    def trajectories(self) -> Trajectories:
        """The trajectories of all siblings and their parents, epoch by epoch.

        Raises:
            ParameterError: not every epoch is stored.
        """
        experiment = self.experiment
        experiment.require_kept(experiment.every_epoch())

        def read(fork_epoch: float, parent: int, epoch: float) -> Tensor:
            siblings = [Member(parent, fork_epoch, sibling) for sibling in range(experiment.siblings)]
            return self.thetas([Member(parent), *siblings], epoch)

        return Trajectories(
            experiment.fork_epochs,
            experiment.parents,
            experiment.siblings,
            experiment.every_epoch(),
            layer_slices(self.network),
            read,
            self._provenance,
        )

    def groups(self, count: int, *, batchnorm: str | None = None) -> Pairs:
        """The first siblings of each parent and fork epoch at the end of training, as one group.

        Args:
            count: the number of siblings in a group.
            batchnorm: as for `pairs`.

        Returns:
            Groups of so many networks, for `measure.ensembles`, with the dimensions fork_epoch and parent.

        Raises:
            ParameterError: fewer than two, or more than the siblings of a fork.
        """
        experiment = self.experiment
        allowed = f"between 2 and {experiment.siblings}, the number of siblings"
        require(2 <= count <= experiment.siblings, "count", allowed, count)
        forks = experiment.fork_epochs

        def read(place: Place) -> Networks:
            siblings = [Member(place[1], forks[place[0]], sibling) for sibling in range(count)]
            return self.networks(siblings, experiment.last_epoch)

        coords: Coords = {"fork_epoch": list(forks), "parent": list(range(experiment.parents))}
        places = list(itertools.product(range(len(forks)), range(experiment.parents)))
        return Pairs(self._evaluator(batchnorm), coords, places, read, None, self._provenance, count)


def _joined(one: Networks, other: Networks) -> Networks:
    assert one.buffers is not None, "a run has the buffers of its networks"
    assert other.buffers is not None, "a run has the buffers of its networks"
    return Networks(torch.cat([one.theta, other.theta]), torch.cat([one.buffers, other.buffers]))
