"""The chapter on when stability begins: its parameters, and what tables of sweeps over `one_boundary` say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from scipy import stats

from lmc_utils.chapters.stability_onset_experiment import OnsetExperiment
from lmc_utils.formatting import plain_number
from lmc_utils.measure import stability_onset
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Interval, Rule, intervals
from lmc_utils.measure.statistics import bounds
from lmc_utils.settings import ParameterError, Settings, above, at_least, between, each, one_of, parameter

LEARNT_BELOW = 50.0  # percent: a network that ends with more train errors has not learnt, and is left out
LABEL_NUMBERS: dict[str, Callable[[Any], float]] = {  # what a label of a swept parameter counts
    "depth": lambda widths: len(json.loads(widths)),
    "width": lambda widths: json.loads(widths)[0],
}
POSITIVE, NEGATIVE = Rule("above", 0.0), Rule("below", 0.0)  # a rank correlation has a direction
FAR_FROM_FITTED = Rule("at least", 20.0)  # percent of the training samples
WITHIN_ONE_EPOCH = Rule("above", -1.0), Rule("below", 1.0)  # forks are an epoch apart where they are densest
EQUAL_RATIO = (0.025, 256), (0.05, 128), (0.2, 32)  # rates with batches of 64, batches with a rate of 0.1
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


def directions(values: xr.DataArray) -> xr.DataArray:
    """The rank correlation of each network's onsets with the axis that they are on.

    Values at which the network failed to train (NaN) are left out.

    Args:
        values: onsets with the dimension parent and that of the axis.

    Returns:
        The dimensions parent and pair, of length 1, as `statistics.bounds` takes them; NaN where a network has the same
        onset everywhere.

    >>> coords = {"parent": [0, 1], "rate": [0.1, 0.2, 0.4]}
    >>> directions(xr.DataArray([[1.0, 2.0, 4.0], [3.0, 2.0, np.nan]], coords)).values.round(9).tolist()
    [[1.0], [-1.0]]
    """
    (axis,) = set(values.dims) - {"parent"}
    rows = values.transpose("parent", axis).values
    found = [_rank_correlation(values[axis].values, onsets) for onsets in rows]
    return xr.DataArray(found, dims="parent").expand_dims("pair", -1)


def direction_table(axes: Mapping[str, xr.DataArray]) -> str:
    """A table in Markdown: for each axis the mean rank correlation of onset and value, and its 95 % interval."""
    rows = ["| axis | rank correlation of the onset, mean of the networks |", "| --- | --- |"]
    for name, values in axes.items():
        (found,) = intervals(directions(values), "")
        rows.append(f"| {name} | {found.describe(Rule('above', 0.0))} |")
    return "\n".join(rows)


def claims(axes: Mapping[str, xr.Dataset], residual: Mapping[str, xr.Dataset]) -> ClaimTable:
    """The chapter's statements about what moves the onset of stability, with their outcomes.

    Args:
        axes: of the tables in `TABLES`.
        residual: of those in `RESNET8_TABLES`.
    """

    def direction(name: str, label: str, of: Mapping[str, xr.Dataset]) -> tuple[Interval, ...]:
        return intervals(directions(of[name].begins), "", label=label)

    def at_equal_ratio(of: Mapping[str, xr.Dataset], pairs: tuple[tuple[float, int], ...]) -> tuple[Interval, ...]:
        rates, batches = of["learning rate"].begins, of["batch size"].begins
        return tuple(
            intervals(
                (rates.sel(learning_rate=rate) - batches.sel(batch_size=batch)).expand_dims("pair"), "epochs",
                label=f"onset at rate {rate:g} less that at batch size {batch}",
            )[0]
            for rate, batch in pairs
        )  # fmt: skip

    ranks = "mean rank correlation"
    rate = (
        *direction("learning rate", f"perceptron, {ranks}", axes),
        *direction("learning rate", f"ResNet-8, {ranks}", residual),
    )
    errors = np.concatenate([axis.error_there.mean("parent").values for axis in axes.values()])
    fitted = Cases("mean training error at the onset", tuple(errors[np.isfinite(errors)].tolist()), "%")
    perceptron, resnet8 = at_equal_ratio(axes, EQUAL_RATIO), at_equal_ratio(residual, RESNET8_EQUAL_RATIO)
    return ClaimTable(
        (
            Claim("The larger the learning rate, the later stability begins.", ((POSITIVE, rate),)),
            Claim(
                "The larger the batch, the sooner stability begins.",
                ((NEGATIVE, direction("batch size", ranks, axes)),),
            ),
            Claim(
                "The more training samples, the later stability begins.",
                ((POSITIVE, direction("training samples", ranks, axes)),),
            ),
            Claim(
                "The deeper the perceptron, the later stability begins.", ((POSITIVE, direction("depth", ranks, axes)),)
            ),
            Claim(
                "The wider the perceptron, the sooner stability begins.", ((NEGATIVE, direction("width", ranks, axes)),)
            ),
            Claim(
                "Stability comes before the data are fitted: in the mean over networks, at least a fifth of the "
                "training samples is wrong at the onset, at every value of every axis of the perceptron.",
                ((FAR_FROM_FITTED, (fitted,)),),
            ),
            Claim(
                "In the perceptron learning rate and batch size act through their ratio alone: at equal ratio, the "
                "onsets lie within one epoch.",
                tuple((rule, perceptron) for rule in WITHIN_ONE_EPOCH),
            ),
            Claim(
                "In ResNet-8 they do so, too: at equal ratio, the onsets lie within one epoch.",
                tuple((rule, resnet8) for rule in WITHIN_ONE_EPOCH),
            ),
        )
    )


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
        "quarter_rate": rate.sel(learning_rate=RESNET8_EQUAL_RATIO[0][0]),
        "quarter_batch": batch.sel(batch_size=RESNET8_EQUAL_RATIO[0][1]),
        "error_there": axes["learning rate"].error_there.mean("parent")[-1],
        "small_batch": batch[0],
        "large_batch": batch[-1],
    }


def _rank_correlation(axis: np.ndarray[Any, Any], onsets: np.ndarray[Any, Any]) -> float:
    known = np.isfinite(onsets)
    spread = len(np.unique(onsets[known])) > 1
    return float(stats.spearmanr(axis[known], onsets[known]).statistic) if spread else np.nan


def rate_at(rate: xr.DataArray, fraction: xr.DataArray) -> xr.DataArray:
    """The learning rate after a fraction of training: a cosine takes it from its first value to zero.

    >>> float(rate_at(xr.DataArray(0.2), xr.DataArray(0.5)).round(12))
    0.1
    """
    return rate * (1 + fraction.copy(data=np.cos(np.pi * fraction.values))) / 2
