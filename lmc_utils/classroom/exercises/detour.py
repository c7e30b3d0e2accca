"""Exercises on permutation symmetry and on Bezier curves."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

from lmc_utils.classroom import example_families
from lmc_utils.classroom.answer_feedback import Exercise
from lmc_utils.classroom.individual_numbers import IndividualExercise, hundredths
from lmc_utils.classroom.number_answers import Array
from lmc_utils.connect import alignment
from lmc_utils.measure import barriers, curves, lines

_LINE = lines.LineGrid(alphas=11, alpha_range=(0.0, 1.0))
_CURVE = curves.CurveSettings(curve_epochs=20)
_NUMBERS = np.random.default_rng(0)
# The units of both networks are correlated, and no permutation gives each unit its own best match.
_LAYERS = tuple(
    (first, (0.6 * first + _NUMBERS.normal(size=first.shape))[_NUMBERS.permutation(len(first))])
    for first in (_NUMBERS.normal(size=shape) for shape in ((6, 3), (9, 4), (5, 2)))
)
_CURVE_POINTS = tuple((*_NUMBERS.normal(size=(3, 4)), t) for t in (0.0, 0.25, 0.5, 0.9, 1.0))


@cache
def _barriers(independent: bool, aligned: bool) -> xr.DataArray:
    family = example_families.family()
    pairs = family.independent_pairs() if independent else family.pairs()
    if aligned:
        pairs = alignment.align(pairs).pairs
    return barriers.error_barrier(lines.line(pairs, _LINE).error)


def _barrier(of: str = "independent", aligned: bool = False, split: str = "train") -> float:
    """The error barrier in points, mean over all pairs: of independent networks, or of siblings, such as `fork_0`."""
    result = _barriers(of == "independent", aligned).sel(split=split)
    return float((result if of == "independent" else result.sel(fork_epoch=int(of[5:]))).mean())


def _removed_fraction(of: str = "independent", split: str = "train") -> float:
    return 1 - _barrier(of, True, split) / _barrier(of, False, split)


def _largest_reduction() -> str:
    return max(("independent", "fork_0", "fork_8"), key=lambda of: _barrier(of) - _barrier(of, True))


@cache
def _along_curves() -> xr.Dataset:
    family = example_families.family()
    return curves.train(family.pairs(), _CURVE, family.experiment).measure()


def _curve_barriers(of: str = "error") -> xr.DataArray:
    along = _along_curves()[of]
    return barriers.error_barrier(along) if of == "error" else barriers.barrier_height(along)


def _curve_barrier(fork: int = 0, split: str = "train", of: str = "error") -> float:
    return float(_curve_barriers(of).sel(fork_epoch=fork, split=split).mean())


def _matching(similarity: Callable[[Array, Array], Array], best: bool = True) -> Callable[[Array, Array], Any]:
    return lambda first, second: linear_sum_assignment(similarity(first, second), maximize=best)[1]


def _products(first: Array, second: Array) -> Array:
    return first @ second.T


def _bezier(first: Any, bend: Any, second: Any, t: float, weight: float = 2.0) -> Any:
    return (1 - t) ** 2 * first + weight * t * (1 - t) * bend + t**2 * second


def _bend_for_radius(radius: float) -> Exercise:
    return Exercise(
        2 * radius,
        "At the midpoint the curve is only half as far out as its bend.",
        {
            "The bend would be there if the curve passed through it. At the midpoint it is part of a sum.": radius,
            "At the midpoint each end has a weight of a quarter. How much is left for the bend?": 4 * radius,
            "That is for a cubic curve with two bends at this height. This one is quadratic and has one bend.": (
                radius / (3 / 8 + 3 / 8)
            ),
            "There the curve stays on the straight line, at the top of the hill.": 0.0,
        },
    )


EXERCISES = {
    "detour-1": Exercise(
        _largest_reduction,
        "They never had anything in common. Siblings had at least their start, and with it most of their permutation.",
        {
            "They begin as one network, unit by unit. Who does not?": "fork_0",
            "They have been one network for eight epochs. Is anything left to permute?": "fork_8",
        },
        choices=("independent", "fork_0", "fork_8"),
    ),
    "detour-2": Exercise(
        _matching(_products),
        "One layer is an assignment problem, and that is solved exactly; it is several layers that are hard.",
        {
            "Each unit has its best match, and some units are matched twice. Match each once.": (
                lambda first, second: _products(first, second).argmax(1)
            ),
            "That is the inverse: where each unit of the second network goes, not which one comes to each place.": (
                lambda first, second: np.argsort(_matching(_products)(first, second))
            ),
            "These are the units that are *least* alike. Do you pass the cost or the similarity?": _matching(
                _products, best=False
            ),
            "Those are the rows of the assignment, 0, 1, 2, ... Its columns are the order.": (
                lambda first, second: linear_sum_assignment(_products(first, second), maximize=True)[0]
            ),
            "You have put both in the order of their lengths. Two vectors of one length can be far apart.": (
                lambda first, second: np.argsort(np.linalg.norm(second, axis=1))[
                    np.argsort(np.argsort(np.linalg.norm(first, axis=1)))
                ]
            ),
        },
        test_inputs=_LAYERS,
    ),
    "detour-3": Exercise(
        _bezier,
        "At both ends it is the networks themselves, whatever the bend; and it does not pass through the bend.",
        {
            "The three weights have to add up to one for every t.": lambda a, b, c, t: _bezier(a, b, c, t, 1.0),
            "At t = 0 your curve begins at the second network.": lambda a, b, c, t: _bezier(c, b, a, t),
            "That path has a corner at the bend: it is a chain of two segments.": lambda a, b, c, t: (
                a + 2 * t * (b - a) if t <= 0.5 else b + (2 * t - 1) * (c - b)
            ),
            "Your curve passes through the bend. A Bézier curve only leans towards it.": lambda a, b, c, t: (
                (1 - t) * (1 - 2 * t) * a + 4 * t * (1 - t) * b + t * (2 * t - 1) * c
            ),
            "That is the straight line. Where is the bend?": lambda a, b, c, t: (1 - t) * a + t * c,
        },
        test_inputs=_CURVE_POINTS,
    ),
    "detour-4": IndividualExercise({"radius": 1}, {"radius": hundredths(1.05, 9.95)}, _bend_for_radius),
    "detour-5": Exercise(
        _removed_fraction,
        "What is left is not due to permutations, as far as this search shows: there may be a better one.",
        {
            "Those are points. Which fraction of the barrier is it?": lambda: _barrier() - _barrier(aligned=True),
            "That is the barrier after alignment, in points.": lambda: _barrier(aligned=True),
            "That is the barrier before alignment, in points.": _barrier,
            "That fraction is left. Which one is removed?": lambda: 1 - _removed_fraction(),
            "You have measured on the test set.": lambda: _removed_fraction(split="test"),
            "Those are siblings that fork at initialisation, not independent networks.": lambda: _removed_fraction(
                "fork_0"
            ),
        },
    ),
    "detour-6": Exercise(
        _curve_barrier,
        "After twenty epochs the curve avoids most of the barrier.",
        {
            "That is the barrier on the straight line.": lambda: _barrier("fork_0"),
            "Those are siblings that fork after two epochs.": lambda: _curve_barrier(2),
            "That is the mean over all forks.": lambda: float(_curve_barriers().sel(split="train").mean()),
            "That is the loss barrier, in nats. The error barrier is in points.": lambda: _curve_barrier(of="loss"),
            "You have measured on the test set.": lambda: _curve_barrier(split="test"),
        },
    ),
}
