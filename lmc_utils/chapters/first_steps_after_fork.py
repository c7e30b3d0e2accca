"""Siblings of a fork at initialisation, step by step: their distance, and the first gate that differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from lmc_utils.forking import Experiment, Member
from lmc_utils.measure.labelled_arrays import Coords, Quantity, blank
from lmc_utils.networks import forked_training, models, stack, training
from lmc_utils.progress import bar

JUMP = 1.5  # factor by which the distance grows in one step, or more


def first_steps(differences: Mapping[str, Experiment], steps: int) -> xr.Dataset:
    """Train two siblings of each parent from a fork at initialisation on, and compare them at every step.

    Args:
        differences: experiments that train alike, of one network and one data set, each with its own `difference`.
        steps: number of steps.

    Returns:
        With the dimensions difference, parent and step (from 0, the fork): `distance` between the siblings; and
        `gates`, the number of activations of the next batch that are positive in one sibling and not in the other,
        over all hidden units and samples: NaN at the last step, and where siblings see different batches.
    """
    experiment = next(iter(differences.values()))
    dataset, parents = experiment.load(), range(experiment.parents)
    network = models.build(experiment, dataset.input_shape, dataset.classes)
    start = forked_training.start(network, experiment.parents, seed=experiment.seed)
    born = [Member(parent, 0, sibling) for parent in parents for sibling in (0, 1)]
    parts, streams = [], []
    for other in differences.values():
        parts.append(forked_training.siblings_at_fork(network, start, born, other, other.seed))
        same_order = other.difference != "order"
        streams += [(Member(member.parent) if same_order else member).stream(other.seed) for member in born]
    state = training.State.joined(parts)
    coords: Coords = {"difference": list(differences), "parent": list(parents), "step": list(range(steps + 1))}
    dims = tuple(coords)
    result = blank(coords, {"distance": Quantity(dims), "gates": Quantity(dims)}, {})
    same_batch = np.array([other.difference != "order" for other in differences.values()])
    shape, activations = (len(differences), len(parents), 2), training.count_activations(network, dataset.train[0])
    steps_an_epoch = len(dataset.train[0]) // experiment.batch_size
    for step in bar(range(steps + 1), "first steps", unit="step"):
        both = state.theta.view(*shape, -1).double()
        result.distance.values[:, :, step] = (both[:, :, 0] - both[:, :, 1]).norm(dim=-1)
        if step == steps:
            break
        epoch, first = divmod(step, steps_an_epoch)
        taken = range(first, first + 1)
        batch, _ = next(training.batches(*dataset.train, streams, recipe=experiment, epoch=epoch, taken=taken))
        differing = _differing_gates(stack.bound(network, state.theta, state.buffers), batch, shape)
        result.gates.values[same_batch, :, step] = differing[torch.from_numpy(same_batch)]
        state = training.train_epoch(
            network,
            state,
            dataset.train,
            streams=streams,
            recipe=experiment,
            epoch=epoch,
            steps=taken,
            activations=activations,
        )
    return result


def first_jumps(steps: xr.Dataset) -> xr.Dataset:
    """When the distance first jumps, and when the first gate differs, for each difference and parent.

    Args:
        steps: from `first_steps`.

    Returns:
        `jump`, the first step that makes the distance at least `JUMP` times as large, and `gate`, the first step whose
        batch opens a gate in one sibling only: NaN if there is none. `before` and `overall`, the growth of the
        distance per step, as a factor (geometric mean), in the steps before the jump and over all steps.
    """
    growth = steps.distance.shift(step=-1) / steps.distance
    jump = _first(growth >= JUMP)
    log = np.log(growth)
    return xr.Dataset(
        {
            "jump": jump,
            "gate": _first(steps.gates > 0),
            "before": np.exp(log.where(log.step < jump.fillna(np.inf)).mean("step")),
            "overall": np.exp(log.mean("step")),
        }
    )


def _first(condition: xr.DataArray) -> xr.DataArray:
    """The label of the first step at which a condition holds; NaN if it never does."""
    first: xr.DataArray = condition.step[condition.argmax("step")].where(condition.any("step"))
    return first.drop_vars("step")


def _differing_gates(network: nn.Module, batch: Tensor, shape: Sequence[int]) -> Tensor:
    """The number of activations that are positive in one sibling only, (differences, parents)."""
    counts: list[Tensor] = []

    def compare(_: nn.Module, __: Any, output: Tensor) -> None:
        positive = (output > 0).reshape(*shape, -1)
        counts.append((positive[:, :, 0] != positive[:, :, 1]).sum(-1))

    hooks = [
        layer.register_forward_hook(compare)
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.ReLU, nn.GELU, nn.Tanh))
    ]
    with torch.no_grad():
        network.eval()(batch)
    for hook in hooks:
        hook.remove()
    return torch.stack(counts).sum(0)
