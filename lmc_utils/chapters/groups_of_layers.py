"""Single layers and groups of layers between siblings: measurements, numbers and claims of the barrier chapter."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.forking import Run
from lmc_utils.measure import barriers, layer_groups, lines
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Claim, Rule, intervals
from lmc_utils.measure.reductions import end_of_training, pair_mean

LAGS = (1, 2, 5, 15)
"""Epochs after the fork at which single layers are measured, besides the end."""

NEGATIVE, POSITIVE = Rule("below", 0.0), Rule("above", 0.0)
_END = "end"


def group_rises(run: Run) -> xr.DataArray:
    """Rise of the loss (nats) at the end of training if a group of layers moves, see `layer_groups.group_line`.

    Returns:
        Dimensions step, split, fork_epoch, parent, pair, end, group, layer. The step is `midpoint` (the group moves to
        the midpoint between the siblings), `exchange` (to the other sibling) or `random` (as far as to the midpoint, in
        a random direction). Layers are numbered from 1.
    """
    groups = end_of_training(layer_groups.group_line(run.pairs())).loss
    control = end_of_training(layer_groups.random_steps(run.pairs(), seed=run.experiment.seed)).loss
    rise = layer_groups.group_rise
    steps = {"midpoint": rise(groups), "exchange": rise(groups, 1.0), "random": rise(control)}
    together = xr.concat([*steps.values()], xr.Variable("step", [*steps]))
    return together.assign_coords(layer=np.arange(together.sizes["layer"]) + 1)


def single_rise_by_lag(run: Run, rises: xr.DataArray) -> xr.DataArray:
    """Rise of the training loss (nats) with one layer at the midpoint, some epochs after each fork.

    Args:
        run: NaN at epochs that it does not store.
        rises: its `group_rises`.

    Returns:
        Means over both ends; dimensions lag ("1", "2", ..., "end"), fork_epoch, parent, pair, layer.
    """
    at_end = rises.sel(step="midpoint", split="train", group="single", drop=True).mean("end")
    result = xr.full_like(at_end, np.nan).expand_dims(lag=[*map(str, LAGS), _END]).copy()
    result.loc[{"lag": _END}] = at_end
    stored = set(run.experiment.kept_epochs())
    for fork, lag in itertools.product(run.experiment.fork_epochs, LAGS):
        if fork + lag in stored:
            pairs = run.pairs([fork + lag]).only(fork_epoch=fork)
            measured = lines.layer_line(pairs, splits=["train"]).loss.sel(split="train", fork_epoch=fork)
            result.loc[{"lag": str(lag), "fork_epoch": fork}] = barriers.layer_rise(measured.isel(epoch=0)).values
    return result


def by_group(rises: xr.DataArray) -> dict[str, xr.DataArray]:
    """The rise of each group by name, and the sum over single layers.

    Args:
        rises: dimensions group and layer, and any others.

    Returns:
        `single_1`, ..., `single_sum`; `from_input_2`, ... (layers 1 to 2, ...); `from_output_2`, ... (layer 2 to the
        last, ...); and `all`.

    >>> rises = xr.DataArray([[1, 2, 3]] * 3, {"group": [*layer_groups.GROUPS], "layer": [1, 2, 3]})
    >>> [*by_group(rises)]
    ['single_1', 'single_2', 'single_3', 'single_sum', 'from_input_2', 'from_output_2', 'all']
    """
    numbers = rises.layer.values.tolist()

    def of(group: str, layers: list[int]) -> dict[str, xr.DataArray]:
        return {f"{group}_{layer}": rises.sel(group=group, layer=layer, drop=True) for layer in layers}

    total = rises.sel(group="single", drop=True).sum("layer", skipna=False)
    cumulative = of("from_input", numbers[1:-1]) | of("from_output", numbers[1:-1])
    every = rises.sel(group="from_input", layer=numbers[-1], drop=True)
    return {**of("single", numbers), "single_sum": total, **cumulative, "all": every}


def group_numbers(rises: xr.DataArray, by_lag: xr.DataArray) -> dict[str, Any]:
    """Mean rises by group and fork: to the midpoint, of exchanged single layers, and for random steps.

    Returns:
        Further, `home_difference`, by how much the rise of an exchanged layer differs between the homes, and
        `rise_after_one_epoch` of the layer with the highest, both in nats.
    """
    means = {name: pair_mean(each.mean("end")) for name, each in by_group(rises).items()}
    train = {name: each.sel(split="train") for name, each in means.items()}
    exchanged = rises.sel(step="exchange", split="train", group="single")
    return {
        "group_rise": {name: each.sel(step="midpoint") for name, each in means.items()},
        "random_rise": {name: each.sel(step="random") for name, each in train.items()},
        "exchange_rise": {name: each.sel(step="exchange") for name, each in train.items() if name.startswith("single")},
        "home_difference": pair_mean(abs(exchanged.diff("end").squeeze("end")).mean("layer")),
        "rise_after_one_epoch": pair_mean(by_lag.sel(lag="1")).max("layer"),
    }


def claims_about_layers(rises: xr.DataArray, by_lag: xr.DataArray) -> ClaimTable:
    """The chapter's statements about single layers and groups of layers, with their outcomes.

    Args:
        rises: from `group_rises`.
        by_lag: from `single_rise_by_lag`.
    """
    both = by_group(rises.mean("end"))
    every, above_sum = both["all"], both["all"] - both["single_sum"]
    with_later = every - both.get("from_input_2", np.nan)  # with two layers there are no later ones
    train, midpoint = {"split": "train"}, {"step": "midpoint"}
    random = {"step": "random", **train}
    single = rises.sel({"group": "single", **train}, drop=True).isel(fork_epoch=[0])
    alone = single.mean("end")
    exchanged = single.sel(step="exchange", drop=True).assign_coords(end=["first", "second"]).rename(end="home")
    averaged = every.sel(midpoint | train, drop=True)
    later = by_lag.sel(lag="1", drop=True).isel(fork_epoch=slice(1, None))
    evidence = {
        "Layers compensate for each other: at every fork, all together raise the loss by less than the sum of what "
        "each raises alone, on training and on test samples.": (
            NEGATIVE,
            intervals(above_sum.sel(midpoint, drop=True), "nats", label="all less the sum"),
        ),
        "Later layers compensate for earlier ones: at every fork, the loss rises less if all layers move than if only "
        "the first two do, on training and on test samples.": (
            NEGATIVE,
            intervals(with_later.sel(midpoint, drop=True), "nats", label="all less layers 1 and 2"),
        ),
        "Random steps of the same length do not compensate: at every fork, all layers together raise the training loss "
        "by more than the sum of what each raises alone.": (
            POSITIVE,
            intervals(above_sum.sel(random, drop=True), "nats", label="all less the sum"),
        ),
        "If all layers move, the step towards the sibling raises the training loss by less than a random step of the "
        "same length, at every fork.": (
            NEGATIVE,
            intervals(averaged - every.sel(random, drop=True), "nats", label="less a random step"),
        ),
        "If one layer moves, between siblings of the first fork, the step raises the training loss by more than a "
        "random step of the same length, for each layer.": (
            POSITIVE,
            intervals(
                alone.sel(midpoint, drop=True) - alone.sel(step="random", drop=True), "nats", label="less a random step"
            ),
        ),
        "Between siblings of the first fork, exchanging a layer costs more than averaging all: for each layer, with "
        "either sibling as home, the training loss rises more.": (
            POSITIVE,
            intervals(exchanged - averaged, "nats", label="exchanged less all averaged"),
        ),
        "One epoch after every later fork, moving any layer to the midpoint lowers the training loss.": (
            NEGATIVE,
            intervals(later, "nats"),
        ),
    }
    return ClaimTable(tuple(Claim(statement, (requirement,)) for statement, requirement in evidence.items()))
