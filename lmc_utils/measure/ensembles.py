"""The average of the weights of several networks, compared with their ensemble and with the single networks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.measure.labelled_arrays import Coords, Quantity, blank
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import Interrupted
from lmc_utils.measure.predictions import Predictions
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError, require

__all__ = ["average_and_ensemble"]

CROSS_ENTROPY_ONLY = "predicted classes and probabilities are known for cross-entropy only"
ONE_SET = "reestimate or interpolate: an average has one set of running statistics"


def average_and_ensemble(groups: Pairs, *, splits: Sequence[str] | str | None = None) -> xr.Dataset:
    """Error and loss of the average of several networks, of their ensemble and of the single networks.

    The average has the mean of the weights of all networks, and running statistics by the convention of the groups. The
    ensemble has the mean of their probabilities (softmax). The best single network is the one with the lowest error on
    the training samples; of those with equal errors, the one with the lowest loss there.

    Args:
        groups: two networks or more at each place, see `Pairs.networks`.
        splits: names of the samples; all by default.

    Returns:
        With the dimensions split and those of the groups: `average_error` and `average_loss`, `ensemble_error` and
        `ensemble_loss`, `single_error` and `single_loss`, the means over the single networks, and `best_error` and
        `best_loss`, those of the best one. Errors are misclassified samples in percent, losses cross-entropies in nats.
        NaN where there is no group, or where a loss is NaN. The attribute `best_chosen_on` names the split on which the
        best network was chosen: `train`, or the first one if there is none of this name.

    Raises:
        ParameterError: an unknown split, the convention `keep`, a loss other than cross-entropy, or networks that are
            no classifiers, see `functional_similarity`.
        points.Interrupted: the measurement was interrupted; it holds the groups measured so far.

    >>> from lmc_utils.measure.pairs import between
    >>> from lmc_utils.networks.layers import Linear
    >>> samples = {"train": (torch.randn(9, 2), torch.zeros(9, dtype=torch.int64))}
    >>> found = average_and_ensemble(between(Linear(1, 2, 3), torch.ones(1, 9), torch.ones(1, 9), samples=samples))
    >>> round((found.average_loss - found.ensemble_loss).item(), 6)  # of two equal networks
    0.0
    """
    evaluator, named, count = groups.evaluator, groups.require_splits(splits), groups.networks
    require(not evaluator.keeps_statistics, "batchnorm", ONE_SET, "keep")
    if evaluator.quantities["loss"][0] != "nats":
        raise ParameterError(CROSS_ENTROPY_ONLY)
    chosen_on = "train" if "train" in evaluator.splits else evaluator.splits[0]
    measured = list(dict.fromkeys([*named, chosen_on]))
    single = torch.eye(count, dtype=torch.float64)
    points = Mixtures(torch.cat([single, single.mean(0, keepdim=True)]))
    coords: Coords = {"split": measured, **groups.coords, "network": count + 2}
    units = {"loss": "nats", "error": "percent"}
    scores = blank(coords, {name: Quantity(tuple(coords), unit) for name, unit in units.items()}, groups.attributes)
    try:
        for place, corners in bar(groups, "measuring ensembles", unit="group", total=len(groups)):
            members = evaluator.select(corners, list(range(count)))
            for row, split in enumerate(measured):
                both = _scores(evaluator.predictions(members, points, split))
                for name, values in zip(units, both, strict=True):
                    scores[name].values[(row, *place)] = values
    except KeyboardInterrupt as stop:
        raise Interrupted(_summary(scores, named, chosen_on)) from stop
    return _summary(scores, named, chosen_on)


def _scores(batches: Iterable[Predictions]) -> Tensor:
    """Mean loss (nats) and error (percent), (2, networks + 2), float64, of networks, their average and their ensemble.

    Args:
        batches: the predictions of the networks and, last, of their average.
    """
    total, samples = torch.zeros(()), 0
    for logits, labels, *_ in batches:
        logs = logits.double().log_softmax(-1)
        ensemble = logs[:-1].logsumexp(0, keepdim=True) - math.log(len(logs) - 1)
        logs = torch.cat([logs, ensemble])
        loss = -logs.gather(2, labels.expand(len(logs), -1)[..., None])[..., 0]
        wrong = (logs.argmax(-1) != labels) + torch.where(loss.isnan(), torch.nan, 0.0)
        total = total + torch.stack([loss.sum(1), 100 * wrong.double().sum(1)]).cpu()
        samples += len(labels)
    return total / samples


def _summary(scores: xr.Dataset, named: list[str], chosen_on: str) -> xr.Dataset:
    """The quantities of `average_and_ensemble`, from the scores of the networks, their average and their ensemble."""
    single = scores.isel(network=slice(-2))
    candidates = single.sel(split=chosen_on, drop=True)
    best: Any = np.lexsort((candidates.loss.values, candidates.error.values), axis=-1)[..., 0]
    found = {
        "average": scores.isel(network=-2),
        "ensemble": scores.isel(network=-1),
        "single": single.mean("network", skipna=False, keep_attrs=True),
        "best": single.isel(network=xr.DataArray(best, dims=candidates.error.dims[:-1])),
    }
    arrays = {
        f"{name}_{score}": each[score].sel(split=named) for name, each in found.items() for score in ("error", "loss")
    }
    return xr.Dataset(arrays, attrs={**scores.attrs, "best_chosen_on": chosen_on})
