"""Exercises on forking siblings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.classroom import example_families
from lmc_utils.classroom.answer_feedback import Exercise, Part
from lmc_utils.classroom.individual_numbers import IndividualExercise
from lmc_utils.classroom.number_answers import Array
from lmc_utils.forking import Experiment, members
from lmc_utils.measure import barriers, lines

Mask = np.ndarray[Any, np.dtype[np.bool_]]

_EXPERIMENT = Experiment(parents=5, fork_epochs=(0, 1, 2, 15), siblings=4)


@cache
def _line(**changes: Any) -> xr.Dataset:
    family, grid = example_families.family(**changes), lines.LineGrid(alphas=11, alpha_range=(0, 1))
    return lines.line(family.pairs(), grid).sel(epoch=family.experiment.epochs)


def _barrier(split: str = "train", fork: int = 0, **changes: Any) -> float:
    """The error barrier in points, mean over all pairs."""
    return float(barriers.error_barrier(_line(**changes).error.sel(split=split, fork_epoch=fork)).mean())


def _at_fork_0() -> xr.DataArray:
    """The train error along the line between each pair of siblings that fork at initialisation."""
    error: xr.DataArray = _line().error.sel(split="train", fork_epoch=0)
    return error


def _loss_barrier(**changes: Any) -> float:
    """The loss barrier on the train set for the fork at initialisation, in nats, mean over all pairs."""
    return float(barriers.barrier_height(_line(**changes).loss.sel(split="train", fork_epoch=0)).mean())


def _last_unstable(forks: Sequence[int], heights: Sequence[float]) -> float:
    unstable = [fork for fork, height in zip(forks, heights, strict=True) if height >= barriers.STABLE_BELOW]
    return max(unstable, default=forks[0])


def _barrier_at_low_rate(split: str = "train", fork: int = 0) -> float:
    """The error barrier at a low learning rate."""
    return _barrier(split, fork, learning_rate=0.02)


def _barrier_by(definition: Callable[[xr.DataArray], xr.DataArray]) -> Callable[[Array, Array], xr.DataArray]:
    return lambda errors, alphas: definition(xr.DataArray(errors, coords={"alpha": alphas}))


def _inside(alphas: Array) -> Mask:
    return np.asarray((alphas >= 0) & (alphas <= 1))


def _everywhere(alphas: Array) -> Mask:
    return np.full(alphas.shape, True, dtype=bool)


def _at_siblings(alphas: Array) -> Mask:
    return np.asarray((alphas == 0) | (alphas == 1))


def _first_and_last(alphas: Array) -> Mask:
    return np.isin(np.arange(len(alphas)), [0, len(alphas) - 1])


def _highest_minus(
    subtracted: Callable[[Array], float],
    between: Callable[[Array], Mask] = _inside,
    ends: Callable[[Array], Mask] = _at_siblings,
) -> Callable[[Array, Array], float]:
    """The highest error on one part of the line, minus something made of the errors on another."""
    return lambda errors, alphas: float(errors[between(alphas)].max() - subtracted(errors[ends(alphas)]))


def _stable_from(
    forks: Sequence[int],
    heights: Sequence[float],
    below: Callable[[float], bool] = lambda height: height < barriers.STABLE_BELOW,
    otherwise: float = math.inf,
) -> float:
    return min((fork for row, fork in enumerate(forks) if all(map(below, heights[row:]))), default=otherwise)


def _how_many(parents: int, siblings: int) -> Exercise:
    networks = len(members(replace(_EXPERIMENT, parents=parents, siblings=siblings)))
    forks = len(_EXPERIMENT.fork_epochs)
    return Exercise(
        networks,
        "Each parent, and for each of its forks each sibling. All of them train as one stack.",
        {
            "The parents are trained to the end as well.": networks - parents,
            "That is the number of pairs to compare, not of networks to train.": (
                math.comb(siblings, 2) * parents * forks
            ),
            "Every parent has siblings of its own at every fork.": parents + forks * siblings,
            "At each fork there is more than one sibling.": parents * (1 + forks),
            "That is for one parent.": networks / parents,
            "The fork at initialisation is one, too.": parents * (1 + (forks - 1) * siblings),
        },
        tolerance=1e-6,
    )


EXERCISES = {
    "fork-1": Exercise(
        lambda: "higher" if _barrier("test") > _barrier("train") else "lower",
        "On the test set the siblings themselves make many errors, so that less is left for the middle of the line to "
        "do worse. The ridge has high feet there.",
        {
            "The barrier is counted from the siblings' own error. On which split is that error higher, and how much "
            "can it still rise there?": "higher",
            "The two splits agree in the order of the forks, not in the heights.": "equal",
        },
        choices=("higher", "lower", "equal"),
    ),
    "fork-2": IndividualExercise(
        {"parents": _EXPERIMENT.parents, "siblings": _EXPERIMENT.siblings},
        {"parents": range(6, 60), "siblings": range(5, 13)},
        _how_many,
    ),
    "fork-3": Exercise(
        _barrier_by(barriers.error_barrier),
        "It is never below zero, for the higher of the two ends is on the line, too.",
        {
            "You have taken the highest error over the whole range. Only 0 <= alpha <= 1 lies between the siblings.": (
                _highest_minus(np.mean, _everywhere)
            ),
            "You have taken the whole range: its highest error, and its first and last error as the ends. The siblings "
            "are at alpha = 0 and alpha = 1.": _highest_minus(np.mean, _everywhere, _first_and_last),
            "The ends are the errors at alpha = 0 and alpha = 1, not the first and the last of the range.": (
                _highest_minus(np.mean, _inside, _first_and_last)
            ),
            "You have subtracted the mean of all errors. Subtract the mean of the two at alpha = 0 and alpha = 1.": (
                _highest_minus(np.mean, _inside, _everywhere)
            ),
            "You have subtracted the mean along the line. Subtract the mean of its two ends.": (
                _highest_minus(np.mean, _inside, _inside)
            ),
            "alpha = 0 and alpha = 1 belong to the line: use <=, not <.": (
                _highest_minus(np.mean, lambda alphas: np.asarray((alphas > 0) & (alphas < 1)))
            ),
            "That is the barrier at the midpoint. The highest error may be elsewhere.": (
                _highest_minus(np.mean, lambda alphas: alphas == 0.5)
            ),
            "That is the height above the chord, the poster's definition. Here it is the highest error minus the mean "
            "of both ends.": _barrier_by(barriers.barrier_height),
            "You have taken away the first end only.": _highest_minus(lambda ends: ends[0]),
            "You have taken away the second end only.": _highest_minus(lambda ends: ends[-1]),
            "You have taken away the lower end only.": _highest_minus(min),
            "You have taken away the higher end only.": _highest_minus(max),
            "That is the highest error itself.": _highest_minus(lambda ends: 0.0),
        },
        test_inputs=(
            (np.array([60.0, 30.0, 10.0, 35.0, 40.0, 20.0, 14.0, 33.0, 70.0]), np.linspace(-0.5, 1.5, 9)),
            (np.array([10.0, 8.0, 7.0, 4.0, 3.0, 4.0, 6.0, 8.0, 9.0]), np.linspace(-0.5, 1.5, 9)),
            (np.array([2.0, 9.0, 4.0]), np.array([0.0, 0.5, 1.0])),
            (np.array([5.0, 6.5, 8.0]), np.array([0.0, 0.5, 1.0])),
            (5 + 3 * np.linspace(-1, 2, 13), np.linspace(-1, 2, 13)),
        ),
        parts={"alphas from 0 to 1": Part((2, 3)), "alphas beyond the siblings": Part((0, 1, 4))},
    ),
    "fork-4": Exercise(
        _barrier,
        "Siblings that fork at initialisation end with a barrier between them.",
        {
            "That is the test set. The train set was asked for.": lambda: _barrier("test"),
            "That is the loss barrier, in nats. The error barrier is in points.": _loss_barrier,
            "That is the fork at epoch 2.": lambda: _barrier(fork=2),
            "That is the mean over all forks.": lambda: barriers.error_barrier(_line().error)[0].mean(),
            "That is the highest of the pairs. Take their mean.": lambda: barriers.error_barrier(_at_fork_0()).max(),
            "That is the error at the midpoint, not its height above the ends.": lambda: (
                _at_fork_0().sel(alpha=0.5).mean()
            ),
        },
        tolerance=0.002,
    ),
    "fork-5": Exercise(
        _stable_from,
        "A fork that happens to lie below the line before one that does not is luck, not stability.",
        {
            "The first fork below 2 points is not enough: all later ones have to be below as well.": (
                lambda forks, heights: min((f for f, h in zip(forks, heights, strict=True) if h < 2), default=math.inf)
            ),
            "Exactly 2 points are not *below* 2 points.": lambda f, h: _stable_from(f, h, lambda height: height <= 2),
            "Where there is none, `math.inf` was asked for.": lambda f, h: _stable_from(f, h, otherwise=-1),
            "Where there is none you return the last fork, and `math.inf` was asked for.": lambda f, h: _stable_from(
                f, h, otherwise=f[-1]
            ),
            "That is the last fork that is *not* stable.": _last_unstable,
            "You have returned the position in the list. The fork epoch was asked for.": lambda forks, heights: (
                _stable_from(range(len(forks)), heights)
            ),
        },
        test_inputs=(
            ([0, 1, 2, 15], [43.0, 19.0, 13.0, 0.2]),
            ([0, 2, 4, 8], [5.0, 1.5, 3.0, 0.1]),
            ([3, 6], [1.0, 0.5]),
            ([0, 1], [5.0, 2.0]),
            ([0, 5], [1.0, 9.0]),
            ([0, 4, 9], [0.1, 0.2, 0.3]),
            ([0, 4, 9, 12], [1.0, 3.0, 1.0, 0.5]),
        ),
        parts={"the first fork of the stable ones": Part((0, 1, 2, 5, 6)), "math.inf": Part((0, 3, 4))},
    ),
    "fork-6": Exercise(
        lambda: _barrier_at_low_rate() / _barrier(),
        "Forking at initialisation does not cause a barrier by itself: how far the siblings move matters, too.",
        {
            "That is the test set. The train set was asked for.": lambda: (
                _barrier_at_low_rate("test") / _barrier("test")
            ),
            "That is in percent. Which *fraction* is left?": lambda: 100 * _barrier_at_low_rate() / _barrier(),
            "That is how many points lower it is. Which *fraction* is left?": lambda: (
                _barrier() - _barrier_at_low_rate()
            ),
            "Those are the loss barriers. Compare the error barriers.": lambda: (
                _loss_barrier(learning_rate=0.02) / _loss_barrier()
            ),
            "That is the barrier itself. Divide it by that of the lesson's own run.": _barrier_at_low_rate,
            "That is the fork at epoch 2.": lambda: _barrier_at_low_rate(fork=2) / _barrier(fork=2),
            "That is the fraction that is removed. Which fraction is left?": lambda: (
                1 - _barrier_at_low_rate() / _barrier()
            ),
        },
        tolerance=0.005,
    ),
}
