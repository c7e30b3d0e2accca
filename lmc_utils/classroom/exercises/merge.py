"""Exercises on checkpoints of one's own: what may be averaged, and what else is in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from lmc_utils import connect
from lmc_utils.classroom.answer_feedback import Array, Exercise
from lmc_utils.classroom.example_classifiers import classifiers
from lmc_utils.measure.barriers import STABLE_BELOW

_NUMBERS = np.random.default_rng(0)
_TENSORS = (
    *((_NUMBERS.normal(size=shape), _NUMBERS.normal(size=shape)) for shape in ((3,), (2, 4))),
    (np.array(360), np.array(451)),
)
_MERGES = tuple((*_NUMBERS.normal(size=(3, 4)), share) for share in (0.0, 0.5, 1.0, 0.3))


@cache
def _report(of: str = "other", batchnorm: str = "reestimate", align: bool = False, train: bool = False) -> Any:
    networks = classifiers()
    second = networks.other if of == "other" else networks.second
    samples = networks.train if train else networks.test
    options: dict[str, Any] = {"batchnorm": batchnorm, "estimated_on": networks.train, "align": align}
    return connect.pair(networks.first, second, samples, **options)


def barrier(**options: Any) -> float:
    """The error barrier in points between the first network and another, see `_report`."""
    return float(_report(**options).error_barrier)


def _stable() -> str:
    found = [barrier(of=of) < STABLE_BELOW for of in ("second", "other")]
    return {(True, False): "first and second", (False, True): "first and other"}.get(
        (found[0], found[1]), "all of them"
    )


def _counted(kept: bool = True, counters: bool = True, trained: bool = False) -> float:
    network = classifiers().first
    weights = sum(value.numel() for value in network.parameters())
    beside = sum(value.numel() for value in network.buffers() if counters or value.is_floating_point())
    return float(beside * kept + weights * trained)


def _half(first: Any, second: Any) -> Any:
    mean = (np.asarray(first) + np.asarray(second)) / 2
    return np.asarray(first) if np.issubdtype(np.asarray(first).dtype, np.integer) else mean


def _merged(both: float = 1.0, from_start: float = 1.0, second: float = 1.0) -> Callable[..., Array]:
    def merge(start: Any, one: Any, two: Any, share: float) -> Array:
        moved = (one - from_start * start) + second * (two - from_start * start)
        found: Array = start + both * share * moved
        return found

    return merge


def _share() -> float:
    return 1 - barrier(align=True) / barrier()


EXERCISES = {
    "merge-1": Exercise(
        _stable,
        "A start in common, and little else: not the order of the samples, not the noise.",
        {
            "Both have learned the task equally well. But did they learn it with the same units?": "first and other",
            "Do all of them have a start in common?": "all of them",
        },
        choices=("first and second", "first and other", "all of them"),
    ),
    "merge-2": Exercise(
        _half,
        "A checkpoint also counts: a whole number of batches has no half-way, and in use nothing is computed from it.",
        {
            "That is right for weights. What becomes of a counter, a whole number?": lambda first, second: (
                np.add(first, second) / 2
            ),
            "That is the sum of both, and a network with weights twice as large.": lambda first, second: (
                _half(first, second) * (1 if np.issubdtype(np.asarray(first).dtype, np.integer) else 2)
            ),
            "That is the first network, unchanged.": lambda first, second: np.asarray(first),
        },
        test_inputs=_TENSORS,
    ),
    "merge-3": Exercise(
        _counted,
        "Two normalisations, and each keeps a mean and a variance a unit, and one counter.",
        {
            "Those are all the numbers in the file. Which of them were not trained?": lambda: _counted(trained=True),
            "Those were trained: they are the network's parameters.": lambda: _counted(kept=False, trained=True),
            "Nearly. What does a normalisation count?": lambda: _counted(counters=False),
        },
        tolerance=1e-6,
    ),
    "merge-4": Exercise(
        _merged(),
        "With a share of one half it is the average of both; with a share of one, both changes in full.",
        {
            "The changes are measured from the start. Yours are measured from zero.": _merged(from_start=0.0),
            "Yours goes half as far: it takes the mean of both changes, where their sum was asked for.": _merged(0.5),
            "The second change is missing.": _merged(second=0.0),
            "The second change has the wrong sign: that network is forgotten rather than added.": _merged(second=-1.0),
        },
        test_inputs=_MERGES,
    ),
    "merge-5": Exercise(
        barrier,
        "Each of both makes few errors; what lies between them makes many.",
        {
            "Your statistics were mixed from both networks', not estimated anew.": lambda: barrier(
                batchnorm="interpolate"
            ),
            "That is the pair from one start.": lambda: barrier(of="second"),
            "You have measured on the samples that they were trained on.": lambda: barrier(train=True),
            "That is the barrier of the loss, in nats.": lambda: float(_report().loss_barrier),
        },
    ),
    "merge-6": Exercise(
        _share,
        "What had looked like a mountain between two networks was, for the most part, a matter of names.",
        {
            "Those are points. Which share of the barrier is it?": lambda: barrier() - barrier(align=True),
            "That share is left. Which one has gone?": lambda: 1 - _share(),
        },
    ),
}
