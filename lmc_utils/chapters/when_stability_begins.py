"""The chapter on when stability begins: its parameters, and what tables of sweeps over `one_boundary` say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from lmc_utils.measure import stability_onset
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.power_law import WITHIN, PowerLaw
from lmc_utils.measure.statistics import Bootstrap, Correlation
from lmc_utils.settings import Settings, above, at_least, between, each, one_of, parameter, require

LEARNT_BELOW = 50.0  # percent: a network that ends with more train errors has not learnt, and is left out
READ: dict[str, Callable[[Any], float]] = {  # what a label of a swept parameter counts
    "depth": lambda widths: len(json.loads(widths)),
    "width": lambda widths: json.loads(widths)[0],
}
_PARAMETERS = {"training samples": "train_samples", "depth": "widths", "width": "widths"}  # where names differ


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter reads, and the small sweep that it makes itself."""

    split: str = parameter("train", "the samples on which a barrier is measured", one_of(("train", "test")))
    below: float = parameter(STABLE_BELOW, "siblings below this error barrier are stable", above(0), unit="points")
    live_rates: tuple[float, ...] = parameter(
        (0.05, 0.1, 0.2), "learning rates of the sweep that the chapter makes", each(above(0))
    )
    live_seeds: int = parameter(2, "seeds of that sweep", at_least(1))
    live_epochs: int = parameter(20, "epochs of each of its points", between(4, 1000))
    live_samples: int = parameter(1000, "training samples of each of its points", between(64, 4000))
    toy_pairs: int = parameter(500, "pairs of walkers in the toy", at_least(10), bytes_each=400)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"live_rates": [0.1], "live_seeds": 1, "live_epochs": 12, "toy_pairs": 50}
    }

    def live_points(self) -> list[dict[str, Any]]:
        """The points of the sweep that the chapter makes, for `running.sweeps.sweep`."""
        forks = sorted({0, 1, 2, 3, *(self.live_epochs * share // 10 for share in (2, 4, 6, 10))})
        shared = {"epochs": self.live_epochs, "train_samples": self.live_samples, "fork_epochs": forks}
        seeds = range(self.live_seeds)
        return [{"learning_rate": rate, "seed": seed, **shared} for rate in self.live_rates for seed in seeds]


def along(name: str, table: xr.Dataset, plan: Parameters) -> xr.Dataset:
    """As `read`, by the name that an axis has in the text, such as "batch size"; values on its last dimension."""
    parameter = _PARAMETERS.get(name, name.replace(" ", "_"))
    return read(table, parameter, plan.split, below=plan.below, kind=name if name in READ else "")


def spearman(values: xr.DataArray, bootstrap: Bootstrap) -> Correlation:
    """The rank correlation of the values with the axis that they stand on, with its interval over parents."""
    (axis,) = set(values.dims) - {"parent"}
    return bootstrap.correlation(values[axis].broadcast_like(values), values)


def said(axes: Mapping[str, Correlation], laws: Mapping[str, PowerLaw]) -> str:
    """A table in Markdown: a row for each axis, with its rank correlation and its power law, or why there is none."""
    rows = ["| axis | rank correlation | power law |", "| --- | --- | --- |"]
    for name, law in laws.items():
        if law.holds:
            words = f"exponent {law.exponent:.2f} [{law.low:.2f}, {law.high:.2f}], within a factor of {law.worst:.2f}"
        elif np.isnan(law.exponent):
            words = "none: some values are zero"
        elif law.worst > WITHIN:
            words = f"none: the best one is off by a factor of {law.worst:.2f}"
        else:
            words = "none: a constant does as well"
        found = axes[name]
        rows.append(f"| {name} | {found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}] | {words} |")
    return "\n".join(rows).replace(" -0", " −0").replace("[-", "[−").replace(", -", ", −")


def read(table: xr.Dataset, parameter: str, split: str, *, below: float = STABLE_BELOW, kind: str = "") -> xr.Dataset:
    """When stability begins along one axis of a sweep.

    Args:
        table: of a sweep over `parameter` and `seed`; other parameters have one value each.
        parameter: what was swept.
        split: the samples on which the barrier is measured.
        below: the bound of Frankle et al. (2020), in percentage points of error.
        kind: how to read a label, one of `READ`; by default it is a number.

    Returns:
        With the dimensions `parameter` (its values as numbers; named `kind`, where there is one), `parent` (a seed
        each) and `fork_epoch`: `barrier` (points), `begins` (epochs; NaN where the network has not learnt, see
        `LEARNT_BELOW`), `share` (the same as a share of all epochs), `steps` (the same in steps), `error_there` (the
        parent's train error at that moment, percent), `learnt`.

    Raises:
        ParameterError: the table is not one of such a sweep.
    """
    swept = {parameter, "seed"} <= set(map(str, table.dims))
    require(swept, "table", f"a sweep over {parameter} and seed", [str(name) for name in table.dims])
    spare = [name for name in table.dims if name not in (parameter, "seed")]
    table = table.squeeze(spare).rename(seed="parent").transpose(parameter, "parent")
    if kind:
        values = [READ[kind](label) for label in table[parameter].values]
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


def by_fork(table: xr.Dataset, name: str) -> xr.DataArray:
    """The numbers NAME_fork_0, NAME_fork_1 ... of a table as one array with a dimension `fork_epoch`, the last one.

    Raises:
        ParameterError: there are none.

    >>> by_fork(xr.Dataset({"b_fork_10": 1.0, "b_fork_2": 3.0}), "b").values.tolist()
    [3.0, 1.0]
    """
    found = {int(fork[1]): key for key in table if (fork := re.fullmatch(rf"{re.escape(name)}_fork_(\d+)", str(key)))}
    require(bool(found), "table", f"numbers {name}_fork_0 and so on", [str(key) for key in table][:5])
    forks = sorted(found)
    joined = xr.concat([table[found[fork]] for fork in forks], xr.Variable("fork_epoch", forks))
    return joined.transpose(..., "fork_epoch").rename(name)


def rate_at(rate: xr.DataArray, share: xr.DataArray) -> xr.DataArray:
    """The learning rate after a share of training: a cosine takes it from its first value to zero.

    >>> float(rate_at(xr.DataArray(0.2), xr.DataArray(0.5)).round(12))
    0.1
    """
    return rate * (1 + share.copy(data=np.cos(np.pi * share.values))) / 2
