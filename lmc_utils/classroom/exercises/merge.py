"""Exercises on the reader's own checkpoints: which can be averaged, and what they contain besides weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from lmc_utils import connect
from lmc_utils.classroom.answer_feedback import Exercise, Part
from lmc_utils.classroom.example_classifiers import classifiers
from lmc_utils.classroom.number_answers import Array
from lmc_utils.measure.barriers import STABLE_BELOW

_NUMBERS = np.random.default_rng(0)
_TENSORS = (
    *((_NUMBERS.normal(size=shape), _NUMBERS.normal(size=shape)) for shape in ((3,), (2, 4))),
    (np.array(360), np.array(451)),
)
_MERGES = tuple((*_NUMBERS.normal(size=(3, 4)), scale) for scale in (0.0, 0.5, 1.0, 0.3))


@cache
def _report(of: str = "other", batchnorm: str = "reestimate", align: bool = False, train: bool = False) -> Any:
    networks = classifiers()
    second = networks.other if of == "other" else networks.second
    samples = networks.train if train else networks.test
    options: dict[str, Any] = {"batchnorm": batchnorm, "estimated_on": networks.train, "align": align}
    return connect.pair(networks.first, second, samples, **options)


def _barrier(**options: Any) -> float:
    """The error barrier in points between the first network and another, see `_report`."""
    return float(_report(**options).error_barrier)


def _stable_pairs() -> str:
    stable = [_barrier(of=of) < STABLE_BELOW for of in ("second", "other")]
    return {(True, False): "first and second", (False, True): "first and other"}.get(
        (stable[0], stable[1]), "all of them"
    )


def _count_numbers(buffers: bool = True, counters: bool = True, trained: bool = False) -> float:
    network = classifiers().first
    weights = sum(value.numel() for value in network.parameters())
    beside = sum(value.numel() for value in network.buffers() if counters or value.is_floating_point())
    return float(beside * buffers + weights * trained)


def _average(first: Any, second: Any) -> Any:
    mean = (np.asarray(first) + np.asarray(second)) / 2
    return np.asarray(first) if np.issubdtype(np.asarray(first).dtype, np.integer) else mean


def _merged(factor: float = 1.0, start_weight: float = 1.0, second: float = 1.0) -> Callable[..., Array]:
    def merge(start: Any, one: Any, two: Any, scale: float) -> Array:
        change = (one - start_weight * start) + second * (two - start_weight * start)
        merged: Array = start + factor * scale * change
        return merged

    return merge


def _removed_fraction(**options: Any) -> float:
    return 1 - _barrier(align=True, **options) / _barrier(**options)


EXERCISES = {
    "merge-1": Exercise(
        _stable_pairs,
        "They share a start and little else: neither the order of the samples nor the noise.",
        {
            "Both have learned the task equally well. But did they learn it with the same units?": "first and other",
            "Do all of them have a start in common?": "all of them",
        },
        choices=("first and second", "first and other", "all of them"),
    ),
    "merge-2": Exercise(
        _average,
        "A checkpoint also holds counters: a number of batches has no average, and a trained network does not use it.",
        {
            "That is right for weights. What becomes of a counter, a whole number?": lambda first, second: (
                np.add(first, second) / 2
            ),
            "That is the sum of both, and a network with weights twice as large.": lambda first, second: (
                _average(first, second) * (1 if np.issubdtype(np.asarray(first).dtype, np.integer) else 2)
            ),
            "The counter of the *first* is kept, not that of the second.": lambda first, second: (
                _average(second, first)
                if np.issubdtype(np.asarray(first).dtype, np.integer)
                else _average(first, second)
            ),
            "// rounds down. The mean of two weights is rarely a whole number.": lambda first, second: (
                np.asarray(first) if np.issubdtype(np.asarray(first).dtype, np.integer) else np.add(first, second) // 2
            ),
            "That is the first network, unchanged.": lambda first, second: np.asarray(first),
        },
        test_inputs=_TENSORS,
        parts={"weights": Part((0, 1)), "whole numbers": Part((0, 2))},
    ),
    "merge-3": Exercise(
        _count_numbers,
        "Two normalisation layers: each keeps a mean and a variance per unit, and one counter.",
        {
            "Those are all the numbers in the file. Which of them were not trained?": lambda: _count_numbers(
                trained=True
            ),
            "Those were trained: they are the network's parameters.": lambda: _count_numbers(
                buffers=False, trained=True
            ),
            "Those are arrays. How many numbers are in them?": lambda: float(len(list(classifiers().first.buffers()))),
            "Those are only the means, or only the variances.": lambda: _count_numbers(counters=False) / 2,
            "Nearly. What does a normalisation layer count?": lambda: _count_numbers(counters=False),
        },
        tolerance=1e-6,
    ),
    "merge-4": Exercise(
        _merged(),
        "With a factor of one half it is the average of both; with a factor of one, both changes in full.",
        {
            "The changes are measured from the start. Yours are measured from zero.": _merged(start_weight=0.0),
            "Yours goes half as far: it takes the mean of both changes instead of their sum.": _merged(0.5),
            "The start is missing: that is only the change.": lambda start, one, two, scale: (
                _merged()(start, one, two, scale) - start
            ),
            "The second change is missing.": _merged(second=0.0),
            "The second change has the wrong sign: that network is forgotten rather than added.": _merged(second=-1.0),
        },
        test_inputs=_MERGES,
    ),
    "merge-5": Exercise(
        _barrier,
        "Each of the two makes few errors; the networks between them make many.",
        {
            "Your statistics were interpolated, not re-estimated.": lambda: _barrier(batchnorm="interpolate"),
            "Those are the statistics of each network in turn, not re-estimated ones.": lambda: _barrier(
                batchnorm="keep"
            ),
            "That is the error at the midpoint, not its height above the ends.": lambda: float(
                _report().error.sel(alpha=0.5)
            ),
            "That is the pair from one start.": lambda: _barrier(of="second"),
            "You have measured on the samples that they were trained on.": lambda: _barrier(train=True),
            "That is the barrier of the loss, in nats.": lambda: float(_report().loss_barrier),
        },
    ),
    "merge-6": Exercise(
        _removed_fraction,
        "Most of the barrier between the two networks was due to their permutation.",
        {
            "Those are points. Which fraction of the barrier is it?": lambda: _barrier() - _barrier(align=True),
            "That is the barrier after permuting, in points.": lambda: _barrier(align=True),
            "That is the barrier before permuting, in points.": _barrier,
            "That is the pair from one start.": lambda: _removed_fraction(of="second"),
            "Your statistics were interpolated, not re-estimated.": lambda: _removed_fraction(batchnorm="interpolate"),
            "That fraction is left. Which one is removed?": lambda: 1 - _removed_fraction(),
        },
    ),
}
