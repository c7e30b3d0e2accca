"""Train a family of networks as one stack: parents from scratch, and siblings that fork off them.

The key of a trained run covers all code that this file imports (`lmc_utils.result_dependencies`), so it imports only
what training needs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lmc_utils.networks import stack, training
from lmc_utils.networks.training import Recipe
from lmc_utils.settings import above, between, one_of, parameter, require


@dataclass(frozen=True)
class ForkedRecipe(Recipe):
    """Training hyperparameters of a family: also what siblings differ in, and how they are trained after the fork.

    >>> ForkedRecipe(restart_rate=0.1)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: restart_rate must be null unless after_fork = restart (got 0.1)
    """

    difference: str = parameter(
        "order",
        "what siblings differ in at the fork: their data orders, noise on all weights, or one weight",
        one_of(("order", "noise", "weight")),
    )
    difference_size: float = parameter(
        1e-3,
        "size of noise or of the change of one weight; 0 gives copies of the parent, and below about 1e-6 part of the "
        "change is lost to rounding",
        between(0, 10),
        unit="standard deviations of the initialisation",
    )
    after_fork: str = parameter(
        "as_parent",
        "siblings go on with their parent's schedule, or each begins a cosine of `epochs` epochs",
        one_of(("as_parent", "restart")),
    )
    restart_rate: float | None = parameter(
        None, "highest learning rate after a restart (default: learning_rate)", above(0)
    )

    def check(self) -> None:
        expected = "null unless after_fork = restart"
        require(self.restart_rate is None or self.after_fork == "restart", "restart_rate", expected, self.restart_rate)
        usual = Recipe.decay_epochs
        applies = self.schedule == "constant_then_decay" or self.decay_epochs == usual
        require(applies, "decay_epochs", f"{usual} unless schedule = constant_then_decay", self.decay_epochs)

    @property
    def same_order(self) -> bool:
        """Whether siblings see the batches of their parent after the fork, too."""
        return self.difference != "order" or self.difference_size == 0

    def restarted(self) -> Recipe:
        """The hyperparameters of siblings with a schedule of their own."""
        rate = self.learning_rate if self.restart_rate is None else self.restart_rate
        return Recipe.pick({**vars(self), "learning_rate": rate, "schedule": "cosine"})


@dataclass(frozen=True)
class Member:
    """One network of a family: a parent, or, if it has a fork epoch, a sibling."""

    parent: int
    fork_epoch: float | None = None
    sibling: int | None = None

    def stream(self, seed: int) -> tuple[int, ...]:
        """The seed of its data order, independent of the other networks that are trained with it."""
        if self.fork_epoch is None or self.sibling is None:
            return (seed, self.parent, 0, 0)
        within = int(self.fork_epoch % 1 * 2**53)  # of the epoch, as a whole number
        return (seed, self.parent, 1 + int(self.fork_epoch), 1 + self.sibling, *([within] if within else []))

    def exists(self, epoch: float) -> bool:
        """Whether it has parameters of its own after so many epochs; at its fork it still is its parent."""
        return self.fork_epoch is None or self.fork_epoch < epoch

    def fork_step(self, steps: int) -> int:
        """The step of training at which it forks, 0 for a parent.

        Args:
            steps: steps per epoch.
        """
        return 0 if self.fork_epoch is None else round(self.fork_epoch * steps)


def members(parents: int, fork_epochs: Sequence[float], siblings: int) -> list[Member]:
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


def train_steps(
    network: nn.Module,
    state: training.State,
    train: tuple[Tensor, Tensor],
    *,
    family: Sequence[Member],
    seed: int,
    recipe: ForkedRecipe,
    taken: range,
    activations: int | None = None,
) -> training.State:
    """Train a family for some steps; siblings that fork at the first of them join the stack as copies of their parents.

    Args:
        network: any stack of this architecture; not changed.
        state: state of the networks that existed before, the first ones of the family; not changed.
        train: inputs and labels, see `training.train_epoch`.
        family: all networks, as `members` orders them.
        seed: seed of the family.
        recipe: training hyperparameters.
        taken: the steps, counted from the start of training; all of one epoch, and without a later fork among them.
        activations: see `training.train_epoch`.

    Returns:
        The state after these steps, of all networks that exist then.
    """
    steps = len(train[0]) // recipe.batch_size
    if born := [member for member in family[len(state.theta) :] if member.fork_step(steps) <= taken.start]:
        state = training.State.joined([state, siblings_at_fork(network, state, born, recipe, seed)])
    alive = family[: len(state.theta)]
    streams = [(Member(member.parent) if recipe.same_order else member).stream(seed) for member in alive]
    epoch, first = divmod(taken.start, steps)
    parts = []
    for rows, own, begun in _schedules(alive, recipe, steps):
        last = min(taken.stop, begun + recipe.epochs * steps)
        part = state.rows(rows)
        if last > taken.start:
            part = training.train_epoch(
                network,
                part,
                train,
                streams=streams[rows],
                recipe=own,
                epoch=epoch,
                steps=range(first, first + last - taken.start),
                schedule_start=begun,
                activations=activations,
                rate_name="learning_rate" if own.learning_rate == recipe.learning_rate else "restart_rate",
            )
        parts.append(part)
    return training.State.joined(parts)


def _schedules(alive: Sequence[Member], recipe: ForkedRecipe, steps: int) -> Iterator[tuple[slice, Recipe, int]]:
    """Yield the rows of networks that share a schedule, their hyperparameters, and the step at which it begins."""
    if recipe.after_fork == "as_parent":
        yield slice(None), recipe, 0
        return
    rows = 0
    for fork_epoch, alike in itertools.groupby(alive, lambda member: member.fork_epoch):
        group = list(alike)
        own = recipe if fork_epoch is None else recipe.restarted()
        yield slice(rows, rows := rows + len(group)), own, group[0].fork_step(steps)


def siblings_at_fork(
    network: nn.Module, state: training.State, born: Sequence[Member], recipe: ForkedRecipe, seed: int
) -> training.State:
    """The state of new siblings: that of their parents, with noise or one changed weight if that is the difference.

    The standard deviation of the initialisation is that of each tensor of the parent. Tensors that begin constant, such
    as biases, have none and are not changed.

    Args:
        network: any stack of this architecture.
        state: of the parents.
        born: the siblings.
        recipe: its `difference` and `difference_size`.
        seed: seed of the family.
    """
    copies = state.rows([member.parent for member in born])
    if recipe.difference == "order" or recipe.difference_size == 0:
        return copies
    for row, member in enumerate(born):
        initial = stack.initialise(network, [init_seed(seed, member.parent)])
        spread = stack.flatten({name: _standard_deviation(each) for name, each in initial.items()})[0]
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence(member.stream(seed)).generate_state(1)[0]))
        if recipe.difference == "noise":
            change = torch.randn(len(spread), generator=generator)
        else:
            weights = spread.nonzero()[:, 0]
            change = torch.zeros_like(spread)
            change[weights[torch.randint(len(weights), (1,), generator=generator)]] = 1.0
        copies.theta[row] += (recipe.difference_size * spread * change).to(copies.theta)
    return copies


def _standard_deviation(values: Tensor) -> Tensor:
    """The standard deviation of all values, in the place of each; exactly 0 where they are equal."""
    return (values - values.mean()).square().mean().sqrt().expand_as(values)
