"""The chapter on when stability begins: its parameters, and what tables of sweeps over `one_boundary` say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from lmc_utils.chapters.stability_onset_experiment import OnsetExperiment
from lmc_utils.measure import stability_onset
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.power_law import WITHIN, PowerLaw
from lmc_utils.measure.statistics import Bootstrap, Correlation, bounds
from lmc_utils.settings import Settings, above, at_least, between, each, one_of, parameter, require

LEARNT_BELOW = 50.0  # percent: a network that ends with more train errors has not learnt, and is left out
LABEL_NUMBERS: dict[str, Callable[[Any], float]] = {  # what a label of a swept parameter counts
    "depth": lambda widths: len(json.loads(widths)),
    "width": lambda widths: json.loads(widths)[0],
}
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


def spearman(values: xr.DataArray, bootstrap: Bootstrap) -> Correlation:
    """The rank correlation of the values with the axis that they stand on, with its interval over parents."""
    (axis,) = set(values.dims) - {"parent"}
    return bootstrap.correlation(values[axis].broadcast_like(values), values)


def onset_table_markdown(axes: Mapping[str, Correlation], laws: Mapping[str, PowerLaw]) -> str:
    """A table in Markdown: a row for each axis, with its rank correlation and its power law, or why there is none."""
    rows = ["| axis | rank correlation | power law |", "| --- | --- | --- |"]
    for name, law in laws.items():
        if law.holds:
            verdict = f"exponent {law.exponent:.2f} [{law.low:.2f}, {law.high:.2f}], within a factor of {law.worst:.2f}"
        elif np.isnan(law.exponent):
            verdict = "none: some values are zero"
        elif law.worst > WITHIN:
            verdict = f"none: the best one is off by a factor of {law.worst:.2f}"
        else:
            verdict = "none: a constant does as well"
        rank = axes[name]
        rows.append(f"| {name} | {rank.estimate:.2f} [{rank.low:.2f}, {rank.high:.2f}] | {verdict} |")
    return "\n".join(rows).replace(" -0", " −0").replace("[-", "[−").replace(", -", ", −")


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
    require(swept, "table", f"a sweep over {parameter} and seed", [str(name) for name in table.dims])
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


def by_fork(table: xr.Dataset, name: str) -> xr.DataArray:
    """The numbers NAME_fork_0, NAME_fork_1 ... of a table as one array with a dimension `fork_epoch`, the last one.

    Raises:
        ParameterError: there are none.

    >>> by_fork(xr.Dataset({"b_fork_10": 1.0, "b_fork_2": 3.0}), "b").values.tolist()
    [3.0, 1.0]
    """
    columns = {int(fork[1]): key for key in table if (fork := re.fullmatch(rf"{re.escape(name)}_fork_(\d+)", str(key)))}
    require(bool(columns), "table", f"numbers {name}_fork_0 and so on", [str(key) for key in table][:5])
    forks = sorted(columns)
    joined = xr.concat([table[columns[fork]] for fork in forks], xr.Variable("fork_epoch", forks))
    return joined.transpose(..., "fork_epoch").rename(name)


def ends_of_axis(values: xr.DataArray) -> dict[str, float]:
    """Means over parents at the first and at the last value of the axis at which any network has learnt.

    >>> both = ends_of_axis(xr.DataArray([[1.0, 3.0], [4.0, 4.0]], dims=["width", "parent"]))
    >>> both
    {'first': 2.0, 'last': 4.0}
    """
    learnt = values.dropna(values.dims[0], how="all").mean("parent")
    return {"first": float(learnt[0]), "last": float(learnt[-1])}


def onset_numbers(begins: Mapping[str, xr.DataArray]) -> dict[str, Any]:
    """What the chapter quotes of when stability begins, epochs, means over parents.

    Args:
        begins: of the axes in `TABLES`.

    Returns:
        `first` and `last` of each axis; `stable_from_default` with the ends of its interval; `onset_width_32`; and the
        range over weight decays up to 0.003, `decay_lowest` and `decay_highest`.
    """
    default = begins["learning rate"].sel(learning_rate=0.1)
    low, high = bounds(default.expand_dims("pair", -1)).values
    decays = begins["weight decay"].mean("parent").sel(weight_decay=slice(0.003))
    ends = {name: ends_of_axis(values) for name, values in begins.items()}
    return {
        "first": {name: both["first"] for name, both in ends.items()},
        "last": {name: both["last"] for name, both in ends.items()},
        "stable_from_default": {"": default.mean(), "low": low, "high": high},
        "decay_lowest": decays.min(),
        "decay_highest": decays.max(),
        "onset_width_32": begins["width"].sel(width=32).mean(),
    }


def progress_numbers(axes: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """What the chapter quotes of the steps until stability begins, and of the train error (percent) at that moment."""
    batch, samples = (axes[name].steps.mean("parent") for name in ("batch size", "training samples"))
    errors = [axis.error_there.mean("parent") for axis in axes.values()]
    return {
        "steps": {
            "largest_batch": batch[-1],
            "smallest_batch": batch[0],
            "fewest_samples": samples[1],  # with fewer networks do not learn
            "most_samples": samples[-1],
        },
        "error_there": {
            "default": axes["learning rate"].error_there.sel(learning_rate=0.1).mean("parent"),
            "lowest": min(float(error.min()) for error in errors),
            "highest": max(float(error.max()) for error in errors),
        },
    }


def equal_noise_numbers(axes: Mapping[str, xr.Dataset], noise: Mapping[str, xr.DataArray]) -> dict[str, Any]:
    """When stability begins where learning rate, batch size and samples give equal noise, and the noise left then.

    Args:
        axes: of the tables in `TABLES`.
        noise: at the start of training, by axis; 1 is the default.

    Returns:
        `onset` at noise 1/4 (`low`), 1/2 (`half`) and 2 (`high`) by `rate` and by `batch`, and with half and a quarter
        of the data; `noise_left` at the onset, as the cosine has taken the learning rate down.
    """

    def at(name: str, level: float, values: xr.DataArray) -> xr.DataArray:
        return values[int(abs(noise[name].values - level).argmin())]

    names = ("learning rate", "batch size", "training samples")
    rate, batch, data = ((name, axes[name].begins.mean("parent")) for name in names)
    left = {name: rate_at(noise[name], axes[name].share).mean("parent") for name in names[:2]}
    pairs = {
        f"{word}_{kind}": at(name, wanted, values)
        for word, wanted in (("low", 0.25), ("half", 0.5), ("high", 2.0))
        for kind, (name, values) in (("rate", rate), ("batch", batch))
    }
    return {
        "onset": pairs | {"half_data": at(data[0], 0.5, data[1]), "quarter_data": at(data[0], 0.25, data[1])},
        "noise_left": {
            "low": at("learning rate", 0.25, left["learning rate"]),
            "default": at("learning rate", 1.0, left["learning rate"]),
            "high_rate": at("learning rate", 2.0, left["learning rate"]),
            "high_batch": at("batch size", 2.0, left["batch size"]),
            "highest_batch": at("batch size", 4.0, left["batch size"]),
        },
    }


def resnet8_numbers(axes: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """What the chapter quotes of the onset of ResNet-8, and of its train error at the highest learning rate then."""
    rate, batch = (axes[name].begins.mean("parent") for name in RESNET8_TABLES)
    return {
        "first": rate[0],
        "last": rate[-1],
        "error_there": axes["learning rate"].error_there.mean("parent")[-1],
        "small_batch": batch[0],
        "large_batch": batch[-1],
    }


def rate_at(rate: xr.DataArray, fraction: xr.DataArray) -> xr.DataArray:
    """The learning rate after a fraction of training: a cosine takes it from its first value to zero.

    >>> float(rate_at(xr.DataArray(0.2), xr.DataArray(0.5)).round(12))
    0.1
    """
    return rate * (1 + fraction.copy(data=np.cos(np.pi * fraction.values))) / 2
