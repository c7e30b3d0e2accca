"""Exercises on the second-order approximation of the barrier."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from lmc_utils import toy
from lmc_utils.classroom import example_families
from lmc_utils.classroom.answer_feedback import Exercise
from lmc_utils.classroom.number_answers import Array
from lmc_utils.forking import Run
from lmc_utils.measure import approximations, barriers, curvature, lines

_ALPHAS = np.linspace(0, 1, 5)
_NODES = approximations.gauss_legendre(24)


def _prediction_for_parabola() -> str:
    """The poster's formula for phi(a) = a^2, compared with the true barrier."""
    second = xr.DataArray([2.0, 2.0], coords={"alpha": [0.0, 1.0]})
    true = barriers.midpoint_barrier(xr.DataArray([0.0, 0.25, 1.0], coords={"alpha": [0.0, 0.5, 1.0]}))
    ratio = float(approximations.second_order(second, [0.5]).squeeze() / true)
    return {1.0: "the barrier", -1.0: "minus the barrier", 0.0: "zero"}[ratio]


def _second_order(alpha: Array, curvature_1: float, curvature_2: float) -> Any:
    return alpha * (1 - alpha) / 2 * (alpha * curvature_1 + (1 - alpha) * curvature_2)


def _with_slopes(
    alpha: Array, slope_1: float, slope_2: float, curvature_1: float, curvature_2: float, weight: float = 1.0
) -> Any:
    """The approximation with a multiple of the gradient term."""
    return weight * alpha * (1 - alpha) * (slope_1 - slope_2) + _second_order(alpha, curvature_1, curvature_2)


def squared(s: ArrayLike) -> Array:
    """phi'' of phi = s^4."""
    return 12 * np.asarray(s, dtype=np.float64) ** 2


def wave(s: ArrayLike) -> Array:
    """phi'' of a bell: phi = (1 - cos(2 pi s)) / 2."""
    return 2 * np.pi**2 * np.cos(2 * np.pi * np.asarray(s, dtype=np.float64))


def _from_curvature(second: Callable[[Array], Array], alpha: float) -> xr.DataArray:
    return approximations.from_curvature(xr.DataArray(second(_NODES), coords={"alpha": _NODES}), [alpha])


def _weighted(weight: Callable[[float, float], Any]) -> Callable[..., float]:
    """Minus the integral over the line of the curvature times a weight."""
    from scipy.integrate import quad

    return lambda second, alpha: -quad(lambda s: float(weight(s, alpha) * second(s)), 0, 1, points=[alpha])[0]


@cache
def _family(long: bool) -> Run:
    return example_families.family(**({"epochs": 40, "weight_decay": 0.0, "fork_epochs": (0,)} if long else {}))


@cache
def _line(long: bool) -> xr.Dataset:
    family, grid = _family(long), lines.LineGrid(alphas=3, alpha_range=(0, 1))
    return lines.line(family.pairs(), grid).sel(epoch=family.experiment.epochs)


@cache
def _ends(by_layer: bool, long: bool) -> xr.Dataset:
    family = _family(long)
    result = curvature.along(family.pairs(), by_layer=by_layer)
    return result.sel(epoch=family.experiment.epochs)


def measured(split: str = "train", long: bool = False, fork: int = 0, of: str = "loss") -> float:
    """The barrier at the midpoint, mean over all pairs: of the `loss`, in nats, or of the `error`, in points."""
    return float(barriers.midpoint_barrier(_line(long)[of].sel(split=split, fork_epoch=fork)).mean())


def predicted(part: str = "all", long: bool = False, fork: int = 0) -> float:
    """The barrier by the formula: from `all` of the Hessian, its `diagonal` blocks, or with the `gradient`."""
    ends = _ends(part == "diagonal", long).sel(fork_epoch=fork)
    second, slope = ends.curvature, ends.slope if part == "gradient" else None
    if part == "diagonal":
        second = sum(second.sel(layer=name, with_layer=name, drop=True) for name in second.layer.values)
    return float(approximations.second_order(second, [0.5], slope=slope).mean())


def _ratio(part: str = "all", split: str = "train", long: bool = False) -> float:
    return predicted(part, long) / measured(split, long)


EXERCISES = {
    "approx-1": Exercise(
        _prediction_for_parabola,
        "A parabola that opens upwards lies below its chord: its barrier is negative, and the formula is never "
        "negative where both ends bend upwards. The gradient term corrects this.",
        {
            "Work out both for phi(a) = a². Where does a parabola lie, above its chord or below?": "the barrier",
            "Its curvature is not zero at either end. What does the formula give?": "zero",
        },
        choices=("the barrier", "minus the barrier", "zero"),
    ),
    "approx-2": Exercise(
        _second_order,
        "The nearer endpoint's Taylor expansion counts for more, and yet the curvature of the *farther* one has the "
        "larger weight: a quadratic term goes with the square of the distance.",
        {
            "The wrong endpoint: the curvature of the first goes with alpha, that of the second with 1 - alpha. Look "
            "at the formula again.": lambda a, p, q: _second_order(a, q, p),
            "The mean of both curvatures? Each has a weight of its own.": lambda a, p, q: _second_order(
                a, (p + q) / 2, (p + q) / 2
            ),
            "The curvature at the second endpoint is missing.": lambda a, p, q: _second_order(a, p, 0.0),
            "The curvature at the first endpoint is missing.": lambda a, p, q: _second_order(a, 0.0, q),
            "That is not zero at both ends. Is a factor missing?": lambda a, p, q: (a * p + (1 - a) * q) / 2,
        },
        test_inputs=((0.5, 8.0, 8.0), (_ALPHAS, 2.0, 6.0), (0.25, 5.0, -1.0)),
    ),
    "approx-3": Exercise(
        _with_slopes,
        "For a quadratic loss it is exact: the term with the slopes is twice as large as the other and has the "
        "opposite sign.",
        {
            "Your answer does not depend on the slopes.": lambda a, s, t, p, q: _second_order(a, p, q),
            "The gradient term has the wrong sign: the slope at the *first* end raises it.": lambda a, s, t, p, q: (
                _with_slopes(a, s, t, p, q, -1.0)
            ),
            "The half belongs to the curvatures alone.": lambda a, s, t, p, q: _with_slopes(a, s, t, p, q, 0.5),
            "At the second end the direction is reversed: its slope counts with a minus.": lambda a, s, t, p, q: (
                _with_slopes(a, s, -t, p, q)
            ),
            "Your answer does not depend on the curvatures.": lambda a, s, t, p, q: _with_slopes(a, s, t, 0.0, 0.0),
            "The curvatures have the wrong sign.": lambda a, s, t, p, q: _with_slopes(a, s, t, -p, -q),
            "The wrong endpoint: the two curvatures are interchanged.": lambda a, s, t, p, q: _with_slopes(
                a, s, t, q, p
            ),
        },
        test_inputs=((_ALPHAS, 0.0, 2.0, 2.0, 2.0), (0.5, -1.0, 1.0, 8.0, 4.0), (0.25, 0.5, -0.25, 1.0, 3.0)),
    ),
    "approx-4": Exercise(
        _from_curvature,
        "A barrier is negative curvature along the line, weighted with a tent.",
        {
            "Positive curvature *lowers* a barrier: the sign is wrong.": lambda *given: -_from_curvature(*given),
            "Every part of the line has the same weight in your integral. Where is the tent?": _weighted(
                lambda s, a: 1.0
            ),
            "The tent has two sides. Beyond alpha it comes down.": _weighted(min),
            "Your tent is one high at its peak. How high is G at s = alpha?": _weighted(
                lambda s, a: toy.tent_function(a, s) / toy.tent_function(a, a)
            ),
            "Your tent peaks at the midpoint. It should peak at alpha.": _weighted(
                lambda s, a: toy.tent_function(0.5, s)
            ),
        },
        test_inputs=((squared, 0.5), (squared, 0.2), (wave, 0.5), (wave, 0.3)),
        tolerance=0.002,
    ),
    "approx-5": Exercise(
        _ratio,
        "After this short training the formula overestimates the barrier. The next exercise shows how much such a "
        "number depends on the recipe.",
        {
            "Does that include the gradient term? The poster's formula has none.": lambda: _ratio("gradient"),
            "Those are only the layers' own blocks. Pairs of layers contribute as well.": lambda: _ratio("diagonal"),
            "You have measured on the test set. The curvatures are those of the training loss.": lambda: _ratio(
                split="test"
            ),
            "That is the fork at epoch 2.": lambda: predicted(fork=2) / measured(fork=2),
            "You have divided by the error barrier. The formula is for the loss.": lambda: (
                predicted() / measured(of="error")
            ),
            "That is the approximation itself. Divide it by the barrier.": predicted,
            "That is the barrier itself.": measured,
        },
        tolerance=0.005,
    ),
    "approx-6": Exercise(
        lambda: _ratio(long=True),
        "Too high before, far too low now: longer training without decay flattens the loss around the endpoints, not "
        "the barrier between them.",
        {
            "That is the ratio of the exercise before.": _ratio,
            "You have measured on the test set. The curvatures are those of the training loss.": lambda: _ratio(
                split="test", long=True
            ),
            "That is the approximation itself. Divide it by the barrier.": lambda: predicted(long=True),
            "That is the barrier itself.": lambda: measured(long=True),
            "You have divided by the barrier of the other family.": lambda: predicted(long=True) / measured(),
            "Does that include the gradient term? The poster's formula has none.": lambda: _ratio(
                "gradient", long=True
            ),
        },
        tolerance=0.005,
    ),
}
