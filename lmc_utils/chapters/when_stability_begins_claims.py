"""The claims of the chapter on when stability begins, and the direction in which each parameter moves the onset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from lmc_utils.chapters.when_stability_begins import RESNET8_EQUAL_RATIO
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Interval, Rule, intervals

POSITIVE, NEGATIVE = Rule("above", 0.0), Rule("below", 0.0)  # a rank correlation has a direction
FAR_FROM_FITTED = Rule("at least", 20.0)  # percent of the training samples
WITHIN_ONE_EPOCH = Rule("above", -1.0), Rule("below", 1.0)  # forks are an epoch apart where they are densest
EQUAL_RATIO = (0.025, 256), (0.05, 128), (0.2, 32)  # rates with batches of 64, batches with a rate of 0.1


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


def _rank_correlation(axis: np.ndarray[Any, Any], onsets: np.ndarray[Any, Any]) -> float:
    known = np.isfinite(onsets)
    spread = len(np.unique(onsets[known])) > 1
    return float(stats.spearmanr(axis[known], onsets[known]).statistic) if spread else np.nan
