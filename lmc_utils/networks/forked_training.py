"""Train a family of networks as one stack: parents from scratch, and siblings that fork off them.

The key of a trained run covers all code that this file imports (`lmc_utils.result_dependencies`), so it imports only
what training needs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from lmc_utils.networks import stack, training


@dataclass(frozen=True)
class Member:
    """One network of a family: a parent, or, if it has a fork epoch, a sibling."""

    parent: int
    fork_epoch: int | None = None
    sibling: int | None = None

    def stream(self, seed: int) -> tuple[int, ...]:
        """The seed of its data order, independent of the other networks that are trained with it."""
        if self.fork_epoch is None or self.sibling is None:
            return (seed, self.parent, 0, 0)
        return (seed, self.parent, 1 + self.fork_epoch, 1 + self.sibling)

    def exists(self, epoch: int) -> bool:
        """Whether it is a separate network from this epoch on."""
        return self.fork_epoch is None or self.fork_epoch <= epoch


def members(parents: int, fork_epochs: Sequence[int], siblings: int) -> list[Member]:
    """All networks of a family in the order in which they join the stack: parents, then siblings fork by fork.

    >>> members(parents=1, fork_epochs=[2], siblings=2)[1:]
    [Member(parent=0, fork_epoch=2, sibling=0), Member(parent=0, fork_epoch=2, sibling=1)]
    """
    forks = itertools.product(fork_epochs, range(parents), range(siblings))
    siblings_by_fork = [Member(parent, fork_epoch, sibling) for fork_epoch, parent, sibling in forks]
    return [Member(parent) for parent in range(parents)] + siblings_by_fork


def init_seed(seed: int, parent: int) -> int:
    """The seed of a parent's initialisation."""
    return int(np.random.SeedSequence([seed, parent]).generate_state(1, np.uint64)[0] >> 1)


def start(network: nn.Module, parents: int, *, seed: int) -> training.State:
    """The parents before any training, on the CPU."""
    seeds = [init_seed(seed, parent) for parent in range(parents)]
    return training.start(network, stack.flatten(stack.initialise(network, seeds)))


def train_epoch(
    network: nn.Module,
    state: training.State,
    train: tuple[Tensor, Tensor],
    *,
    family: Sequence[Member],
    seed: int,
    recipe: training.Recipe,
    epoch: int,
    activations: int | None = None,
) -> training.State:
    """Train a family for one epoch; siblings whose fork epoch it is join the stack as copies of their parents.

    Args:
        network: any stack of this architecture; not changed.
        state: state of the networks that existed before, the first ones of the family; not changed.
        train: inputs and labels, see `training.train_epoch`.
        family: all networks, as `members` orders them.
        seed: seed of the family.
        recipe: training hyperparameters.
        epoch: the number of epochs trained before.
        activations: see `training.train_epoch`.

    Returns:
        The state after the epoch, of all networks that exist then.
    """
    born = [member.parent for member in family[len(state.theta) :] if member.exists(epoch)]
    state = training.State.joined([state, state.rows(born)])
    streams = [member.stream(seed) for member in family[: len(state.theta)]]
    return training.train_epoch(
        network, state, train, streams=streams, recipe=recipe, epoch=epoch, activations=activations
    )
