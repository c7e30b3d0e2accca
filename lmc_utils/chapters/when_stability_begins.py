"""The chapter on when stability begins: its parameters, and what tables of sweeps over `one_boundary` say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from lmc_utils.chapters.stability_onset_experiment import OnsetExperiment
from lmc_utils.formatting import plain_number
from lmc_utils.measure import stability_onset
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.settings import ParameterError, Settings, above, at_least, between, each, one_of, parameter

LEARNT_BELOW = 50.0  # percent: a network that ends with more train errors has not learnt, and is left out
LABEL_NUMBERS: dict[str, Callable[[Any], float]] = {  # what a label of a swept parameter counts
    "depth": lambda widths: len(json.loads(widths)),
    "width": lambda widths: json.loads(widths)[0],
}
RESNET8_EQUAL_RATIO = (0.1, 256), (0.2, 128)  # batches with a rate of 0.4
TABLES = {  # of the chapter, by the names that their axes have in the text
    "learning rate": "stability_learning_rate",
    "batch size": "stability_batch_size",
    "training samples": "stability_train_samples",
    "weight decay": "stability_weight_decay",
    "width": "stability_width",
    "depth": "stability_depth",
}
RESNET8_TABLES = {"learning rate": "stability_resnet8_learning_rate", "batch size": "stability_resnet8_batch_size"}
_PARAMETERS = {"training samples": "train_samples", "depth": "widths", "width": "widths"}  # where names differ


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter reads, and the small sweep that it makes itself."""

    split: str = parameter("train", "split on which barriers are measured", one_of(("train", "test")))
    below: float = parameter(
        STABLE_BELOW, "error barrier below which siblings count as stable", above(0), unit="percentage points"
    )
    live_rates: tuple[float, ...] = parameter((0.05, 0.1, 0.2), "learning rates of the live sweep", each(above(0)))
    live_seeds: int = parameter(2, "seeds of the live sweep", at_least(1))
    live_epochs: int = parameter(20, "training epochs of the live sweep", between(4, 1000))
    live_samples: int = parameter(1000, "training samples of the live sweep", between(64, 4000))
    toy_pairs: int = parameter(500, "pairs of siblings in the toy landscape", at_least(10), bytes_each=400)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"live_rates": [0.1], "live_seeds": 1, "live_epochs": 12, "toy_pairs": 50}
    }

    def overview(self) -> dict[str, str]:
        """The experiment behind the tables, and what the live sweep changes in it, see `Settings.overview`."""
        table = OnsetExperiment().overview()
        rates = ", ".join(f"{rate:g}" for rate in self.live_rates)
        live = f"{self.live_epochs} epochs, {self.live_samples:,} samples, learning rates {rates}"
        return table | {
            "parents": "one for each dot of a figure; every table changes one of the above",
            "live sweep": f"{live}, {self.live_seeds} parents each",
        }

    def live_points(self) -> list[dict[str, Any]]:
        """The points of the sweep that the chapter makes, for `running.sweeps.sweep`."""
        forks = sorted({0, 1, 2, 3, *(self.live_epochs * tenths // 10 for tenths in (2, 4, 6, 10))})
        shared = {"epochs": self.live_epochs, "train_samples": self.live_samples, "fork_epochs": forks}
        seeds = range(self.live_seeds)
        return [{"learning_rate": rate, "seed": seed, **shared} for rate in self.live_rates for seed in seeds]


def onset_along_axis(name: str, table: xr.Dataset, plan: Parameters) -> xr.Dataset:
    """As `onset_along_parameter`, by the name that an axis has in the text, such as "batch size".

    Values are on the last dimension.
    """
    parameter = _PARAMETERS.get(name, name.replace(" ", "_"))
    kind = name if name in LABEL_NUMBERS else ""
    return onset_along_parameter(table, parameter, plan.split, below=plan.below, kind=kind)


def default_onset(table: xr.Dataset, plan: Parameters, split: str) -> xr.DataArray:
    """The onset of each network with the default learning rate, on a split that the plan need not have."""
    begins: xr.DataArray = onset_along_axis("learning rate", table, replace(plan, split=split)).begins
    return begins.sel(learning_rate=0.1)


def onset_along_parameter(
    table: xr.Dataset, parameter: str, split: str, *, below: float = STABLE_BELOW, kind: str = ""
) -> xr.Dataset:
    """When stability begins along one axis of a sweep.

    Args:
        table: of a sweep over `parameter` and `seed`; other parameters have one value each.
        parameter: what was swept.
        split: the samples on which the barrier is measured.
        below: the bound of Frankle et al. (2020), in percentage points of error.
        kind: how to read a label, one of `LABEL_NUMBERS`; by default it is a number.

    Returns:
        With the dimensions `parameter` (its values as numbers; named `kind`, where there is one), `parent` (a seed
        each) and `fork_epoch`: `barrier` (points), `begins` (epochs; NaN where the network has not learnt, see
        `LEARNT_BELOW`), `share` (the same as a fraction of all epochs), `steps` (the same in steps), `error_there` (the
        parent's train error at that moment, percent), `learnt`.

    Raises:
        ParameterError: the table is not one of such a sweep.
    """
    swept = {parameter, "seed"} <= set(map(str, table.dims))
    if not swept:
        raise ParameterError(
            f"table must be a sweep over {parameter} and seed (its dimensions: {', '.join(map(str, table.dims))})"
        )
    spare = [name for name in table.dims if name not in (parameter, "seed")]
    table = table.squeeze(spare).rename(seed="parent").transpose(parameter, "parent")
    if kind:
        values = [LABEL_NUMBERS[kind](label) for label in table[parameter].values]
        table = table.assign_coords({parameter: values}).rename({parameter: kind})
    barrier, error = by_fork(table, f"error_barrier_{split}"), by_fork(table, "train_error_at")
    learnt = table.final_error_train < LEARNT_BELOW
    begins = stability_onset.stable_from(barrier, below).where(learnt)
    with np.errstate(invalid="ignore"):
        steps_an_epoch = (table[f"stable_from_step_{split}"] / table[f"stable_from_{split}"]).median("parent")
    return xr.Dataset(
        {
            "barrier": barrier,
            "begins": begins,
            "share": begins / float(barrier.fork_epoch[-1]),
            "steps": (steps_an_epoch * begins).where(begins != 0, 0.0).where(learnt),
            "error_there": stability_onset.at_fork(error, begins),
            "learnt": learnt,
        },
        attrs=table.attrs,
    )


def by_fork(table: xr.Dataset, name: str, suffix: str = "") -> xr.DataArray:
    """The numbers NAME_fork_0, NAME_fork_1 ... of a table as one array with a dimension `fork_epoch`, the last one.

    Args:
        table: of a sweep.
        name: of the numbers.
        suffix: what follows the fork epoch in their names, such as `_parent_0`.

    Raises:
        ParameterError: there are none.

    >>> by_fork(xr.Dataset({"b_fork_10": 1.0, "b_fork_2": 3.0}), "b").values.tolist()
    [3.0, 1.0]
    """
    named = re.compile(rf"{re.escape(name)}_fork_([\d.]+){re.escape(suffix)}")
    columns = {plain_number(float(fork[1])): key for key in table if (fork := named.fullmatch(str(key)))}
    if not columns:
        raise ParameterError(f"table has no numbers named {name}_fork_0{suffix}, {name}_fork_1{suffix}, ...")
    forks = sorted(columns)
    joined = xr.concat([table[columns[fork]] for fork in forks], xr.Variable("fork_epoch", forks))
    return joined.transpose(..., "fork_epoch").rename(name)
