"""Exercises on what parts siblings, and what keeps them together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.chapters.first_steps_after_fork import JUMP
from lmc_utils.classroom import example_families
from lmc_utils.classroom.answer_feedback import Exercise, Part
from lmc_utils.classroom.individual_numbers import IndividualExercise
from lmc_utils.classroom.number_answers import Array
from lmc_utils.measure import barriers, lines

_SIZES = (1e-6, 1e-3)  # of noise, in standard deviations of the initialisation
_LATE = example_families.EXPERIMENT.fork_epochs[-1]
_RESTART: dict[str, Any] = {"after_fork": "restart", "schedule": "constant"}


@cache
def _line(epoch: float | None = None, **changes: Any) -> xr.Dataset:
    """Loss and error between the siblings of a family; by default when the last of them has finished training."""
    family, grid = example_families.family(**changes), lines.LineGrid(alphas=21, alpha_range=(0, 1))
    return lines.line(family.pairs(None if epoch is None else [epoch]), grid).squeeze("epoch")


def _barrier(split: str = "train", fork: float = 0, epoch: float | None = None, **changes: Any) -> float:
    """The error barrier in points, mean over all pairs."""
    error = _line(epoch, **changes).error.sel(split=split, fork_epoch=fork)
    return float(barriers.error_barrier(error).mean())


def _loss_barrier(**changes: Any) -> float:
    """The loss barrier on the training set for the fork at initialisation, in nats, mean over all pairs."""
    return float(barriers.barrier_height(_line(**changes).loss.sel(split="train", fork_epoch=0)).mean())


def _predicted_barrier() -> str:
    """The barrier between siblings that differ in noise of a thousandth, compared with that for other data orders."""
    height = _barrier(difference="noise", difference_size=_SIZES[-1])
    if height < barriers.STABLE_BELOW:
        return "no barrier"
    return "a lower barrier" if height < _barrier() else "a higher barrier"


def _fractions(height: Callable[..., float] = _barrier, **options: Any) -> Array:
    """The barriers for both sizes of noise, as fractions of that for other data orders."""
    return _with_noise(height, **options) / height(**options)


def _with_noise(height: Callable[..., float] = _barrier, **options: Any) -> Array:
    """The barriers for both sizes of noise."""
    return np.array([height(difference="noise", difference_size=size, **options) for size in _SIZES])


def _grown(growth: float, start: float, end: float) -> Exercise:
    steps = math.log(end / start) / math.log(growth)
    return Exercise(
        steps,
        "The logarithm of the distance increases by the same amount in each step.",
        {
            "That would be right if each step added the same amount. Each step multiplies the distance.": (
                (end / start - 1) / (growth - 1)
            ),
            "You have divided by the factor minus one, which is nearly its logarithm, but not exactly.": (
                math.log(end / start) / (growth - 1)
            ),
            "You have left out the distance at the fork. By which factor does the distance grow overall?": (
                math.log(end) / math.log(growth)
            ),
            "Your two logarithms have different bases.": math.log10(end / start) / math.log(growth),
            "That is how often the distance doubles. How many steps does one doubling take?": math.log2(end / start),
            "That is the logarithm of the overall factor. How much of it does one step add?": math.log(end / start),
        },
        tolerance=0.002,
    )


def _growth(distances: Any) -> Array:
    values = np.asarray(distances, float)
    return np.asarray(values[1:] / values[:-1])


def _first_where(
    condition: Callable[[Array], Any], *, offset: int = 0, otherwise: float = math.inf
) -> Callable[[Sequence[float]], float]:
    """A function that returns the first step for which a condition on the distances holds."""

    def first(distances: Sequence[float]) -> float:
        found = np.flatnonzero(condition(np.asarray(distances, float)))
        return float(found[0]) + offset if len(found) else otherwise

    return first


def _jumps(distances: Array) -> Any:
    return _growth(distances) >= JUMP


_first_jump = _first_where(_jumps)


def _largest_jump(distances: Sequence[float]) -> float:
    growth = _growth(distances)
    return float(growth.argmax()) if growth.max() >= JUMP else math.inf


def _rate(step: Any, steps: int, decay: int, highest: float) -> Any:
    return highest * np.minimum(1.0, (steps - np.asarray(step)) / decay)


def _restarted(split: str = "train", fork: float = _LATE, epoch: float | None = None) -> float:
    """The barrier of siblings that restart, as a fraction of that of siblings that fork at initialisation."""
    return _barrier(split, fork, epoch, **_RESTART) / _barrier(split)


EXERCISES: dict[str, Any] = {
    "parting-1": Exercise(
        _predicted_barrier,
        "Training amplifies the difference: a small one delays the parting, and does not prevent it.",
        {
            "The difference is small at the fork. Does training keep it small?": "no barrier",
            "The data orders differ at every step, the noise is added once. Which of them pushes the siblings apart "
            "more?": "a higher barrier",
        },
        choices=("no barrier", "a lower barrier", "a higher barrier"),
    ),
    "parting-2": IndividualExercise(
        {"growth": 1.008, "start": 0.0002, "end": 4},
        {
            "growth": [each / 1000 for each in (1005, 1006, 1007, 1009, 1010, 1011, 1012, 1013, 1014, 1015)],
            "start": [each / 10000 for each in range(3, 10)],
            "end": range(5, 10),
        },
        _grown,
    ),
    "parting-3": Exercise(
        _first_jump,
        "Before the first jump, the siblings of a network with ReLU hardly move apart.",
        {
            "That is the distance *after* the jump. Step k leads from distances[k] to distances[k + 1].": (
                _first_where(_jumps, offset=1)
            ),
            "A step that makes the distance exactly 1.5 times as large is a jump as well: use >=, not >.": (
                _first_where(lambda distances: _growth(distances) > JUMP)
            ),
            "That is the largest jump. The first was asked for.": _largest_jump,
            "You have subtracted the distances. By which *factor* does a step change them?": (
                _first_where(lambda distances: np.diff(distances) >= JUMP)
            ),
            "You have compared each distance with the first one. Compare it with the one before.": (
                _first_where(lambda distances: distances[1:] >= JUMP * distances[0])
            ),
            "If no step is a jump, `math.inf` was asked for.": _first_where(_jumps, otherwise=-1),
        },
        test_inputs=(
            (np.array([1.0, 1.01, 1.02, 5.1, 5.2, 60.0]),),
            (np.array([1.0, 1.2, 1.44, 1.728, 2.1]),),
            (np.array([2.0, 3.0, 3.1]),),
            (np.array([1e-5, 1.1e-5, 4e-5, 4.1e-5]),),
            (np.array([5.0, 1.0, 0.5, 0.51]),),
            (np.array([1.0, 1.1, 1.3, 1.9, 4.0]),),
        ),
        parts={"the first jump": Part((0, 2, 3, 5)), "math.inf": Part((0, 1, 4))},
    ),
    "parting-4": Exercise(
        _rate,
        "Until the decay, the temperature of the steps stays the same, unlike with a cosine.",
        {
            "That falls from the first step on. Before the decay, the rate is constant.": (
                lambda step, steps, decay, highest: _rate(step, steps, steps, highest)
            ),
            "Before the decay your rate is higher than the highest one.": (
                lambda step, steps, decay, highest: highest * (steps - np.asarray(step)) / decay
            ),
            "The decay takes the *last* steps. Yours begins after that many steps.": (
                lambda step, steps, decay, highest: _rate(step, steps, steps - decay, highest)
            ),
            "Your rate jumps where the decay begins. Divide by the length of the decay, not by that of training.": (
                lambda step, steps, decay, highest: np.where(
                    np.asarray(step) <= steps - decay, highest, _rate(step, steps, steps, highest)
                )
            ),
            "Your decay is a cosine. It should be a straight line.": (
                lambda step, steps, decay, highest: highest * (1 - np.cos(np.pi * _rate(step, steps, decay, 1.0))) / 2
            ),
            "That is the fraction of the highest rate that is left. Multiply it by that rate.": (
                lambda step, steps, decay, highest: _rate(step, steps, decay, 1.0)
            ),
        },
        test_inputs=(
            (0, 100, 40, 0.1),
            (70, 100, 40, 0.1),
            (100, 100, 40, 0.1),
            (np.array([0, 5, 10, 12, 17, 20]), 20, 8, 0.5),
            (np.arange(11), 10, 4, 2.0),
        ),
        parts={"step as a number": Part((0, 1, 2)), "step as an array": Part((3, 4))},
    ),
    "parting-5": Exercise(
        _fractions,
        "Noise a thousand times as small does not make the barrier a thousand times as low.",
        {
            "That is the test set. The training set was asked for.": lambda: _fractions(split="test"),
            "Those are the loss barriers. Compare the error barriers.": lambda: _fractions(_loss_barrier),
            "Those are the barriers, in points. Divide both by that of `family`.": _with_noise,
            "You have divided by the barrier for the larger noise. Divide both by that of `family`.": lambda: (
                _with_noise() / _with_noise()[-1]
            ),
            "Those are the siblings that fork at epoch 2.": lambda: _fractions(fork=2),
        },
        parts={"noise of a millionth": Part(index=0), "noise of a thousandth": Part(index=1)},
        tolerance=0.03,
    ),
    "parting-6": Exercise(
        _restarted,
        "Training for longer after a late fork makes the barrier higher, but by far not as high as that of siblings "
        "that fork at initialisation.",
        {
            "That is the test set. The training set was asked for.": lambda: _restarted("test"),
            "That is without the restart.": lambda: _barrier(fork=_LATE) / _barrier(),
            "At that epoch, these siblings are in the middle of their training. It ends later than that of the "
            "parents.": lambda: _restarted(epoch=example_families.EXPERIMENT.epochs),
            "That is the fork at epoch 2.": lambda: _restarted(fork=2),
            "That is the barrier itself, in points. Divide it by that of the fork at initialisation.": lambda: _barrier(
                fork=_LATE, **_RESTART
            ),
            "You have divided by the barrier of the same fork without the restart. Divide by that of the fork at "
            "initialisation.": lambda: _barrier(fork=_LATE, **_RESTART) / _barrier(fork=_LATE),
        },
        tolerance=0.03,
    ),
}
