"""The chapter on what parts siblings: its parameters, and its tables of long runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from lmc_utils.chapters import when_stability_begins
from lmc_utils.chapters.first_steps_after_fork import first_jumps
from lmc_utils.chapters.when_stability_begins import LEARNT_BELOW
from lmc_utils.forking import Experiment, Member, Run, result_tables
from lmc_utils.measure import pairs, stability_onset
from lmc_utils.measure.functional_similarity import functional_similarity
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import pair_mean
from lmc_utils.networks import models
from lmc_utils.networks.data import DATASETS
from lmc_utils.settings import Settings, at_least, each, one_of, parameter, require

TRAIN_SAMPLES = 4000  # of the default data set
ADAMW_RATE = 0.01
SHOWN = ("noise 1e-6", "noise 1e-4", "noise 1e-2", "one weight", "data order")  # of `result_tables.DIFFERENCES`


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter measures itself, besides training the experiment."""

    first_steps: int = parameter(
        250,
        "steps after a fork at initialisation at which siblings are compared",
        at_least(2),
        also="<= the steps of training",
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
    named = re.compile(rf"{re.escape(name)}_fork_[\d.]+_parent_(\d+)")
    parents = sorted({int(match[1]) for key in table if (match := named.fullmatch(str(key)))})
    table = table.squeeze(drop=True)
    rows = [when_stability_begins.by_fork(table, name, f"_parent_{parent}") for parent in parents]
    joined = xr.concat(rows, xr.Variable("parent", parents), join="outer")
    return joined.expand_dims("pair", -1).transpose(..., "fork_epoch", "parent", "pair")


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


def onset_numbers(onsets: Mapping[str, xr.Dataset]) -> dict[str, dict[str, dict[str, xr.DataArray]]]:
    """The mean onset of stability by noise, and the mean final training error (%) where there is much of it.

    Args:
        onsets: from `onset_in_time`, by what was fixed.
    """
    levels = {"half": 0.5, "default": 1.0, "double": 2.0, "fourfold": 4.0}
    at = {
        name: {word: each.sel(noise=level, method="nearest") for word, level in levels.items()}
        for name, each in onsets.items()
    }
    noisy = ("double", "fourfold")
    return {
        "onset": {name: {word: each.onset.mean() for word, each in found.items()} for name, found in at.items()},
        "final_error": {name: {word: found[word].final_error for word in noisy} for name, found in at.items()},
    }


def schedule_numbers(by_schedule: Mapping[str, xr.DataArray]) -> dict[str, Any]:
    """The mean onset of stability (epochs) of each schedule, and the training error (%) with a constant rate.

    Args:
        by_schedule: from `barriers_by_schedule`.
    """
    words = ("cosine", "restart", "decay", "constant")
    onsets = [stability_onset.stable_from(each).mean() for each in by_schedule.values()]
    return {
        "onset": dict(zip(words, onsets, strict=True)),
        "final_error_constant": result_tables.read("siblings_constant").final_error_train.mean(),
    }


def barriers_by_difference() -> dict[str, xr.DataArray]:
    """Error barriers (points) of all `result_tables.DIFFERENCES`, with the dimensions fork_epoch, parent and pair."""
    noise, weight = barrier("noise"), barrier("weight")
    found = {}
    for name, changes in result_tables.DIFFERENCES.items():
        if changes["difference"] == "order":
            found[name] = barrier("steps").sel(fork_epoch=noise.fork_epoch)
        else:
            table = noise if changes["difference"] == "noise" else weight
            found[name] = table.sel(difference_size=changes["difference_size"], drop=True)
    return found


def barriers_by_schedule() -> dict[str, xr.DataArray]:
    """Error barriers (points) of runs that differ in the schedule alone."""
    points, usual = result_tables.read("siblings_fixed_steps"), Experiment()
    chosen = (points.epochs == usual.epochs) & (points.batch_size == usual.batch_size)
    return {
        "one cosine": by_fork(points.isel(point=chosen.values), "error_barrier_train").dropna("fork_epoch", how="all"),
        "constant, then a cosine for each sibling": barrier("restart"),
        "constant, then five epochs of decay": barrier("decay"),
        "constant to the end": barrier("constant"),
    }


def smallest_noise_without_kinks() -> xr.DataArray:
    """Error barriers (points) after the smallest noise, with the dimensions activation, fork_epoch, parent and pair."""
    return barrier("smooth_noise").sel(
        difference_size=result_tables.DIFFERENCES[SHOWN[0]]["difference_size"], drop=True
    )


def kink_numbers(differences: Mapping[str, xr.DataArray]) -> dict[str, dict[str, xr.DataArray]]:
    """The mean error barrier (points) after the fork at initialisation, by activation function and difference.

    Args:
        differences: of the networks with ReLU, from `barriers_by_difference`.
    """
    noise, order = (pair_mean(barrier(name).isel(fork_epoch=0, drop=True)) for name in ("smooth_noise", "smooth_order"))
    relu = {name: pair_mean(each.isel(fork_epoch=0, drop=True)) for name, each in differences.items()}
    found = {"relu": {"tiny": relu["noise 1e-6"], "noise": relu["noise 1e-2"], "order": relu["data order"]}}
    for name in order.activation.values:
        tiny, large = (noise.sel(activation=name, difference_size=size) for size in (1e-6, 1e-2))
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
    steps, trained = pair_mean(barrier("steps")), pair_mean(barrier("trained").squeeze("fork_epoch", drop=True))
    at = np.round(steps.fork_epoch * (TRAIN_SAMPLES // Experiment().batch_size)).astype(int)
    return {
        **{words.get(name, name.replace("-", "_")): pair_mean(each) for name, each in differences.items()},
        "": steps.assign_coords(fork_epoch=at).rename(fork_epoch="step"),
        **{name: pair_mean(barrier(name)) for name in ("restart", "constant", "decay")},
        "restart_same_rate": trained.sel(restart_rate=Experiment().learning_rate),
        "restart_twice_the_rate": trained.sel(restart_rate=2 * Experiment().learning_rate),
        "adamw": pair_mean(barrier("adamw").sel(learning_rate=ADAMW_RATE)),
        "adamw_slower": pair_mean(barrier("adamw").sel(learning_rate=0.003, fork_epoch=[0])),
        "adamw_slowest": pair_mean(barrier("adamw").sel(learning_rate=0.001, fork_epoch=[0])),
        "largest_fall": pair_mean(largest_fall(barrier("steps"))),
    }


def setting_numbers() -> dict[str, Any]:
    """What the text quotes of the default experiment, and the training error (%) of networks trained by AdamW.

    `weight_to_noise` is the length of a change of one weight by 1e-3, relative to that of noise of 1e-6 on all weights.
    """
    usual, adamw = Experiment(), result_tables.read("siblings_adamw").final_error_train.squeeze(drop=True)
    steps, shape = TRAIN_SAMPLES // usual.batch_size, DATASETS[usual.dataset]
    network = models.build(usual, shape.shape, shape.classes)
    weights = sum(value.numel() for name, value in network.named_parameters() if name.endswith("weight"))
    return {
        "steps_per_epoch": steps,
        "whole_time": usual.learning_rate * steps * usual.epochs,
        "weights": weights,
        "weight_to_noise": 1e-3 / (1e-6 * np.sqrt(weights)),
        "adamw_error": adamw.sel(learning_rate=ADAMW_RATE),
        "adamw_error_slower": adamw.sel(learning_rate=0.003),
        "adamw_error_smallest_rate": adamw.sel(learning_rate=0.001),
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
        this pace. For the first of them also `before`, the factor per step before the first jump; the number of parents
        whose distance jumps (`jumped`), of those with a switched unit (`switched`) and of those whose first switch is
        in the step of the first jump (`jumped_at_switch`); `jump_step`, the median step of the jump; and `jump_factor`,
        the median, `lowest` and `highest` growth in it.
    """
    smallest = {name: each.sel(difference=SHOWN[0]) for name, each in steps.items()}
    paces = {name: np.exp(np.log(first_jumps(each).overall).mean()) for name, each in smallest.items()}
    own = next(iter(smallest.values()))
    jumps = first_jumps(own)
    at = jumps.jump.dropna("parent").astype(int)
    factors = own.distance.sel(parent=at.parent, step=at + 1) / own.distance.sel(parent=at.parent, step=at)
    lowest, median, highest = np.quantile(factors, (0, 0.5, 1)) if at.size else [np.nan] * 3
    return {
        "growth": paces,
        "doubling": {name: np.log(2) / np.log(pace) for name, pace in paces.items()},
        "before": jumps.before.mean(),
        "jumped": at.size,
        "switched": jumps.switch.count(),
        "jumped_at_switch": (jumps.switch == jumps.jump).sum(),
        "parents": jumps.jump.size,
        "jump_step": at.median() if at.size else np.nan,
        "jump_factor": {"": median, "lowest": lowest, "highest": highest},
    }


def average_numbers(averages: xr.Dataset) -> dict[str, Any]:
    """Test errors (%) of averages and ensembles by number of networks and fork epoch, as the text quotes them."""
    test = averages.sel(split="test").mean("parent")
    by_count = {str(count): test.sel(networks=count) for count in test.networks.values}
    most = test.isel(networks=-1)
    return {
        "soup_error": {count: each.average_error for count, each in by_count.items()},
        "ensemble_error": {count: each.ensemble_error for count, each in by_count.items()},
        "best_error": most.best_error,
        "single_error": most.single_error,
        "ensemble_gain": most.single_error - most.ensemble_error,
    }


def onset_in_time(fixed: str) -> xr.Dataset:
    """When stability begins as the ratio of learning rate and batch size changes, and something else is fixed.

    Args:
        fixed: `steps`, their number; or `time`, the product of learning rate and number of steps.

    Returns:
        With the dimensions parent and noise (learning rate over batch size, 1 for the default): `onset`, the time from
        which on siblings are stable, as learning rate times steps (before the cosine), NaN where a network does not
        become stable, or does not learn; and `final_error`, the mean training error (%) at the end.
    """
    table, usual = result_tables.read(f"siblings_fixed_{fixed}"), Experiment()
    found = []
    for number in range(table.sizes["point"]):
        point = table.isel(point=number)
        rate = float(point.get("learning_rate", usual.learning_rate))
        batch = int(point.get("batch_size", usual.batch_size))
        heights = by_fork(point, "error_barrier_train").dropna("fork_epoch", how="all").squeeze("pair", drop=True)
        begins = stability_onset.stable_from(heights).where(point.final_error_train < LEARNT_BELOW)
        times = {"onset": begins * (TRAIN_SAMPLES // batch) * rate, "final_error": point.final_error_train}
        noise = rate / batch * usual.batch_size / usual.learning_rate
        found.append(xr.Dataset(times).reset_coords(drop=True).assign_coords(noise=noise))
    return xr.concat(found, "noise").sortby("noise")
