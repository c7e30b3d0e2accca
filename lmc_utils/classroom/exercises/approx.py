"""Exercises on the second-order approximation of the barrier."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from lmc_utils import toy
from lmc_utils.classroom import lesson
from lmc_utils.classroom.judging import Array, Exercise, Mistake
from lmc_utils.measure import approximations, barriers, curvature, lines

_ENDS = {"alpha": [0.0, 1.0]}
_ALPHAS = np.linspace(0, 1, 5)
LONG: dict[str, Any] = {"epochs": 40, "weight_decay": 0.0, "fork_epochs": (0,)}


def _of_a_quadratic() -> str:
    """What the poster's formula says of phi(a) = a^2, beside the true barrier."""
    bend = xr.DataArray([2.0, 2.0], coords=_ENDS)
    true = barriers.loss_barrier(xr.DataArray([0.0, 0.25, 1.0], coords={"alpha": [0.0, 0.5, 1.0]})).sel(alpha=0.5)
    ratio = float(approximations.second_order(bend, [0.5]).squeeze() / true)
    return {1.0: "the barrier", -1.0: "minus the barrier", 0.0: "zero"}[ratio]


def _bends() -> list[tuple[Any, ...]]:
    return [(0.5, 8.0, 8.0), (_ALPHAS, 2.0, 6.0), (0.25, 5.0, -1.0)]


def _second_order(alpha: ArrayLike, first: float, second: float) -> Array:
    alpha = np.asarray(alpha)
    mixed: Array = alpha * (1 - alpha) / 2 * (alpha * first + (1 - alpha) * second)
    return mixed


def _slopes_and_bends() -> list[tuple[Any, ...]]:
    return [(_ALPHAS, 0.0, 2.0, 2.0, 2.0), (0.5, -1.0, 1.0, 8.0, 4.0), (0.25, 0.5, -0.25, 1.0, 3.0)]


def _with_slopes(share: float) -> Callable[..., Array]:
    """The approximation with some multiple of the gradient term."""

    def barrier(alpha: ArrayLike, slope_1: float, slope_2: float, bend_1: float, bend_2: float) -> Array:
        alpha = np.asarray(alpha)
        term = share * alpha * (1 - alpha) * (slope_1 - slope_2)
        total: Array = term + _second_order(alpha, bend_1, bend_2)
        return total

    return barrier


def squared(s: ArrayLike) -> Array:
    """phi'' of phi = s^4."""
    return 12 * np.asarray(s, dtype=np.float64) ** 2


def wave(s: ArrayLike) -> Array:
    """phi'' of a bell: phi = (1 - cos(2 pi s)) / 2."""
    return 2 * np.pi**2 * np.cos(2 * np.pi * np.asarray(s, dtype=np.float64))


def _tent(s: Array, alpha: float) -> Array:
    return toy.tent(alpha, s)


def _integrals() -> list[tuple[Any, ...]]:
    return [(squared, 0.5), (squared, 0.2), (wave, 0.5), (wave, 0.3)]


def _weighted(weight: Callable[[Array, float], Array], sign: float = -1.0) -> Callable[..., float]:
    """The integral over the line of the curvature times a weight."""

    def barrier(bend: Callable[[Array], Array], alpha: float) -> float:
        total = 0.0
        for low, high in ((0.0, alpha), (alpha, 1.0)):
            s = low + (high - low) * approximations.gauss_legendre(24)
            weights = np.polynomial.legendre.leggauss(24)[1] * (high - low) / 2
            total += float(np.sum(weights * weight(s, alpha) * bend(s)))
        return sign * total

    return barrier


@cache
def measured(split: str = "train", long: bool = False) -> float:
    """The loss barrier half-way for the fork at initialisation, mean over all pairs, in nats."""
    family = lesson.family(**LONG if long else {})
    loss = lines.line(family.pairs(), lines.LineGrid(alphas=3, alpha_range=(0, 1)), progress=False).loss
    last = family.experiment.epochs
    return float(barriers.midpoint_barrier(loss.sel(split=split, fork_epoch=0, epoch=last)).mean())


@cache
def predicted(part: str = "all", long: bool = False) -> float:
    """What the formula makes of it: from `all` of the Hessian, its `diagonal` blocks, or with the `gradient`."""
    family = lesson.family(**LONG if long else {})
    ends = curvature.along(family.pairs(), by_layer=part == "diagonal", progress=False)
    ends = ends.sel(fork_epoch=0, epoch=family.experiment.epochs)
    bend, slope = ends.curvature, ends.slope if part == "gradient" else None
    if part == "diagonal":
        bend = sum(bend.sel(layer=name, with_layer=name, drop=True) for name in bend.layer.values)
    return float(approximations.second_order(bend, [0.5], slope).mean())


EXERCISES = (
    Exercise(
        "approx-1",
        _of_a_quadratic,
        "A parabola that opens upwards lies below its chord: its barrier is negative, and the formula is never "
        "negative where both ends bend upwards. The gradient term puts that right.",
        (
            Mistake(
                "Work out both for phi(a) = a². Where does a parabola lie, above its chord or below?",
                lambda: "the barrier",
            ),
            Mistake("Its curvature is not zero at either end. What does the formula make of it?", lambda: "zero"),
        ),
        choices=("the barrier", "minus the barrier", "zero"),
    ),
    Exercise(
        "approx-2",
        lambda: _second_order,
        "The nearer endpoint's Taylor expansion counts for more, and yet the curvature of the *farther* one has the "
        "larger weight: a quadratic term goes with the square of the distance.",
        (
            Mistake(
                "The wrong endpoint: the curvature of the first goes with alpha, that of the second with 1 - alpha. "
                "Look at the formula again.",
                lambda: lambda a, p, q: _second_order(1 - np.asarray(a), p, q),
            ),
            Mistake(
                "The mean of both curvatures? Each has a weight of its own.",
                lambda: lambda a, p, q: _second_order(a, (p + q) / 2, (p + q) / 2),
            ),
            Mistake(
                "That is not zero at both ends. Is a factor missing?",
                lambda: lambda a, p, q: (np.asarray(a) * p + (1 - np.asarray(a)) * q) / 2,
            ),
        ),
        probes=_bends,
        tolerance=1e-6,
    ),
    Exercise(
        "approx-3",
        lambda: _with_slopes(1.0),
        "For a quadratic loss it is exact: the term with the slopes is twice as large as the other and has its sign "
        "turned round.",
        (
            Mistake("Where are the slopes? They do not count in your answer.", lambda: _with_slopes(0.0)),
            Mistake(
                "The gradient term has the wrong sign: the slope at the *first* end raises it.",
                lambda: _with_slopes(-1.0),
            ),
            Mistake("The half belongs to the curvatures alone.", lambda: _with_slopes(0.5)),
            Mistake(
                "From the second end the way leads back: its slope counts with a minus.",
                lambda: lambda a, s, t, p, q: _with_slopes(1.0)(a, s, -t, p, q),
            ),
            Mistake(
                "The wrong endpoint: the two curvatures are interchanged.",
                lambda: lambda a, s, t, p, q: _with_slopes(1.0)(a, s, t, q, p),
            ),
        ),
        probes=_slopes_and_bends,
        tolerance=1e-6,
    ),
    Exercise(
        "approx-4",
        lambda: _weighted(_tent),
        "A barrier is negative curvature along the line, weighted with a tent.",
        (
            Mistake("Positive curvature *lowers* a barrier: the sign is turned round.", lambda: _weighted(_tent, 1.0)),
            Mistake(
                "Every part of the line counts the same in your integral. Where is the tent?",
                lambda: _weighted(lambda s, a: np.ones_like(s)),
            ),
            Mistake(
                "The tent has two sides. Beyond alpha it comes down.", lambda: _weighted(lambda s, a: np.minimum(s, a))
            ),
            Mistake(
                "Your tent has its top in the middle. It should be at alpha.",
                lambda: _weighted(lambda s, a: toy.tent(0.5, s)),
            ),
        ),
        probes=_integrals,
        tolerance=0.002,
    ),
    Exercise(
        "approx-5",
        lambda: predicted() / measured(),
        "After this short training the formula overrates the barrier. The next exercise shows what such a number is "
        "worth.",
        (
            Mistake(
                "Is that with the gradient term? The poster's formula goes without.",
                lambda: predicted("gradient") / measured(),
            ),
            Mistake(
                "Those are the layers' own blocks. Layers that move together count as well.",
                lambda: predicted("diagonal") / measured(),
            ),
            Mistake(
                "You have measured on the test set. The curvatures are those of the train loss.",
                lambda: predicted() / measured("test"),
            ),
            Mistake("That is the approximation itself. Divide it by the barrier.", predicted),
            Mistake("That is the barrier itself.", measured),
        ),
        tolerance=0.005,
    ),
    Exercise(
        "approx-6",
        lambda: predicted(long=True) / measured(long=True),
        "Too high before, far too low now: longer training without decay flattens the endpoints, not the ridge between "
        "them.",
        (
            Mistake("That is the ratio of the exercise before.", lambda: predicted() / measured()),
            Mistake("You have divided by the barrier of the other family.", lambda: predicted(long=True) / measured()),
            Mistake(
                "Is that with the gradient term? The poster's formula goes without.",
                lambda: predicted("gradient", long=True) / measured(long=True),
            ),
        ),
        tolerance=0.005,
    ),
)
