"""Functional similarity of two networks: whether they predict the same classes, and have similar hidden layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import xarray as xr

from lmc_utils.measure.labelled_arrays import Coords, Quantity, blank
from lmc_utils.measure.linear_cka import LinearCKA
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import Interrupted
from lmc_utils.measure.predictions import Predictions
from lmc_utils.progress import bar

__all__ = ["functional_similarity"]

CONSTANT = "the last hidden layer of a network is the same for all samples up to rounding, or not finite"


def functional_similarity(pairs: Pairs, *, splits: Sequence[str] | str | None = None) -> xr.Dataset:
    """Disagreement of the predicted classes, and linear CKA of the last hidden layers, of each pair of networks.

    The last hidden layer is the input of the last linear layer that is called, whose outputs must be the logits. Two
    networks that differ only by a permutation of hidden units have a disagreement of 0 and a CKA of 1. The networks
    have the same running statistics as at the ends of a line.

    Args:
        pairs: the networks; a third point is ignored.
        splits: names of the samples; all by default.

    Returns:
        With the dimensions split and those of the pairs: `disagreement`, the percentage of samples for which the two
        networks predict different classes; `both_wrong`, the percentage that both misclassify; and `cka`, see
        `linear_cka.LinearCKA`. NaN where there is no pair, or where an output is NaN. If `cka` is undefined, it is NaN,
        and its attribute `undefined` gives the reason.

    Raises:
        ParameterError: an unknown split, or networks that are no classifiers: outputs other than (samples, classes), or
            targets other than integers.
        points.Interrupted: the measurement was interrupted; it holds the pairs measured so far.

    >>> from lmc_utils.measure.pairs import between
    >>> from lmc_utils.networks import layers
    >>> network = torch.nn.Sequential(layers.Linear(1, 2, 3), torch.nn.Tanh(), layers.Linear(1, 3, 2))
    >>> samples = {"test": (torch.randn(9, 2), torch.zeros(9, dtype=torch.int64))}
    >>> theta = torch.randn(1, 17)
    >>> same = functional_similarity(between(network, theta, theta, samples=samples))
    >>> same.disagreement.dims, same.disagreement.item(), round(same.cka.item(), 6)
    (('split', 'pair'), 0.0, 1.0)
    """
    evaluator, named = pairs.evaluator, pairs.require_splits(splits)
    coords: Coords = {"split": named, **pairs.coords}
    dims = tuple(coords)
    quantities = {
        "disagreement": Quantity(dims, "percent", "samples for which two networks predict different classes"),
        "both_wrong": Quantity(dims, "percent", "samples that both networks misclassify"),
        "cka": Quantity(dims, "", "linear CKA of the last hidden layers"),
    }
    found, both = blank(coords, quantities, pairs.attributes), Mixtures(torch.eye(2, dtype=torch.float64))
    try:
        for place, corners in bar(pairs, "comparing networks", unit="pair", total=len(pairs)):
            ends = evaluator.select(corners, [0, 1])
            for row, split in enumerate(named):
                values, undefined = _compared(evaluator.predictions(ends, both, split))
                for name, value in zip(quantities, values, strict=True):
                    found[name].values[(row, *place)] = value
                if undefined:
                    found.cka.attrs["undefined"] = f"NaN where {undefined}"
    except KeyboardInterrupt as stop:
        raise Interrupted(found) from stop
    return found


def _compared(batches: Iterable[Predictions]) -> tuple[tuple[float, float, float], str]:
    """Disagreement, both wrong and CKA of two networks, and the reason if the last is NaN."""
    counts, samples, unknown, similarity = torch.zeros(2, dtype=torch.float64), 0, "", LinearCKA()
    for logits, labels, features, reason in batches:
        first, second = logits.argmax(-1)
        events = torch.stack([first != second, (first != labels) & (second != labels)])
        counts += events.sum(1).cpu() + (torch.nan if bool(logits.isnan().any()) else 0)
        samples += len(labels)
        unknown = unknown or reason
        if features is not None and not unknown:
            similarity.add(*features)
    disagreement, both_wrong = (100 * counts / samples).tolist()
    cka = float("nan") if unknown else similarity.value()
    return (disagreement, both_wrong, cka), unknown or (CONSTANT if cka != cka else "")
