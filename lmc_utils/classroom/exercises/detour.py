"""Exercises on renamed units and on ways around."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

from lmc_utils.classroom import example_families
from lmc_utils.classroom.answer_feedback import Array, Exercise
from lmc_utils.classroom.individual_numbers import IndividualExercise, hundredths
from lmc_utils.connect import alignment, curves
from lmc_utils.measure import barriers, lines

_LINE = lines.LineGrid(alphas=11, alpha_range=(0.0, 1.0))
_BENDING = curves.Bending(curve_epochs=20)
_NUMBERS = np.random.default_rng(0)
# Both networks' units are partly alike, and there is no order that pleases each unit on its own.
_LAYERS = tuple(
    (first, (0.6 * first + _NUMBERS.normal(size=first.shape))[_NUMBERS.permutation(len(first))])
    for first in (_NUMBERS.normal(size=shape) for shape in ((6, 3), (9, 4), (5, 2)))
)
_WAYS = tuple((*_NUMBERS.normal(size=(3, 4)), t) for t in (0.0, 0.25, 0.5, 0.9, 1.0))


@cache
def _barriers(strangers: bool, aligned: bool) -> xr.DataArray:
    family = example_families.family()
    pairs = family.strangers() if strangers else family.pairs()
    if aligned:
        pairs = alignment.align(pairs).pairs
    return barriers.error_barrier(lines.line(pairs, _LINE).error)


def barrier(of: str = "strangers", aligned: bool = False, split: str = "train") -> float:
    """The error barrier in points, mean over all pairs: of strangers, or of siblings, such as those of `fork_0`."""
    found = _barriers(of == "strangers", aligned).sel(split=split)
    return float((found if of == "strangers" else found.sel(fork_epoch=int(of[5:]))).mean())


def _share(of: str = "strangers", split: str = "train") -> float:
    return 1 - barrier(of, True, split) / barrier(of, False, split)


def _most() -> str:
    return max(("strangers", "fork_0", "fork_8"), key=lambda of: barrier(of) - barrier(of, True))


@cache
def _ways() -> xr.DataArray:
    family = example_families.family()
    bent = curves.bend(family.pairs(), _BENDING, family.experiment)
    return barriers.error_barrier(bent.measure().error)


def _way(fork: int = 0, split: str = "train") -> float:
    return float(_ways().sel(fork_epoch=fork, split=split).mean())


def _matched(likeness: Callable[[Array, Array], Array], best: bool = True) -> Callable[[Array, Array], Any]:
    return lambda first, second: linear_sum_assignment(likeness(first, second), maximize=best)[1]


def _products(first: Array, second: Array) -> Array:
    return first @ second.T


def _point(first: Any, bend: Any, second: Any, t: float, both: float = 2.0) -> Any:
    return (1 - t) ** 2 * first + both * t * (1 - t) * bend + t**2 * second


def _bent_by_hand(radius: float) -> Exercise:
    return Exercise(
        2 * radius,
        "Half-way the curve is only half as far out as its bend.",
        {
            "There the bend would be if the curve led through it. Half-way it is only a part of the point.": radius,
            "Half-way each end has a weight of a quarter. How much is left for the bend?": 4 * radius,
            "There the curve stays on the straight line, at the top of the hill.": 0.0,
        },
    )


EXERCISES = {
    "detour-1": Exercise(
        _most,
        "They never had anything in common. Siblings had at least their start, and with it most of their names.",
        {
            "They begin as one network, unit by unit. Who does not?": "fork_0",
            "They have been one network for eight epochs. Is anything left to rename?": "fork_8",
        },
        choices=("strangers", "fork_0", "fork_8"),
    ),
    "detour-2": Exercise(
        _matched(_products),
        "One layer is an assignment problem, and that is solved exactly; it is several layers that are hard.",
        {
            "Each unit has taken the one that it likes best, and some were taken twice. Take each once.": (
                lambda first, second: _products(first, second).argmax(1)
            ),
            "That is the inverse: where each unit of the second network goes, not which one comes to each place.": (
                lambda first, second: np.argsort(_matched(_products)(first, second))
            ),
            "These are the units that are *least* alike. Is it the cost or the likeness that you hand over?": _matched(
                _products, best=False
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
        _point,
        "At both ends it is the networks themselves, whatever the bend; and it never reaches the bend.",
        {
            "The three weights have to add up to one for every t.": lambda a, b, c, t: _point(a, b, c, t, 1.0),
            "At t = 0 your way begins at the second network.": lambda a, b, c, t: _point(c, b, a, t),
            "That way has a corner at the bend: it is a chain of two legs.": lambda a, b, c, t: (
                a + 2 * t * (b - a) if t <= 0.5 else b + (2 * t - 1) * (c - b)
            ),
            "That is the straight line. Where is the bend?": lambda a, b, c, t: (1 - t) * a + t * c,
        },
        test_inputs=_WAYS,
    ),
    "detour-4": IndividualExercise({"radius": 1}, {"radius": hundredths(1.05, 9.95)}, _bent_by_hand),
    "detour-5": Exercise(
        _share,
        "What is left is no matter of names, as far as this search can tell: there may be better ones.",
        {
            "Those are points. Which share of the barrier is it?": lambda: barrier() - barrier(aligned=True),
            "That share is left. Which one has gone?": lambda: 1 - _share(),
            "You have measured on the test set.": lambda: _share(split="test"),
            "Those are siblings that part at initialisation, not strangers.": lambda: _share("fork_0"),
        },
    ),
    "detour-6": Exercise(
        _way,
        "Twenty epochs, and most of the ridge has been walked around.",
        {
            "That is the barrier on the straight line.": lambda: barrier("fork_0"),
            "Those are siblings that part after two epochs.": lambda: _way(2),
            "You have measured on the test set.": lambda: _way(split="test"),
        },
    ),
}
