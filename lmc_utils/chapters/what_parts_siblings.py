"""The chapter on what parts siblings: its parameters, and its tables of long runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from lmc_utils.forking import Experiment, Member, Run, result_tables
from lmc_utils.measure import pairs, stability_onset
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import pair_mean
from lmc_utils.settings import Settings, at_least, each, one_of, parameter, require

LEARNT_BELOW = 50.0  # percent: a network that ends with more train errors has not learnt, and is left out
TRAIN_SAMPLES = 4000  # of the default data set
SHOWN = ("noise 1e-6", "noise 1e-4", "noise 1e-2", "one weight", "data order")  # of `result_tables.DIFFERENCES`


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter measures itself, besides training the experiment."""

    first_steps: int = parameter(
        250, "steps after a fork at initialisation at which siblings are compared", at_least(2)
    )
    smooth: tuple[str, ...] = parameter(
        ("gelu", "tanh"),
        "activation functions to compare with that of the experiment",
        each(one_of(("relu", "gelu", "tanh"))),
    )
    epochs_apart: int = parameter(
        5,
        "age difference at which a network is compared with itself at the end of training",
        at_least(1),
        unit="epochs",
    )

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"first_steps": 20, "smooth": ["gelu"]}}

    def differences(self, experiment: Experiment) -> dict[str, dict[str, Experiment]]:
        """The experiments whose siblings are compared step by step, by activation function and difference."""
        others = [name for name in self.smooth if name != experiment.activation]
        changes = {name: result_tables.DIFFERENCES[name] for name in SHOWN}
        return {
            experiment.activation: {name: replace(experiment, **each) for name, each in changes.items()},
            **{name: {SHOWN[0]: replace(experiment, activation=name, **changes[SHOWN[0]])} for name in others},
        }


def by_fork(table: xr.Dataset, name: str) -> xr.DataArray:
    """The numbers NAME_fork_0_parent_0, ... of a table of a sweep as one array.

    Returns:
        The dimensions of the sweep that have more than one value, then fork_epoch, parent and pair, of length 1.

    >>> table = xr.Dataset({"b_fork_0.5_parent_0": 3.0, "b_fork_0.5_parent_1": 1.0, "b_fork_2_parent_0": 0.0})
    >>> by_fork(table, "b").sel(fork_epoch=0.5).values.tolist()
    [[3.0], [1.0]]
    """
    found = {
        (float(match[1]), int(match[2])): table[key].squeeze(drop=True)
        for key in table
        if (match := re.fullmatch(rf"{re.escape(name)}_fork_([\d.]+)_parent_(\d+)", str(key)))
    }
    forks, parents = (sorted(dict.fromkeys(labels)) for labels in zip(*found, strict=True))
    missing = xr.full_like(next(iter(found.values())), np.nan)
    rows = [
        xr.concat([found.get((fork, parent), missing) for parent in parents], xr.Variable("parent", parents))
        for fork in forks
    ]
    joined = xr.concat(rows, xr.Variable("fork_epoch", forks)).expand_dims("pair", -1)
    return joined.transpose(..., "fork_epoch", "parent", "pair")


def barrier(name: str, split: str = "train") -> xr.DataArray:
    """The error barrier (points) of a table `siblings_NAME`, see `by_fork`."""
    return by_fork(result_tables.read(f"siblings_{name}"), f"error_barrier_{split}")


def with_itself(run: Run, epochs_apart: int) -> Pairs:
    """Each parent at the end of training, paired with itself some epochs earlier, with the dimension parent.

    Raises:
        ParameterError: there are not so many epochs.
    """
    last = run.experiment.last_epoch
    require(epochs_apart <= last, "epochs_apart", f"<= {last}, the epochs of training", epochs_apart)
    parents = [Member(parent) for parent in range(run.experiment.parents)]
    found = pairs.between(
        run.network,
        run.thetas(parents, last - epochs_apart),
        run.thetas(parents, last),
        samples={"train": run.dataset.train, "test": run.dataset.test},
        buffers=torch.stack([run.buffers(parents, epoch) for epoch in (last - epochs_apart, last)], 1),
    )
    return replace(found, coords={"parent": list(range(len(parents)))})


def difference_numbers(barriers: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """The mean error barrier (points) of each difference, under the name that the text quotes, such as `noise_1e_6`."""
    return {re.sub(r"[ -]", "_", name.removesuffix(" order")): pair_mean(each) for name, each in barriers.items()}


def onset_in_time(fixed: str) -> xr.Dataset:
    """When stability begins as the ratio of learning rate and batch size changes, and something else is fixed.

    Args:
        fixed: `steps`, their number; or `time`, the product of learning rate and number of steps.

    Returns:
        With the dimensions parent and noise (learning rate over batch size, 1 for the default): `onset`, the time from
        which on siblings are stable, as learning rate times steps (before the cosine); and `fraction`, as a fraction of
        training. NaN where a network does not become stable, or does not learn.
    """
    table, usual = result_tables.read(f"siblings_fixed_{fixed}"), Experiment()
    found = []
    for number in range(table.sizes["point"]):
        point = table.isel(point=number)
        rate = float(point.get("learning_rate", usual.learning_rate))
        batch = int(point.get("batch_size", usual.batch_size))
        heights = by_fork(point.drop_vars("point", errors="ignore"), "error_barrier_train").dropna(
            "fork_epoch", how="all"
        )
        begins = stability_onset.stable_from(heights.squeeze("pair", drop=True))
        begins = begins.where(point.final_error_train < LEARNT_BELOW).reset_coords(drop=True)
        times = {"onset": begins * (TRAIN_SAMPLES // batch) * rate, "fraction": begins / float(point.epochs)}
        noise = rate / batch * usual.batch_size / usual.learning_rate
        found.append(xr.Dataset(times).assign_coords(noise=noise))
    return xr.concat(found, "noise").sortby("noise")
