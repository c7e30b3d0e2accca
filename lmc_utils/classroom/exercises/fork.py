"""Exercises on forking siblings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.classroom import lesson
from lmc_utils.classroom.judging import Array, Exercise, Mistake
from lmc_utils.forking import Experiment, members
from lmc_utils.measure import barriers, lines

LINE = lines.LineGrid(alphas=11, alpha_range=(0, 1))
CLASSROOM = Experiment(parents=5, fork_epochs=(0, 1, 2, 15), siblings=4)
SLOW = 0.02


@cache
def _lines(**changes: Any) -> xr.Dataset:
    family = lesson.family(**changes)
    return lines.line(family.pairs(), LINE, progress=False).sel(epoch=family.experiment.epochs)


def _barrier(split: str = "train", fork: int = 0, **changes: Any) -> float:
    """The error barrier in points, mean over all pairs."""
    return float(barriers.error_barrier(_lines(**changes).error.sel(split=split, fork_epoch=fork)).mean())


def _which_split() -> str:
    return "higher" if _barrier("test") > _barrier("train") else "lower"


def _networks() -> int:
    return len(members(CLASSROOM))


def _pairs() -> int:
    of_one_fork = math.comb(CLASSROOM.siblings, 2)
    return of_one_fork * CLASSROOM.parents * len(CLASSROOM.fork_epochs)


def _curves() -> list[tuple[Any, ...]]:
    alphas = np.linspace(-0.5, 1.5, 9)
    return [
        (np.array([60.0, 30.0, 10.0, 35.0, 40.0, 20.0, 14.0, 33.0, 70.0]), alphas),
        (np.array([10.0, 8.0, 7.0, 4.0, 3.0, 4.0, 6.0, 8.0, 9.0]), alphas),
        (np.array([2.0, 9.0, 4.0]), np.array([0.0, 0.5, 1.0])),
    ]


def _error_barrier(errors: Array, alphas: Array) -> float:
    return float(barriers.error_barrier(xr.DataArray(errors, coords={"alpha": alphas})))


def _above_the_chord(errors: Array, alphas: Array) -> float:
    return float(barriers.barrier_height(xr.DataArray(errors, coords={"alpha": alphas})))


def _minus(ends: Callable[[Array], float], inside: bool = True) -> Callable[[Array, Array], float]:
    """The highest error, between the siblings or anywhere, minus something made of the errors at both ends."""

    def barrier(errors: Array, alphas: Array) -> float:
        between = (alphas >= 0) & (alphas <= 1) | (not inside)
        return float(errors[between].max() - ends(errors[(alphas == 0) | (alphas == 1)]))

    return barrier


def _mean(ends: Array) -> float:
    return float(ends.mean())


def _family_heights() -> list[tuple[Any, ...]]:
    return [
        ([0, 1, 2, 15], [43.0, 19.0, 13.0, 0.2]),
        ([0, 2, 4, 8], [5.0, 1.5, 3.0, 0.1]),
        ([3, 6], [1.0, 0.5]),
        ([0, 1], [5.0, 2.0]),
        ([0, 5], [1.0, 9.0]),
    ]


def _stable_from(forks: Sequence[int], heights: Sequence[float], below: Callable[[float], bool] | None = None) -> float:
    below = below or (lambda height: height < barriers.STABLE_BELOW)
    later = [fork for row, fork in enumerate(forks) if all(map(below, heights[row:]))]
    return min(later, default=math.inf)


def _first_stable(forks: Sequence[int], heights: Sequence[float]) -> float:
    return min((fork for fork, height in zip(forks, heights, strict=True) if height < 2), default=math.inf)


def _position(forks: Sequence[int], heights: Sequence[float]) -> float:
    stable = _stable_from(forks, heights)
    return math.inf if stable == math.inf else list(forks).index(int(stable))


EXERCISES = (
    Exercise(
        "fork-1",
        _which_split,
        "On the test set the siblings themselves make many errors, so that less is left for the middle of the line to "
        "do worse. The ridge has high feet there.",
        (
            Mistake(
                "The barrier is counted from the siblings' own error. On which split is that error higher, and how "
                "much room is left above it?",
                lambda: "higher",
            ),
            Mistake("The two splits agree in the order of the forks, not in the heights.", lambda: "equal"),
        ),
        choices=("higher", "lower", "equal"),
    ),
    Exercise(
        "fork-2",
        _networks,
        "Each parent, and for each of its forks each sibling. All of them train as one stack.",
        (
            Mistake("The parents are trained to the end as well.", lambda: _networks() - CLASSROOM.parents),
            Mistake("That is the number of pairs to walk between, not of networks to train.", _pairs),
            Mistake(
                "Every parent has siblings of its own at every fork.",
                lambda: CLASSROOM.parents + len(CLASSROOM.fork_epochs) * CLASSROOM.siblings,
            ),
            Mistake(
                "At each fork there is more than one sibling.",
                lambda: CLASSROOM.parents * (1 + len(CLASSROOM.fork_epochs)),
            ),
        ),
        tolerance=1e-6,
    ),
    Exercise(
        "fork-3",
        lambda: _error_barrier,
        "It is never below zero, for the higher of the two ends is on the way, too.",
        (
            Mistake("Between the siblings: what lies beyond them is no barrier.", lambda: _minus(_mean, inside=False)),
            Mistake(
                "That is the height above the chord, the poster's definition. Here it is the highest error minus the "
                "mean of both ends.",
                lambda: _above_the_chord,
            ),
            Mistake("You have taken away the first end only.", lambda: _minus(lambda ends: float(ends[0]))),
            Mistake("You have taken away the second end only.", lambda: _minus(lambda ends: float(ends[-1]))),
            Mistake("You have taken away the lower end only.", lambda: _minus(lambda ends: float(ends.min()))),
            Mistake("You have taken away the higher end only.", lambda: _minus(lambda ends: float(ends.max()))),
            Mistake("That is the highest error itself.", lambda: _minus(lambda ends: 0.0)),
        ),
        probes=_curves,
        tolerance=1e-6,
    ),
    Exercise(
        "fork-4",
        _barrier,
        "Siblings that part at initialisation, and end with a ridge between them.",
        (
            Mistake("That is the test set. The train set was asked for.", lambda: _barrier("test")),
            Mistake(
                "That is the loss barrier, in nats. The error barrier is in points.",
                lambda: barriers.barrier_height(_lines().loss.sel(split="train", fork_epoch=0)).mean(),
            ),
            Mistake("That is the fork at epoch 2.", lambda: _barrier(fork=2)),
            Mistake("That is the mean over all forks.", lambda: barriers.error_barrier(_lines().error)[0].mean()),
            Mistake(
                "That is the error half-way, not how far it stands above the ends.",
                lambda: _lines().error.sel(split="train", fork_epoch=0, alpha=0.5).mean(),
            ),
        ),
        tolerance=0.002,
    ),
    Exercise(
        "fork-5",
        lambda: _stable_from,
        "A fork that happens to lie below the line before one that does not is luck, not stability.",
        (
            Mistake(
                "The first fork below 2 points is not enough: all later ones have to be below as well.",
                lambda: _first_stable,
            ),
            Mistake(
                "Exactly 2 points are not *below* 2 points.",
                lambda: lambda forks, heights: _stable_from(forks, heights, lambda height: height <= 2),
            ),
            Mistake(
                "Where there is none, `math.inf` was asked for.",
                lambda: (
                    lambda forks, heights: (
                        -1 if _stable_from(forks, heights) == math.inf else _stable_from(forks, heights)
                    )
                ),
            ),
            Mistake("You have returned the position in the list. The fork epoch was asked for.", lambda: _position),
        ),
        probes=_family_heights,
        tolerance=1e-6,
    ),
    Exercise(
        "fork-6",
        lambda: _barrier(learning_rate=SLOW) / _barrier(),
        "Forking at initialisation does not make a barrier by itself: how far the siblings walk matters, too.",
        (
            Mistake(
                "That is the test set. The train set was asked for.",
                lambda: _barrier("test", learning_rate=SLOW) / _barrier("test"),
            ),
            Mistake(
                "That is the barrier itself. Divide it by that of the lesson's own run.",
                lambda: _barrier(learning_rate=SLOW),
            ),
            Mistake("That is the fork at epoch 2.", lambda: _barrier(fork=2, learning_rate=SLOW) / _barrier(fork=2)),
            Mistake(
                "That is the share that is gone. Which share is left?",
                lambda: 1 - _barrier(learning_rate=SLOW) / _barrier(),
            ),
        ),
        tolerance=0.005,
    ),
)
