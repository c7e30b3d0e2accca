"""The chapter on residual networks with batch normalisation: its experiment, its parameters, its tables and claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from lmc_utils.forking import Experiment, result_tables
from lmc_utils.measure import barriers
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Claim, Interval, Rule, intervals
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.reductions import pair_mean
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.settings import Settings, at_least, odd_at_least, parameter, require, with_default

LABELS = {"reestimate": "re-estimated", "interpolate": "interpolated", "keep": "kept"}  # conventions, as in the text
HIGHER = Rule("above", 0.0)  # of a difference between two barriers
DECISIVE = Rule("at least", 10.0)  # points, a tenth of all samples: five times what separates stable from unstable
UNSTABLE, STABLE = Rule("at least", STABLE_BELOW), Rule("below", STABLE_BELOW)


@dataclass(frozen=True, kw_only=True)
class ResidualExperiment(Experiment):
    """An experiment with the defaults of the chapter on residual networks with batch normalisation.

    >>> ResidualExperiment(norm="group")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: norm must be 'batch' in this chapter, which compares batch-norm ...
    """

    architecture: str = with_default(Experiment, "architecture", "resnet8")
    widths: tuple[int, ...] = with_default(Experiment, "widths", (8,))
    norm: str = with_default(Experiment, "norm", "batch")
    learning_rate: float = with_default(Experiment, "learning_rate", 0.4)
    epochs: int = with_default(Experiment, "epochs", 20)
    parents: int = with_default(Experiment, "parents", 3)

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "smoke": {"epochs": 16, "parents": 2, "widths": [4], "train_samples": 256},
        "paper": Experiment.PRESETS["paper"] | {"learning_rate": 0.1},
    }

    def check(self) -> None:
        require(
            self.norm == "batch", "norm", "'batch' in this chapter, which compares batch-norm statistics", self.norm
        )


@dataclass(frozen=True)
class Parameters(Settings):
    """What the chapter measures."""

    alphas: int = parameter(9, "evenly spaced points from one sibling to the other", odd_at_least(3), bytes_each=64)
    few_samples: int = parameter(
        1000, "training samples for costly measurements (during training, curvature, layer-wise)", at_least(2)
    )

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"alphas": 3, "few_samples": 64}}

    def line(self) -> LineGrid:
        """The line from one sibling to the other."""
        return LineGrid(alphas=self.alphas, alpha_range=(0.0, 1.0))

    def few(self, pairs: Pairs) -> Pairs:
        """The same pairs, to be measured on the first of their training samples only."""
        return replace(pairs, evaluator=require_stacked(pairs).with_few_samples(self.few_samples))


def error_barriers(lines: Mapping[str, xr.Dataset]) -> xr.DataArray:
    """The error barrier under each convention for the statistics of batch normalisation.

    Where each network's own statistics are kept in turn, it is the mean of both barriers, not the barrier of the mean.

    Args:
        lines: what `lines.line` measured, by convention.

    Returns:
        Dimensions batchnorm and those of the pairs.
    """
    result = []
    for convention, line in lines.items():
        curves = line if convention == "keep" else line[["error"]]
        result.append(barriers.of_each_statistics(barriers.error_barrier, curves, "error"))
    return xr.concat(result, xr.Variable("batchnorm", list(lines)))


def barrier_numbers(barrier: xr.DataArray) -> dict[str, xr.DataArray]:
    """The mean `error_barrier` by convention; the `lowest` and `highest` pair where statistics are re-estimated."""
    reestimated = barrier.sel(batchnorm="reestimate")
    return {
        "error_barrier": pair_mean(barrier),
        "lowest": reestimated.min(["parent", "pair"]),
        "highest": reestimated.max(["parent", "pair"]),
    }


def labelled(values: xr.DataArray) -> xr.DataArray:
    """The same values, with the conventions by their `LABELS`."""
    return values.assign_coords(batchnorm=[LABELS[name] for name in values.batchnorm.values])


def next_to_other(error_kept: xr.DataArray) -> xr.DataArray:
    """The mean error next to the sibling whose statistics are not the ones in use, by fork epoch.

    Args:
        error_kept: on the line, with the dimensions kept and alpha and those of the pairs, as `points.measure` has it.
    """
    first = error_kept.sel(kept="first", drop=True).isel(alpha=-2, drop=True)
    second = error_kept.sel(kept="second", drop=True).isel(alpha=1, drop=True)
    return pair_mean((first + second) / 2)


def by_network(barrier: xr.DataArray) -> xr.DataArray:
    """The barriers of the table `resnet8_norms` with a first dimension `network`, such as "batch, rate 0.1"."""
    stacked = barrier.stack(network=["norm", "learning_rate"]).transpose("network", ...)
    labels = [f"{norm}, rate {rate:g}" for norm, rate in stacked.network.values]
    return stacked.drop_vars(["network", "norm", "learning_rate"]).assign_coords(network=labels)


def by_norm_and_rate(norms: xr.Dataset) -> dict[str, Any]:
    """What the table `resnet8_norms` says of each normalisation at its low and its high learning rate.

    Returns:
        The `barrier` by fork epoch and the networks' own `error` by split, by names such as `group_low_barrier`;
        `batch_rates`, by what factor the high rate raises the barrier of forks at the start under batch normalisation;
        and the highest mean barrier of the last fork, `last_fork_highest`.
    """
    barrier = pair_mean(barriers.error_barrier(norms.error.sel(split="train")))
    error = norms.error.sel(alpha=[0, 1]).mean(["alpha", "fork_epoch", "parent", "pair"])
    batch = barrier.sel(norm="batch", fork_epoch=0).values
    result: dict[str, Any] = {
        "batch_rates": batch[1] / batch[0],
        "last_fork_highest": float(barrier.isel(fork_epoch=-1).max()),
    }
    for norm in norms.norm.values:
        for rate, name in zip(norms.learning_rate.values, ("low", "high"), strict=True):
            at = {"norm": norm, "learning_rate": rate}
            result[f"{norm}_{name}"] = {"barrier": barrier.sel(at), "error": error.sel(at)}
    return result


def difference_to_table(barrier: xr.DataArray, norms: xr.DataArray) -> float:
    """By how many points the mean barriers of the table's row "batch, 0.4" differ at most from those of this page.

    Arguments as for `claims`. Fork epochs that only one of them has are left out.
    """
    row = norms.sel(norm="batch", learning_rate=ResidualExperiment().learning_rate)
    return float(abs(pair_mean(row) - pair_mean(barrier.sel(batchnorm="reestimate"))).max())


def claims(barrier: xr.DataArray, norms: xr.DataArray) -> ClaimTable:
    """The chapter's statements about conventions and normalisations, with their outcomes.

    Early are all fork epochs but the last.

    Args:
        barrier: from `error_barriers` (points).
        norms: the error barriers of the table `resnet8_norms`, statistics re-estimated (points).
    """
    forks = barrier.fork_epoch.values
    early = forks[:-1]
    reestimated = barrier.sel(batchnorm="reestimate", drop=True)

    def excess(how: str, at: np.ndarray[Any, Any]) -> tuple[Interval, ...]:
        found = (barrier.sel(batchnorm=how, drop=True) - reestimated).sel(fork_epoch=at)
        return intervals(found, "points", label=f"{LABELS[how]} less re-estimated")

    from_start = norms.sel(fork_epoch=0, drop=True)
    low, high = norms.learning_rate.values
    of_batch = from_start.sel(norm="batch", drop=True)
    others = tuple(
        piece
        for norm, words in (("group", "group normalisation"), ("none", "no normalisation"))
        for piece in intervals(
            (from_start.sel(norm=norm, drop=True) - of_batch).sel(learning_rate=low, drop=True), "points",
            label=f"barrier with {words} less that with batch normalisation",
        )
    )  # fmt: skip
    rates = of_batch.sel(learning_rate=high, drop=True) - of_batch.sel(learning_rate=low, drop=True)
    return ClaimTable(
        (
            Claim(
                "Between siblings of early forks the error barrier is higher with kept statistics than with "
                "re-estimated ones.",
                ((HIGHER, excess("keep", early)),),
            ),
            Claim(
                "It is higher with interpolated statistics than with re-estimated ones, too.",
                ((HIGHER, excess("interpolate", early)),),
            ),
            Claim(
                "The convention is decisive: between siblings forked after one epoch, kept statistics add at least "
                f"{DECISIVE.bound:g} points to the error barrier.",
                ((DECISIVE, excess("keep", forks[forks == 1])),),
            ),
            Claim(
                "With re-estimated statistics, siblings forked at initialisation are unstable (error barrier at least "
                f"{STABLE_BELOW:g} points), and those of the last fork are stable.",
                (
                    (UNSTABLE, intervals(reestimated.sel(fork_epoch=forks[forks == 0]), "points")),
                    (STABLE, intervals(reestimated.sel(fork_epoch=forks[-1:]), "points")),
                ),
            ),
            Claim(
                "With batch normalisation, four times the learning rate raises the error barrier between siblings "
                "forked at initialisation.",
                ((HIGHER, intervals(rates, "points", label=f"rate {high:g} less rate {low:g}")),),
            ),
            Claim(
                "At the smaller of the two rates, the error barrier between siblings forked at initialisation is lower "
                "with batch normalisation than with group normalisation or none.",
                ((HIGHER, others),),
            ),
        )
    )


def rise_by_kind(rise: xr.DataArray) -> xr.DataArray:
    """The mean rise of normalisations and of other layers, over pairs and the layers of each kind.

    Args:
        rise: with the dimensions parent, pair and layer, and any others; normalisations have "norm" in their name.

    Returns:
        The other dimensions, and `kind`: `norms` and `others`.
    """
    kinds = xr.DataArray(np.where(rise.layer.str.contains("norm"), "norms", "others"), dims="layer", name="kind")
    return pair_mean(rise.groupby(kinds).mean())


def about_fashion(table: xr.Dataset) -> dict[str, float]:
    """How the table `resnet8_fashion_mnist` was made, and the error of its networks, as the text quotes it."""
    experiment = result_tables.FASHION
    return {
        "error": float(table.error.sel(split="train", batchnorm="reestimate", alpha=[0, 1]).mean()),
        "samples": experiment.train_samples or 0,
        "parents": table.sizes["parent"],
        "epochs": experiment.epochs,
        "rate": experiment.learning_rate,
        "minutes": float(table.attrs["wall_time"].split()[0]) / 60,
    }
