"""Exercises on testing a claim on several networks, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from lmc_utils.chapters.claims_elsewhere import CLAIMS
from lmc_utils.chapters.one_recipe import FORKS
from lmc_utils.chapters.recipe_verdicts import unfold
from lmc_utils.classroom.answer_feedback import Exercise, as_numbers, call_function
from lmc_utils.classroom.individual_numbers import IndividualExercise
from lmc_utils.classroom.number_answers import Array
from lmc_utils.classroom.word_answers import matching_choice
from lmc_utils.forking import result_tables
from lmc_utils.formatting import short_repr
from lmc_utils.measure import holm
from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.measure.claims import Rule
from lmc_utils.measure.statistics import Correlation, bounds

_OUTCOMES = ("holds", "fails", "cannot tell")
_SIDES = ("above", "below")
_RANDOM = np.random.default_rng(0)


def _at_least_one(networks: float, level: float) -> Exercise:
    one = level / 100
    none = (1 - one) ** networks
    return Exercise(
        1 - none,
        "With enough tests, one of them finds an effect almost certainly, even where there is none.",
        {
            "Probabilities do not add up if more than one of the tests can find an effect at once.": networks * one,
            "That is the probability that no test finds an effect.": none,
            "That is the probability that all tests find an effect. At least one was asked for.": one**networks,
            "That is the probability that exactly one test finds an effect. There may be more.": (
                networks * one * (1 - one) ** (networks - 1)
            ),
            "That is the probability that not all tests find an effect.": 1 - one**networks,
            "That is the probability for a single test. How likely is it that all tests find nothing?": one,
        },
        tolerance=0.002,
    )


def _stepped(factors: Callable[[int], Any], *, down: bool = True, up: bool = False, cap: bool = True) -> Any:
    """A function that multiplies sorted p-values by factors, and makes them increase with the p-values.

    Args:
        factors: for a number of p-values.
        down, up: none may be below a smaller p-value's, or above a larger one's.
        cap: at 1.
    """

    def adjusted(p_values: Array) -> Array:
        order = np.argsort(p_values, kind="stable")
        values = np.asarray(p_values)[order] * factors(len(order))
        if down:
            values = np.maximum.accumulate(values)
        if up:
            values = np.minimum.accumulate(values[::-1])[::-1]
        result = np.empty(len(order))
        result[order] = np.minimum(1, values) if cap else values
        return result

    return adjusted


def _remaining(count: int) -> Array:
    return np.arange(count, 0.0, -1)


def _maximum_in_given_order(p_values: Array) -> Array:
    return np.asarray(np.maximum.accumulate(_stepped(_remaining, down=False)(p_values)))


def _verdict(
    quantile: Callable[[int], float],
    *,
    pairs: bool = False,
    deviation: bool = False,
    ddof: int = 1,
    outcomes: Sequence[str] = _OUTCOMES,
) -> Callable[[Array, float], str]:
    """A function that judges the claim that a mean is above a bound by an interval.

    Args:
        quantile: the half width of the interval in standard errors, for a number of units.
        pairs: whether the units are pairs; by default they are parents.
        deviation: whether standard deviations are taken for standard errors.
        ddof: what is subtracted from the number of units in the variance.
        outcomes: if the interval is above the bound, if it is below, and otherwise.
    """

    def verdict(values: Array, bound: float) -> str:
        units = values.ravel() if pairs else values.mean(1)
        count, mean = len(units), float(units.mean())
        away = quantile(count) * float(units.std(ddof=ddof)) / (1 if deviation else math.sqrt(count))
        above, below, between = outcomes
        return above if mean - away > bound else below if mean + away < bound else between

    return verdict


def _student(count: int) -> float:
    return float(stats.t.ppf(0.975, count - 1))


def _every_parent(values: Array, bound: float) -> str:
    above = values.mean(1) > bound
    return "holds" if above.all() else "cannot tell" if above.any() else "fails"


def _at_errors(values: Array, errors: float) -> tuple[Array, float]:
    """Test inputs with a bound that lies below the mean by this many standard errors over parents."""
    units = values.mean(1)
    return values, round(float(units.mean() - errors * units.std(ddof=1) / math.sqrt(len(units))), 4)


_THREE = np.array([[10.0, 12.0], [13.0, 14.0], [15.0, 20.0]])
_FIVE = (10 + 3 * _RANDOM.normal(size=(5, 1)) + 0.5 * _RANDOM.normal(size=(5, 6))).round(1)
_ONE_PAIR = np.array([[1.0], [1.2], [0.7], [1.1]])


@cache
def _measured() -> xr.Dataset:
    """What was measured of the recipe that the last exercise names."""
    return unfold(result_tables.read("elsewhere_mlp_relu_mnist1d"))


def _claim(**changes: Any) -> dict[str, Any]:
    """A claim, with its verdict: after a twentieth of training the barrier is less than half as high."""
    claim: dict[str, Any] = {"statistic": _fraction_left, "side": "below", "bound": 0.5} | changes
    if "verdict" not in claim:
        claim["verdict"] = _outcome(claim["statistic"](_measured()).values, claim["side"], claim["bound"])
    return claim


def _fraction_left(found: xr.Dataset) -> xr.DataArray:
    return xr.DataArray(found.error_barrier.sel(fork="early") / found.error_barrier.sel(fork="first"))


def _undecided() -> dict[str, Any]:
    """A claim whose bound is the mean, so that the interval contains it, with another verdict."""
    return _claim(bound=float(_fraction_left(_measured()).mean()), verdict="holds")


def _outcome(values: Array, side: Any, bound: float) -> str:
    """The verdict on a claim about a mean over parents."""
    ends = bounds(xr.DataArray(values, dims="parent").expand_dims("pair"))
    return Rule(side, bound).judge(*map(float, ends.values))


_ONE_NUMBER = "Your statistic is a single number. Without one for each parent, nothing says how uncertain it is."
_ALL_FORKS = "Your statistic has several numbers for each parent. Choose a fork, or combine them into one number."
_BY_FORK = "Your statistic has one number for each fork. Parents are the units: take no mean over them."
_CONSTANT = "Your statistic is the same for all parents, so that it has no uncertainty. Choose another one."
_UNKNOWN = 'Your statistic is not known (NaN) for some of the parents. Leave these out: `.dropna("parent")`.'
_OF_THE_CHAPTER = "That is one of the chapter's claims. Make one of your own: another statistic, or another bound."
_UNTESTED = "Your claim can be tested. Leave it as it is from now on: compute the interval, and add the verdict."
_UNDECIDED = "The mean lies on one side of the bound. Does the whole interval?"
_DECIDED = "That is the verdict where the bound lies inside the interval. Compute both ends of the interval."
_OPPOSITE = (
    "The interval contradicts your verdict. On which side of the bound does it lie, and where does your claim want it?"
)


def _mistake(answer: Any) -> str | None:
    """The hint for a claim that cannot be tested, or whose verdict is not that of the table; None for any other."""
    keys = ("statistic", "side", "bound")
    if not isinstance(answer, dict) or not set(keys) <= set(answer):
        return f"The answer must be a dictionary with the keys {', '.join(map(repr, keys))} and 'verdict'."
    statistic, side, verdict = (answer.get(key) for key in ("statistic", "side", "verdict"))
    if not callable(statistic):
        return f"The statistic must be a function of `found` (got {type(statistic).__name__})."
    if not isinstance(side, str) or side not in _SIDES:
        return f"The side must be one of: {', '.join(_SIDES)} (got {short_repr(str(side))})."
    bound = as_numbers(answer["bound"], "The bound is")
    if bound.size != 1 or not np.isfinite(bound).all():
        return "The bound must be one finite number."
    returned = call_function(statistic, (_measured(),), "the measured data")
    values = as_numbers(returned, "Your statistic is")
    labels = returned.dims if isinstance(returned, xr.DataArray) else None
    hint = _mistake_of_statistic(values, labels) or _copied(values, side, bound.item())
    return hint or _mistake_of_verdict(verdict, values, side, bound.item())


def _mistake_of_statistic(values: Array, labels: tuple[Any, ...] | None) -> str | None:
    """The hint for numbers that are not one for each parent; those with labels may be of some parents only."""
    parents = _measured().sizes["parent"]
    if values.size == 1:
        return _ONE_NUMBER
    if values.ndim > 1:
        return _ALL_FORKS
    if len(values) != parents and (labels != ("parent",) or not values.size):
        counted = f"Your statistic has {len(values)} numbers. One for each of the {parents} parents was asked for."
        return _BY_FORK if len(values) == len(FORKS) else counted
    if not np.isfinite(values).all():
        return _UNKNOWN
    return _CONSTANT if np.ptp(values) == 0 else None


def _copied(values: Array, side: str, bound: float) -> str | None:
    """The hint for a claim of the chapter."""
    sides = ("above", "at least") if side == "above" else ("below", "at most")
    for claim in CLAIMS:
        if any(rule.side in sides and rule.bound == bound for rule in claim.rules):
            theirs = claim.statistic(_measured())
            if not isinstance(theirs, Correlation) and theirs.shape == values.shape and np.allclose(theirs, values):
                return _OF_THE_CHAPTER
    return None


def _mistake_of_verdict(verdict: Any, values: Array, side: str, bound: float) -> str | None:
    if verdict is None or verdict is ...:
        return _UNTESTED
    reported = matching_choice(verdict, _OUTCOMES) if isinstance(verdict, str) else None
    if reported is None:
        return f"The verdict must be one of: {', '.join(_OUTCOMES)} (got {short_repr(str(verdict))})."
    outcome = _outcome(values, side, bound)
    if reported == outcome:
        return None
    return _DECIDED if reported == "cannot tell" else _UNDECIDED if outcome == "cannot tell" else _OPPOSITE


EXERCISES: dict[str, Any] = {
    "elsewhere-1": IndividualExercise(
        {"networks": 24, "level": 5},
        {
            "networks": [*range(10, 24), *range(25, 39)],
            "level": [1, 1.5, 2, 2.5, 3, 3.5, 4.5, 5.5, 6, 6.5, 7],
        },
        _at_least_one,
    ),
    "elsewhere-2": Exercise(
        lambda p_values: np.array(holm.adjusted(p_values)),
        "The smallest p-value is multiplied by the number of tests, each larger one by one less. So Holm's procedure "
        "rejects all that Bonferroni's correction does, and often more.",
        {
            "You have multiplied each p-value by the number of all tests (Bonferroni). In Holm's procedure only the "
            "smallest one is.": _stepped(lambda count: np.full(count, float(count)), down=False),
            "A larger p-value must not get a smaller adjusted one. Take the maximum up to each, in ascending order.": (
                _stepped(_remaining, down=False)
            ),
            "You have returned the adjusted p-values in ascending order. Return them in the given order.": (
                lambda p_values: np.sort(holm.adjusted(p_values))
            ),
            "A p-value is a probability. What is its largest possible value?": _stepped(_remaining, cap=False),
            "You have taken the maximum in the given order. First sort the p-values.": _maximum_in_given_order,
            "You have multiplied the largest p-value by the number of tests. It should be the smallest one.": (
                _stepped(lambda count: np.arange(1.0, count + 1))
            ),
            "Your factors are too small by one: how many hypotheses are left before the first is rejected?": (
                _stepped(lambda count: _remaining(count) - 1)
            ),
            "You have taken the minimum over larger p-values (Hochberg). Holm's procedure steps down: take the maximum "
            "over smaller ones.": _stepped(_remaining, down=False, up=True),
            "That controls the false discovery rate (Benjamini and Hochberg), not the family-wise error.": (
                _stepped(lambda count: count / np.arange(1.0, count + 1), down=False, up=True)
            ),
        },
        test_inputs=(
            (np.array([0.01, 0.04, 0.03]),),
            (np.array([0.2, 0.004, 0.03, 0.6, 0.035]),),
            (np.array([0.9, 0.8]),),
            (np.array([0.02]),),
            (np.array([0.3, 0.01, 0.3, 0.02]),),
        ),
    ),
    "elsewhere-3": Exercise(
        _verdict(_student),
        "With few parents the interval is wide, and the honest verdict is often that one cannot tell.",
        {
            "You have taken pairs for units. Pairs of one parent are not independent: take their mean first.": (
                _verdict(_student, pairs=True)
            ),
            "That is the spread of single parents. The interval is that of their mean: use its standard error.": (
                _verdict(_student, deviation=True)
            ),
            "Your quantile is that of the normal distribution. With few parents, use that of Student's t.": (
                _verdict(lambda count: float(stats.norm.ppf(0.975)))
            ),
            "Your standard deviation is that of these parents, not an estimate for all: divide by the number of "
            "parents less one (`ddof=1`).": _verdict(_student, ddof=0),
            "You have compared the mean alone with the bound. How uncertain is it?": _verdict(lambda count: 0.0),
            "Your interval covers 90 %. For 95 %, let 2.5 % lie beyond each end.": (
                _verdict(lambda count: float(stats.t.ppf(0.95, count - 1)))
            ),
            "The degrees of freedom are the number of parents less one.": (
                _verdict(lambda count: float(stats.t.ppf(0.975, count)))
            ),
            "What does not hold need not fail. It fails only if the whole interval lies below the bound.": (
                _verdict(_student, outcomes=("holds", "fails", "fails"))
            ),
            "You have judged the opposite claim: the mean should lie *above* the bound.": (
                _verdict(_student, outcomes=("fails", "holds", "cannot tell"))
            ),
            "The claim is about the mean of all possible parents, not about each of these.": _every_parent,
        },
        _OUTCOMES,
        test_inputs=tuple(
            _at_errors(values, errors)
            for values, errors in (
                *((_THREE, 1.0), (_THREE, 2.5), (_THREE, -3.05), (_THREE, 3.35), (_THREE, -3.9), (_THREE, 5.0)),
                *((_FIVE, 2.0), (_FIVE, 3.2), (_FIVE, -2.4), (_FIVE, -6.0), (_ONE_PAIR, 2.5), (_ONE_PAIR, -12.0)),
            )
        ),
    ),
    "elsewhere-4": Exercise(
        _claim,
        "The table bears your verdict out. It is about one recipe: does the same claim hold for the others?",
        {
            _ONE_NUMBER: lambda: _claim(statistic=lambda found: found.angle.mean(), verdict=None),
            _ALL_FORKS: lambda: _claim(statistic=lambda found: found.angle, verdict=None),
            _BY_FORK: lambda: _claim(statistic=lambda found: found.angle.mean("parent"), verdict=None),
            _CONSTANT: lambda: _claim(statistic=lambda found: 0 * found.restart_barrier, verdict=None),
            _UNKNOWN: lambda: _claim(statistic=lambda found: found.curve_barrier, verdict=None),
            _OF_THE_CHAPTER: lambda: _claim(
                statistic=lambda found: found.restart_barrier, bound=STABLE_BELOW, verdict=None
            ),
            _UNTESTED: lambda: _claim(verdict=None),
            _UNDECIDED: _undecided,
            _DECIDED: lambda: _claim(side="above", bound=0.0, verdict="cannot tell"),
            _OPPOSITE: lambda: _claim(side="above", bound=0.0, verdict="fails"),
        },
        find_mistake=_mistake,
    ),
}
