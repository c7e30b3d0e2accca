"""Negative controls and coverage for the chapter on other recipes: what must not hold, and what intervals cover."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from lmc_utils.chapters.claims_elsewhere import CLAIMS
from lmc_utils.chapters.recipe_verdicts import Row, judge, shuffled
from lmc_utils.forking import Experiment, train
from lmc_utils.measure import barriers, lines
from lmc_utils.measure.statistics import bounds, correlation

__all__ = [
    "barrier_between_copies",
    "coverage_of_correlations",
    "coverage_of_means",
    "false_verdicts",
    "shuffled_forks",
]

_ABOUT_FORKS = ("barrier_falls", "farther", "wider_angle", "ensemble", "alignment_falls")
Array = np.ndarray[Any, Any]
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]

_SHAPES: dict[str, Draw] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "skewed (exponential)": lambda random, shape: random.exponential(size=shape) - 1,
    "heavy tails (t, 3 degrees)": lambda random, shape: random.standard_t(3, shape),
}
_CORRELATIONS = (0.0, 0.5, 0.9)
_FORKS = 3


def barrier_between_copies() -> float:
    """The largest error barrier (points, in absolute value) between siblings that do not differ at all: 0 to the bit.

    They are trained here: a small run with two parents and two forks, whose siblings see the same batches.
    """
    copies = Experiment(
        train_samples=500, epochs=4, parents=2, fork_epochs=(0, 2), difference="noise", difference_size=0.0
    )
    line = lines.line(train(copies).pairs(), lines.LineGrid(alphas=5, alpha_range=(0.0, 1.0)))
    return float(abs(barriers.error_barrier(line.error)).max())


def shuffled_forks(rows: Sequence[Row], shuffles: int, seed: int) -> dict[str, float]:
    """How often a claim that the first and the late fork differ holds although forks are in random order.

    Returns:
        `families`, tests of one claim on all rows at once; `wrong`, the fraction of them in which it holds for any row;
        and `chance`, the probability of so many or more, if each family had a probability of 2.5 % and were
        independent of the others. Holm's procedure keeps it at or below 2.5 % if p-values are exact. They are not
        quite: the differences of shuffled forks are symmetric about zero, but not normally distributed.
    """
    claims = [claim for claim in CLAIMS if claim.name in _ABOUT_FORKS]
    wrong = [
        any(verdict.outcome == "holds" for verdict in judge(claim, changed))
        for shuffle in range(shuffles)
        for changed in [[shuffled(row, seed + 1000 * shuffle + place) for place, row in enumerate(rows)]]
        for claim in claims
    ]
    chance = stats.binom.sf(sum(wrong) - 1, len(wrong), 0.025)
    return {"families": float(len(wrong)), "wrong": float(np.mean(wrong)), "chance": float(chance)}


def coverage_of_means(simulations: int, seed: int) -> xr.DataArray:
    """How often the 95 % interval of the mean over parents contains the mean of the population, by simulation.

    Returns:
        Fractions, with the dimensions shape (of the population) and parents (5 and 10).
    """

    def covers(samples: Array) -> Array:
        ends = bounds(xr.DataArray(samples[None], dims=["pair", "simulation", "parent"]))
        return np.asarray((ends.sel(bound="low") <= 0) & (ends.sel(bound="high") >= 0))

    return _how_often(covers, simulations, seed)


def false_verdicts(simulations: int, seed: int, tests: int) -> xr.DataArray:
    """How often a mean is falsely said to be below its bound, at the level that Holm's procedure asks of the first.

    Barriers near zero are skewed to the right: many small ones, and a few large ones that a sample may lack.

    Args:
        simulations: samples of each population.
        seed: of the samples.
        tests: the number of tests that the level of 2.5 % is divided by.

    Returns:
        Fractions, with the dimensions shape (of the population) and parents (5 and 10).
    """

    def below(samples: Array) -> Array:
        count = samples.shape[1]
        errors = samples.std(1, ddof=1) / np.sqrt(count)
        return np.asarray(stats.t.cdf(samples.mean(1) / errors, count - 1) < 0.025 / tests)

    return _how_often(below, simulations, seed)


def coverage_of_correlations(simulations: int, seed: int) -> xr.DataArray:
    """How often the interval of a rank correlation within forks contains that of the population, by simulation.

    Ten parents and three forks; normal samples.

    Returns:
        Fractions, with the dimension correlation (Pearson's, of the population).
    """
    random = np.random.default_rng(seed)
    found = xr.DataArray(np.zeros(len(_CORRELATIONS)), {"correlation": [*_CORRELATIONS]})
    for row, strength in enumerate(_CORRELATIONS):
        of_ranks = 6 / np.pi * np.arcsin(strength / 2)  # Spearman's of a bivariate normal population
        inside = 0
        for _ in range(simulations):
            one, noise = random.standard_normal((2, _FORKS, 10))
            other = strength * one + np.sqrt(1 - strength**2) * noise
            first, second = (xr.DataArray(each, dims=["fork", "parent"]) for each in (one, other))
            interval = correlation(first, second, within="fork")
            inside += interval.low <= of_ranks <= interval.high
        found[row] = inside / simulations
    return found


def _how_often(happens: Callable[[Array], Array], simulations: int, seed: int) -> xr.DataArray:
    """How often something happens in samples (simulations, parents) of each population, whose mean is 0."""
    random, counts = np.random.default_rng(seed), (5, 10)
    found = xr.DataArray(np.zeros((len(_SHAPES), len(counts))), {"shape": [*_SHAPES], "parents": [*counts]})
    for row, draw in enumerate(_SHAPES.values()):
        for column, count in enumerate(counts):
            found[row, column] = happens(draw(random, (simulations, count))).mean()
    return found
