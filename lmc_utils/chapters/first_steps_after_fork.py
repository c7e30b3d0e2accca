"""Siblings of a fork at initialisation, step by step: their distance, and the units that are active in only one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from lmc_utils.forking import Experiment, Member
from lmc_utils.measure.labelled_arrays import Coords, Quantity, blank
from lmc_utils.networks import forked_training, models, stack, training
from lmc_utils.networks.data import Dataset
from lmc_utils.progress import bar
from lmc_utils.settings import require

JUMP = 1.5  # factor by which the distance grows in one step, or more


def require_comparable(experiment: Experiment, steps: int) -> None:
    """Raise ParameterError unless siblings of this experiment can be compared at each of so many first steps."""
    last = experiment.epochs * experiment.steps_per_epoch()
    require(steps <= last, "first_steps", f"<= {last}, the steps of training", steps)
    require(experiment.dropout == 0, "dropout", "0 in this chapter, which trains single steps", experiment.dropout)


def first_steps(differences: Mapping[str, Experiment], steps: int) -> xr.Dataset:
    """Train two siblings of each parent from a fork at initialisation on, and compare them at every step.

    Args:
        differences: experiments that train alike, of one network and one data set, each with its own `difference`.
        steps: number of steps, see `require_comparable`.

    Returns:
        With the dimensions difference, parent and step (from 0, the fork): `distance` between the siblings; and
        `switched_units`, the number of activations of the next batch that are positive in one sibling and not in the
        other, over all hidden units and samples: NaN at the last step, and where siblings see different batches.
    """
    experiment = next(iter(differences.values()))
    dataset, parents = experiment.load(), range(experiment.parents)
    network = models.build(experiment, dataset.input_shape, dataset.classes)
    born = [Member(parent, 0, sibling) for parent in parents for sibling in (0, 1)]
    activations = training.count_activations(network, dataset.train[0])
    coords: Coords = {"difference": list(differences), "parent": list(parents), "step": list(range(steps + 1))}
    dims = tuple(coords)
    result = blank(coords, {"distance": Quantity(dims), "switched_units": Quantity(dims)}, {})
    for row, other in enumerate(differences.values()):
        start = forked_training.start(network, other.parents, seed=other.seed)
        state = forked_training.siblings_at_fork(network, start, born, other, other.seed)
        for step in bar(range(steps + 1), "first steps", unit="step"):
            both = state.theta.view(len(parents), 2, -1).double()
            result.distance.values[row, :, step] = (both[:, 0] - both[:, 1]).norm(dim=-1)
            if step == steps:
                break
            if other.same_order:
                result.switched_units.values[row, :, step] = _switched_units(network, state, dataset, other, step)
            state = forked_training.train_steps(
                network,
                state,
                dataset.train,
                family=born,
                seed=other.seed,
                recipe=other,
                taken=range(step, step + 1),
                activations=activations,
            )
    return result


def first_jumps(steps: xr.Dataset) -> xr.Dataset:
    """When the distance first jumps, and when a unit first switches, for each difference and parent.

    Args:
        steps: from `first_steps`.

    Returns:
        `jump`, the first step that makes the distance at least `JUMP` times as large, and `switch`, the first step in
        whose batch a unit is active in one sibling only: NaN if there is none. `before` and `overall`, the growth of
        the distance per step, as a factor (geometric mean), in the steps before the jump and over all steps.
    """
    growth = steps.distance.shift(step=-1) / steps.distance
    jump = _first(growth >= JUMP)
    log = np.log(growth)
    return xr.Dataset(
        {
            "jump": jump,
            "switch": _first(steps.switched_units > 0),
            "before": np.exp(log.where(log.step < jump.fillna(np.inf)).mean("step")),
            "overall": np.exp(log.mean("step")),
        }
    )


def _first(condition: xr.DataArray) -> xr.DataArray:
    """The label of the first step at which a condition holds; NaN if it never does."""
    first: xr.DataArray = condition.step[condition.argmax("step")].where(condition.any("step"))
    return first.drop_vars("step")


def _switched_units(
    network: nn.Module, siblings: training.State, dataset: Dataset, experiment: Experiment, step: int
) -> Tensor:
    """The number of activations in the batch of a step that are positive in one sibling only, (parents,)."""
    counts: list[Tensor] = []

    def compare(_: nn.Module, __: Any, output: Tensor) -> None:
        positive = (output > 0).reshape(experiment.parents, 2, -1)
        counts.append((positive[:, 0] != positive[:, 1]).sum(-1))

    streams = [Member(parent).stream(experiment.seed) for parent in range(experiment.parents)]
    epoch, first = divmod(step, len(dataset.train[0]) // experiment.batch_size)
    taken = range(first, first + 1)
    ((batch, _),) = training.batches(*dataset.train, streams, recipe=experiment, epoch=epoch, taken=taken)
    trained = stack.bound(network, siblings.theta, siblings.buffers.clone()).train()
    for layer in trained.modules():
        if isinstance(layer, (nn.ReLU, nn.GELU, nn.Tanh)):
            layer.register_forward_hook(compare)
    with torch.no_grad():
        trained(batch.repeat_interleave(2, 0))
    return torch.stack(counts).sum(0)
