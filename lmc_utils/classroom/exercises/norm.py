"""Exercises on batch normalisation between two networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.classroom import example_families
from lmc_utils.classroom.answer_feedback import Exercise, Part
from lmc_utils.classroom.number_answers import Array
from lmc_utils.forking import Run
from lmc_utils.measure import barriers, lines
from lmc_utils.measure.activation_variance import variances
from lmc_utils.measure.batchnorm import CONVENTIONS

_NUMBERS = np.random.default_rng(0)
_PROBES = tuple((_NUMBERS.normal(2, 3, shape),) for shape in ((5, 3, 4), (2, 1, 2), (7, 2, 1)))
_LINE = lines.LineGrid(alphas=11, alpha_range=(0.0, 1.0))


@cache
def _family(rate: float = 0.4) -> Run:
    return example_families.residual_family(learning_rate=rate)


@cache
def _barriers(convention: str, rate: float, split: str) -> xr.DataArray:
    result = lines.line(_family(rate).pairs(batchnorm=convention), _LINE, splits=[split]).sel(split=split)
    return barriers.of_each_statistics(barriers.error_barrier, result, "error")


def barrier(convention: str = "reestimate", fork: int = 0, split: str = "train", rate: float = 0.4) -> float:
    """The error barrier by a convention, mean over all pairs, in points; kept statistics: each network's in turn."""
    return float(_barriers(convention, rate, split).sel(fork_epoch=fork).mean())


@cache
def _variances() -> xr.Dataset:
    return variances(_family().pairs())


def _remaining_variance(
    layer: int = -1,
    fork: int = 0,
    end: float | None = None,
    quantity: str = "variance",
    power: float = 1.0,
    of_means: bool = False,
) -> float:
    """The variance, or a power of it, at the midpoint, as a fraction of that at the ends, or at one of them."""
    result = _variances()[quantity].sel(fork_epoch=fork).isel(layer=layer, epoch=0) ** power
    ends = result.sel(alpha=[0, 1]).mean("alpha") if end is None else result.sel(alpha=end)
    middle = result.sel(alpha=0.5)
    return float(middle.mean() / ends.mean() if of_means else (middle / ends).mean())


def _highest() -> str:
    return max(CONVENTIONS, key=lambda convention: barrier(convention, fork=2))


def _statistics(correction: int = 1, over: tuple[int, ...] = (0, 2)) -> Callable[[Array], Any]:
    """Mean and variance of activations (samples, channels, space), a row each."""

    def mean_and_variance(activations: Array) -> Any:
        mean, varies = activations.mean(over), activations.var(over, ddof=correction)
        return np.stack([mean, varies])

    return mean_and_variance


def _deviation(activations: Array) -> Any:
    mean, varies = _statistics()(activations)
    return np.stack([mean, np.sqrt(varies)])


def _with_samples_only(activations: Array) -> Any:
    """The variance estimated with the number of samples as N, without space."""
    count = len(activations)
    return _statistics(0)(activations) * [[1], [count / (count - 1)]]


def _midpoint_variance(v_1: Any, v_2: Any, rho: Any, cross: float = 2.0, factor: float = 0.25) -> Any:
    return factor * (v_1 + v_2 + cross * rho * np.sqrt(v_1 * v_2))


EXERCISES = {
    "norm-1": Exercise(
        _highest,
        "Near the other network the weights are nearly its own, but the statistics are those of the first.",
        {
            "Those fit the point at which they are taken. What if statistics fit another point?": "reestimate",
            "They are wrong at the midpoint, but right at both ends. Which ones are wrong at an end?": "interpolate",
        },
        choices=CONVENTIONS,
    ),
    "norm-2": Exercise(
        _statistics(),
        "One pass over a batch, N / (N - 1) for the variance: re-estimation does this layer by layer.",
        {
            "The variance is that of these numbers. As an estimate it is larger by N / (N - 1).": _statistics(0),
            "Each place in space has statistics of its own in your answer. A channel has one mean.": lambda a: np.stack(
                [a.mean((0, 2)), a.var(0, ddof=1).mean(-1)]
            ),
            "N counts samples *and* space: all numbers of a channel.": _with_samples_only,
            "The mean belongs in the first row, the variance in the second.": lambda a: _statistics()(a)[::-1],
            "That is the standard deviation. The variance is its square.": _deviation,
        },
        test_inputs=_PROBES,
        parts={"the means": Part(index=0), "the variances": Part(index=1)},
    ),
    "norm-3": Exercise(
        _midpoint_variance,
        "Half of it for uncorrelated channels, all of it for equal ones, nothing for opposite ones.",
        {
            "Averaging halves the numbers. What does that do to their squares?": lambda a, b, r: _midpoint_variance(
                a, b, r, factor=0.5
            ),
            "That is the mean of both variances, as interpolated statistics have it.": lambda a, b, r: (a + b) / 2,
            "(x + y)² has its mixed term twice.": lambda a, b, r: _midpoint_variance(a, b, r, cross=1.0),
            "That is the variance of half the *difference*. Mind the sign of the mixed term.": lambda a, b, r: (
                _midpoint_variance(a, b, -r)
            ),
            "Where is the correlation? Your answer does not depend on it.": lambda a, b, r: _midpoint_variance(
                a, b, 0.0
            ),
            "The covariance is rho times both standard *deviations*.": lambda a, b, r: (a + b + 2 * r * a * b) / 4,
        },
        test_inputs=((1.0, 1.0, 0.0), (1.0, 4.0, 0.5), (2.0, 3.0, -1.0), (np.array([1.0, 2.0]), 9.0, 0.25)),
    ),
    "norm-4": Exercise(
        lambda: barrier("interpolate") - barrier(),
        "This part of the barrier comes from the statistics, not from the weights.",
        {
            "That is the barrier with interpolated statistics. How much lower is it with re-estimated ones?": lambda: (
                barrier("interpolate")
            ),
            "That is the barrier with re-estimated statistics.": barrier,
            "That is the fraction of the barrier. How many *points* is it?": lambda: (
                1 - barrier() / barrier("interpolate")
            ),
            "Those are siblings forked after two epochs.": lambda: barrier("interpolate", 2) - barrier(fork=2),
            "You have measured on the test set.": lambda: barrier("interpolate", 0, "test") - barrier(split="test"),
            "That is the difference to kept statistics.": lambda: barrier("keep") - barrier(),
        },
    ),
    "norm-5": Exercise(
        _remaining_variance,
        "The statistics before it were right, so this is what one layer's averaging leaves.",
        {
            "That is the first normalisation. The question is about the last one.": lambda: _remaining_variance(0),
            "Those are siblings forked after two epochs.": lambda: _remaining_variance(fork=2),
            "That fraction is lost. Which fraction is left?": lambda: 1 - _remaining_variance(),
            "That is the standard deviation. Take the variance.": lambda: _remaining_variance(power=0.5),
            "You have divided the mean variances. Take the ratio of each pair first, then the mean.": lambda: (
                _remaining_variance(of_means=True)
            ),
            "You have compared with one end only. Take the mean of both.": lambda: _remaining_variance(end=0.0),
            "You have compared with the other end only. Take the mean of both.": lambda: _remaining_variance(end=1.0),
            "After a normalisation with the right statistics it is always 1. Take the input's variance.": lambda: (
                _remaining_variance(quantity="normalised")
            ),
        },
        tolerance=0.0003,  # the layers differ by little, and the numbers depend on the machine
    ),
    "norm-6": Exercise(
        lambda: barrier() / barrier(rate=0.1),
        "The rate was four times as high. The convention was the same, so this time the landscape differs.",
        {
            "That is the difference in points. How many *times* higher is it?": lambda: barrier() - barrier(rate=0.1),
            "That is the barrier of the faster family. Compare it with the other's.": barrier,
            "Those are siblings forked after two epochs.": lambda: barrier(fork=2) / barrier(fork=2, rate=0.1),
            "You have measured on the test set.": lambda: barrier(split="test") / barrier(split="test", rate=0.1),
            "That is the barrier of the slower family. Compare it with the other's.": lambda: barrier(rate=0.1),
            "The other way round: by how much is the *faster* family's barrier higher?": lambda: (
                barrier(rate=0.1) / barrier()
            ),
            "Are these interpolated statistics? Re-estimate them.": lambda: (
                barrier("interpolate") / barrier("interpolate", rate=0.1)
            ),
        },
    ),
}
