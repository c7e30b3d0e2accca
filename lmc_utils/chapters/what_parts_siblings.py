"""The chapter on what parts siblings: its parameters, and its tables of long runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from lmc_utils.chapters.first_steps_after_fork import first_jumps
from lmc_utils.forking import Experiment, Member, Run, result_tables
from lmc_utils.formatting import plain_number
from lmc_utils.measure import pairs, stability_onset
from lmc_utils.measure.functional_similarity import functional_similarity
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import pair_mean
from lmc_utils.settings import Settings, at_least, each, one_of, parameter, require

LEARNT_BELOW = 50.0  # percent: a network that ends with more train errors has not learnt, and is left out
TRAIN_SAMPLES = 4000  # of the default data set
ADAMW_RATE = 0.01
_DEFAULT_POINT = 2  # of the table `siblings_fixed_steps`: batches of 64 for 40 epochs
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

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"first_steps": 60}}

    def differences(self, experiment: Experiment) -> dict[str, dict[str, Experiment]]:
        """The experiments whose siblings are compared step by step, by activation function and difference."""
        others = [name for name in self.smooth if name != experiment.activation]
        changes = {name: result_tables.DIFFERENCES[name] for name in SHOWN}
        return {
            experiment.activation: {name: replace(experiment, **each) for name, each in changes.items()},
            **{name: {SHOWN[0]: replace(experiment, activation=name, **changes[SHOWN[0]])} for name in others},
        }


def stacked(dimension: str, parts: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """Arrays along a new first dimension, by name; at the fork epochs that all of them have."""
    return xr.concat(parts.values(), xr.Variable(dimension, list(parts)), join="inner", combine_attrs="drop")


def by_fork(table: xr.Dataset, name: str) -> xr.DataArray:
    """The numbers NAME_fork_0_parent_0, ... of a table of a sweep as one array.

    Returns:
        The dimensions of the sweep that have more than one value, then fork_epoch, parent and pair, of length 1.

    >>> table = xr.Dataset({"b_fork_0.5_parent_0": 3.0, "b_fork_0.5_parent_1": 1.0, "b_fork_2_parent_0": 0.0})
    >>> by_fork(table, "b").sel(fork_epoch=0.5).values.tolist()
    [[3.0], [1.0]]
    """
    found = {
        (plain_number(float(match[1])), int(match[2])): table[key].squeeze(drop=True)
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


def onset_numbers(onsets: Mapping[str, xr.Dataset]) -> dict[str, dict[str, xr.DataArray]]:
    """The mean onset of stability at half of the default's noise, at the default's and at twice as much.

    Args:
        onsets: from `onset_in_time`, by what was fixed.
    """
    levels = {"half": 0.5, "default": 1.0, "double": 2.0}
    return {
        name: {word: each.onset.sel(noise=level, method="nearest").mean("parent") for word, level in levels.items()}
        for name, each in onsets.items()
    }


def barriers_by_difference(split: str = "train") -> dict[str, xr.DataArray]:
    """Error barriers (points) of all `result_tables.DIFFERENCES`, with the dimensions fork_epoch, parent and pair."""
    noise, weight = barrier("noise", split), barrier("weight", split)
    found = {}
    for name, changes in result_tables.DIFFERENCES.items():
        if changes["difference"] == "order":
            found[name] = barrier("steps", split).sel(fork_epoch=noise.fork_epoch)
        else:
            table = noise if changes["difference"] == "noise" else weight
            found[name] = table.sel(difference_size=changes["difference_size"], drop=True)
    return found


def barriers_by_schedule(split: str = "train") -> xr.DataArray:
    """Error barriers (points) of runs that differ in the schedule alone, at the forks that all of them have."""
    cosine = by_fork(result_tables.read("siblings_fixed_steps").sel(point=_DEFAULT_POINT), f"error_barrier_{split}")
    parts = {
        "one cosine": cosine.dropna("fork_epoch", how="all"),
        "constant, then a cosine for each sibling": barrier("restart", split),
        "constant, then five epochs of decay": barrier("decay", split),
        "constant to the end": barrier("constant", split),
    }
    return stacked("schedule", parts)


def smallest_noise_without_kinks() -> xr.DataArray:
    """Error barriers (points) after the smallest noise, with the dimensions activation, fork_epoch, parent and pair."""
    return barrier("smooth_noise").isel(difference_size=0, drop=True)


def kink_numbers(differences: Mapping[str, xr.DataArray]) -> dict[str, dict[str, xr.DataArray]]:
    """The mean error barrier (points) after the fork at initialisation, by activation function and difference.

    Args:
        differences: of the networks with ReLU, from `barriers_by_difference`.
    """
    noise, order = (pair_mean(barrier(name).isel(fork_epoch=0, drop=True)) for name in ("smooth_noise", "smooth_order"))
    relu = {name: pair_mean(each.isel(fork_epoch=0, drop=True)) for name, each in differences.items()}
    found = {"relu": {"tiny": relu["noise 1e-6"], "noise": relu["noise 1e-2"], "order": relu["data order"]}}
    for name in order.activation.values:
        tiny, large = noise.sel(activation=name)
        found[str(name)] = {"tiny": tiny, "noise": large, "order": order.sel(activation=name)}
    return found


def compared_functions(run: Run, epochs_apart: int) -> dict[str, xr.Dataset]:
    """Functional similarity (test set) of `siblings`, of `independent` parents, and of each parent with `itself`.

    Args:
        run: of at least two parents.
        epochs_apart: the age difference of a parent and `itself`.
    """
    wanted = {
        "siblings": run.pairs(),
        "independent": run.independent_pairs(),
        "itself": with_itself(run, epochs_apart),
    }
    return {
        name: functional_similarity(each, splits="test").isel(split=0, epoch=0, missing_dims="ignore", drop=True)
        for name, each in wanted.items()
    }


def similarity_numbers(similar: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """The mean of each quantity, of siblings by fork epoch; see `compared_functions`."""
    others = [name for name in similar if name != "siblings"]
    return {
        str(quantity): {"": pair_mean(values), **{name: similar[name][quantity].mean() for name in others}}
        for quantity, values in similar["siblings"].items()
    }


def how_tables_were_made() -> str:
    """The commands and the provenance of all tables of the chapter, in Markdown."""
    swept = [f"siblings_{name}" for name in result_tables.SWEPT["siblings"]]
    return result_tables.made(map(result_tables.read, [*swept, "sibling_differences", "averages_of_siblings"]))


def barrier_numbers(differences: Mapping[str, xr.DataArray]) -> dict[str, Any]:
    """The mean error barriers (points, training set) that the text quotes, by experiment.

    Args:
        differences: from `barriers_by_difference`.
    """
    words = {"one weight": "weight", "data order": "order"}
    steps, trained = pair_mean(barrier("steps")), pair_mean(barrier("trained")).squeeze("fork_epoch", drop=True)
    at = np.round(steps.fork_epoch * (TRAIN_SAMPLES // Experiment().batch_size)).astype(int)
    return {
        **{words.get(name, name.replace("-", "_")): pair_mean(each) for name, each in differences.items()},
        "": steps.assign_coords(fork_epoch=at).rename(fork_epoch="step"),
        **{name: pair_mean(barrier(name)) for name in ("restart", "constant", "decay")},
        "restart_same_rate": trained[0],
        "restart_twice_the_rate": trained[1],
        "adamw": pair_mean(barrier("adamw").sel(learning_rate=ADAMW_RATE)),
        "largest_fall": pair_mean(largest_fall(barrier("steps"))),
    }


def setting_numbers() -> dict[str, Any]:
    """What the text quotes of the default experiment, and the training error (%) of networks trained by AdamW."""
    usual, adamw = Experiment(), result_tables.read("siblings_adamw").final_error_train.squeeze(drop=True)
    steps = TRAIN_SAMPLES // usual.batch_size
    return {
        "steps_per_epoch": steps,
        "whole_time": usual.learning_rate * steps * usual.epochs,
        "adamw_error": adamw.sel(learning_rate=ADAMW_RATE),
        "adamw_error_smallest_rate": adamw[0],
    }


def largest_fall(heights: xr.DataArray) -> xr.DataArray:
    """The largest fall of the barrier from one fork to the next, as a fraction of the barrier at initialisation.

    >>> heights = xr.DataArray([[[8.0]], [[4.0]], [[1.0]]], {"fork_epoch": [0, 1, 2]}, ["fork_epoch", "parent", "pair"])
    >>> largest_fall(heights).values.tolist()
    [[0.5]]
    """
    return -heights.diff("fork_epoch").min("fork_epoch") / heights.isel(fork_epoch=0, drop=True)


def growth_numbers(steps: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """What the text quotes of the first steps of siblings that differ by the smallest noise.

    Args:
        steps: from `first_steps_after_fork.first_steps`, by activation function.

    Returns:
        By activation: `growth`, the mean factor per step, and `doubling`, the steps in which the distance doubles at
        this pace. For the first of them also `before`, the factor per step before the first jump; `jumped`, the number
        of parents whose distance jumps; `jump_step` and `jump_factor`, the medians of its step and of its growth.
    """
    paces = {
        name: np.exp(np.log(first_jumps(each).overall.sel(difference=SHOWN[0])).mean()) for name, each in steps.items()
    }
    own = next(iter(steps.values())).sel(difference=SHOWN[0])
    jumps = first_jumps(own)
    at = jumps.jump.dropna("parent").astype(int)
    before, after = (own.distance.sel(parent=at.parent, step=step) for step in (at, at + 1))
    return {
        "growth": paces,
        "doubling": {name: np.log(2) / np.log(pace) for name, pace in paces.items()},
        "before": jumps.before.mean(),
        "jumped": at.size,
        "parents": jumps.jump.size,
        "jump_step": at.median() if at.size else np.nan,
        "jump_factor": (after / before).median() if at.size else np.nan,
    }


def average_numbers(averages: xr.Dataset) -> dict[str, Any]:
    """Test errors (%) of averages and ensembles by number of networks and fork epoch, as the text quotes them."""
    test = averages.sel(split="test").mean("parent")
    quoted = {"soup_error": "average_error", "ensemble_error": "ensemble_error", "best_error": "best_error"}
    return {
        **{
            name: {str(count): test[error].sel(networks=count) for count in test.networks.values}
            for name, error in quoted.items()
        },
        "single_error": test.single_error.isel(networks=-1),
    }


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
