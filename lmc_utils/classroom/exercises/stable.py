"""Exercises on when stability begins, and on sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.chapters import when_stability_begins
from lmc_utils.chapters.toy_stability_onset import Walkers
from lmc_utils.chapters.when_stability_begins import Parameters
from lmc_utils.chapters.when_stability_begins_numbers import rate_at
from lmc_utils.classroom.answer_feedback import Exercise, Part
from lmc_utils.classroom.individual_numbers import IndividualExercise, hundredths
from lmc_utils.forking import result_tables
from lmc_utils.measure import stability_onset

_FORKS = (0, 1, 2, 4, 8, 16)
_HEIGHTS = (
    (40.0, 12.0, 5.0, 1.0, 0.5, 0.0),
    (1.0, 0.5, 0.0, 0.0, 0.0, 0.0),
    (9.0, 1.0, 6.0, 3.0, 0.0, 0.0),
    (9.0, 9.0, 9.0, 9.0, 9.0, 0.0),
)
_CASES = tuple((_FORKS, heights) for heights in _HEIGHTS)
_TABLES = {"learning rate": "stability_learning_rate", "batch size": "stability_batch_size"}
_SAMPLES = 4000
_SEEDS = range(2)


@cache
def _onsets(axis: str, split: str = "train") -> xr.Dataset:
    return when_stability_begins.onset_along_axis(axis, result_tables.read(_TABLES[axis]), Parameters(split=split))


def _latest_onset() -> str:
    rate, batch = (_onsets(axis).begins.mean("parent") for axis in _TABLES)
    change = {
        "twice the learning rate": rate.sel(learning_rate=0.2) - rate.sel(learning_rate=0.1),
        "twice the batch size": batch.sel(batch_size=128) - batch.sel(batch_size=64),
        "half the learning rate": rate.sel(learning_rate=0.05) - rate.sel(learning_rate=0.1),
    }
    return max(change, key=lambda name: float(change[name]))


def _stable_from(forks: Sequence[float], heights: Sequence[float]) -> float:
    return float(stability_onset.stable_from(xr.DataArray(list(heights), coords={"fork_epoch": list(forks)})))


def _first_below(forks: Sequence[float], heights: Sequence[float]) -> float:
    """The first fork with a low barrier, ignoring later ones."""
    return float(next(fork for fork, height in zip(forks, heights, strict=True) if height < 2))


def _next_measured(forks: Sequence[float], heights: Sequence[float]) -> float:
    """The first measured fork from which on all are low, without a line between two of them."""
    high = [place for place, height in enumerate(heights) if height >= 2]
    return float(forks[high[-1] + 1] if high else forks[0])


def _last_high(forks: Sequence[float], heights: Sequence[float]) -> float:
    high = [fork for fork, height in zip(forks, heights, strict=True) if height >= 2]
    return float(high[-1] if high else forks[0])


def _in_steps(batch: float, epoch: float) -> Exercise:
    steps = _SAMPLES // batch
    return Exercise(
        steps * epoch,
        "The last batch of an epoch is dropped where it is not full, so that an epoch has a whole number of steps.",
        {
            "Those are the samples that the network has seen. A step takes a batch of them.": _SAMPLES * epoch,
            "That is one epoch.": float(steps),
            "The last batch of an epoch is not full, so it is dropped.": -(-_SAMPLES // batch) * epoch,
            "An epoch has a whole number of steps: round down before you multiply.": _SAMPLES / batch * epoch,
            "You have divided: every one of these epochs has that many steps.": steps / epoch,
        },
        tolerance=0.002,
    )


def _rate_at_onset(schedule: Callable[[xr.DataArray], Any] | None = None, split: str = "train") -> float:
    onset = _onsets("learning rate", split).sel(learning_rate=0.2)
    left = rate_at(xr.DataArray(0.2), onset.share) if schedule is None else schedule(onset.share)
    return float(left.mean())


def _mean_fork_time(temperature: float) -> float:
    return float(np.mean([_fork_time(temperature, seed) for seed in _SEEDS]))


@cache
def _fork_time(temperature: float, seed: int) -> float:
    return Walkers(temperature=temperature, seed=seed).fork_time()


def _later_fork(hot: float, cold: float) -> Exercise:
    return Exercise(
        lambda: _mean_fork_time(hot) - _mean_fork_time(cold),
        "With one temperature at which all of them freeze it would be that one times (1 / colder - 1 / hotter).",
        {
            "That is the fork time of the hotter start alone.": lambda: _mean_fork_time(hot),
            "That is the fork time of the colder start alone.": lambda: _mean_fork_time(cold),
            "That is how much later it is relative to the colder start. Give it as a fraction of the run.": lambda: (
                _mean_fork_time(hot) / _mean_fork_time(cold) - 1
            ),
            "That is how many times as late. By how much is it later?": lambda: (
                _mean_fork_time(hot) / _mean_fork_time(cold)
            ),
        },
    )


EXERCISES: dict[str, Any] = {
    "stable-1": Exercise(
        _latest_onset,
        "More noise keeps siblings apart for longer, whether it comes from longer steps or from smaller batches.",
        {
            "An average over more samples is less noisy. Does noise bring siblings together?": "twice the batch size",
            "Shorter steps are less noisy. Look at the first of the six panels.": "half the learning rate",
        },
        choices=("twice the learning rate", "twice the batch size", "half the learning rate"),
    ),
    "stable-2": Exercise(
        _stable_from,
        "From there on, and not only there: what counts is the last time that the barrier is too high.",
        {
            "That is the first low barrier. Is the next one low as well?": _first_below,
            "That is a measured fork. Where does the straight line to it come below the bound?": _next_measured,
            "There the barrier is still too high.": _last_high,
            "You have returned a position in the list. The fork epoch was asked for.": lambda forks, heights: (
                _stable_from(range(len(forks)), heights)
            ),
            "You have measured the way along the straight line from its other end.": lambda forks, heights: (
                _last_high(forks, heights) + _next_measured(forks, heights) - _stable_from(forks, heights)
            ),
        },
        test_inputs=_CASES,
        parts={"a line between two forks": Part((0, 2, 3)), "all of them below": Part((0, 1))},
    ),
    "stable-3": IndividualExercise(
        {"batch": 64, "epoch": 7}, {"batch": (24, 48, 72, 96, 112, 144), "epoch": range(3, 24)}, _in_steps
    ),
    "stable-4": Exercise(
        _rate_at_onset,
        "Divide it by the batch size, and compare it with the remaining rate at the onset of the smaller batches.",
        {
            "That is the rate at the start. A cosine takes it to zero.": 0.2,
            "That falls along a straight line. The schedule is a cosine.": lambda: _rate_at_onset(
                lambda time: 0.2 * (1 - time)
            ),
            "That is how much of it is gone. What is left?": lambda: 0.2 - _rate_at_onset(),
            "You have taken the fraction of training that is left.": lambda: _rate_at_onset(lambda time: 1 - time),
            "That is a quarter of a wave: the cosine of the schedule goes from 1 to -1.": lambda: _rate_at_onset(
                lambda time: 0.2 * np.cos(np.pi * time / 2)
            ),
            "NumPy's cosine takes radians.": lambda: _rate_at_onset(lambda time: 0.1 * (1 + np.cos(180 * time))),
            "That is the fraction of the rate that is left. Of which rate?": lambda: _rate_at_onset() / 0.2,
            "You have taken the onset on the test set.": lambda: _rate_at_onset(split="test"),
        },
    ),
    "stable-5": IndividualExercise(
        {"hot": 0.7, "cold": 0.1},
        {"hot": [each / 50 for each in range(20, 31)], "cold": hundredths(0.12, 0.24)},
        _later_fork,
    ),
}
