"""Exercises on toy landscapes: NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lmc_utils import toy
from lmc_utils.classroom.answer_feedback import Exercise, Part
from lmc_utils.classroom.individual_numbers import IndividualExercise, hundredths
from lmc_utils.classroom.number_answers import Array

_FIVE = toy.on_interval(5)
_MOVED_INWARDS = _FIVE * np.where(np.abs(_FIVE) == 1, 0.95, 1.0)  # the two outermost only
_THREE = toy.on_interval(3)
_PLACED = 6
_ANYWHERE = np.random.default_rng(7).uniform(-2, 2, size=(4, 5))
_ALPHAS = np.linspace(0, 1, 5)
_OUTER_RIDGE = toy.neighbour_barriers(_THREE)[1]
_CURVATURE_INSIDE, _CURVATURE_OUTSIDE = toy.curvature(_THREE[1:], _THREE)
_APPROXIMATED = toy.approximation_factors(_THREE)[1] * _OUTER_RIDGE
_STRETCH = 1 / np.cos(np.pi / 10)  # takes the outermost of five Chebyshev points to 1


def _barrier(path: Callable[[Array], Any], chord: Callable[[Array], Any]) -> Callable[..., Any]:
    """The barrier with one function of alpha for the point on the segment, and another for the chord."""

    def barrier(alpha: Array, theta_1: float, theta_2: float, roots: Array) -> Any:
        a, b = path(np.asarray(alpha)), chord(np.asarray(alpha))
        one, two = toy.value([theta_1, theta_2], roots)
        return toy.value((1 - a) * theta_1 + a * theta_2, roots) - (1 - b) * one - b * two

    return barrier


def _forwards(alpha: Array) -> Array:
    return alpha


def _backwards(alpha: Array) -> Array:
    return 1 - alpha


def _outside_interval(roots: Array) -> str | None:
    if roots.shape != (_PLACED,):
        return f"Expected {_PLACED} numbers, got an answer of shape {roots.shape}."
    return None if (np.abs(roots) <= 1).all() else "One of them is not between -1 and 1."


def _scaled_pair(half: float) -> Exercise:
    return Exercise(
        toy.neighbour_barriers([-half, half])[0],
        f"Every length has grown by a factor of {half:g}, and f is a product of four lengths.",
        {
            "That is the product of the distances. Each factor of f is a distance *squared*.": half**2,
            "A barrier does not grow in proportion to the distance. What is f at the midpoint?": half,
            "The top of the ridge is at the midpoint: how far is it from either solution?": (2 * half) ** 4,
            "That is the second-order approximation. The exact height is f at the top.": 4 * half**4,
        },
    )


EXERCISES = {
    "toy-1": Exercise(
        "rises" if toy.neighbour_barriers(_MOVED_INWARDS).max() > toy.neighbour_barriers(_FIVE).max() else "falls",
        "The outer ridges are the highest, and become lower when the outermost solutions move closer to all others. "
        "So do the inner ridges.",
        {
            "Take a point on the highest ridge and multiply its distances to all five solutions, before and after. "
            "Which of the five have changed, and which way?": "rises",
            "Two of five distances have changed, for every point. Can their product stay the same?": "stays",
        },
        choices=("rises", "falls", "stays"),
    ),
    "toy-2": IndividualExercise({"half": 1.5}, {"half": hundredths(1.11, 2.89)}, _scaled_pair),
    "toy-3": Exercise(
        toy.value,
        "Add an axis for the roots, and take the product along it.",
        {
            "Each factor of the product is squared.": lambda t, r: np.subtract.outer(t, r).prod(-1),
            "A factor is zero where theta is at its solution. Mind the sign.": lambda t, r: (
                np.add.outer(t, r) ** 2
            ).prod(-1),
            "You have multiplied over the thetas as well. Each theta has a value of its own.": lambda t, r: (
                np.subtract.outer(t, r) ** 2
            ).prod(),
            "Multiply the factors, do not add them.": lambda t, r: (np.subtract.outer(t, r) ** 2).sum(-1),
            "That is the logarithm of f.": lambda t, r: np.log(toy.value(t, r) + 1e-300),
        },
        test_inputs=(
            (0.0, [-1.0, 1.0]),
            (0.3, [2.0]),
            (np.linspace(-2, 2, 7), [-1.0, 0.5, 1.0]),
            (np.ones((2, 3)), [0.0, 3.0]),
            (_ANYWHERE, [-1.0, 0.0, 2.0]),
            (1.7, [-1.0, 0.0, 2.0]),
        ),
        parts={"theta as a number": Part((0, 1, 5)), "theta as an array": Part((2, 3, 4))},
    ),
    "toy-4": Exercise(
        lambda alpha, theta_1, theta_2, roots: toy.barrier_curve(theta_1, theta_2, alpha, roots),
        "At both ends it is zero, whatever the endpoints, and it may be negative in between.",
        {
            "That is the height of the landscape. How far is it above the chord?": lambda a, one, two, roots: toy.value(
                (1 - np.asarray(a)) * one + np.asarray(a) * two, roots
            ),
            "alpha = 0 should be at theta_1 and alpha = 1 at theta_2. On the segment you have "
            "interchanged them, in the chord you have not.": _barrier(_backwards, _forwards),
            "The chord is interchanged: it should be f(theta_1) at alpha = 0 and f(theta_2) at alpha = 1.": _barrier(
                _forwards, _backwards
            ),
            "The wrong endpoint: you start at theta_2. alpha = 0 should be at theta_1.": _barrier(
                _backwards, _backwards
            ),
            "You have subtracted the height of theta_1 only. Where does the chord end?": _barrier(
                _forwards, np.zeros_like
            ),
            "It may be negative, too: do not cut it off at zero.": lambda *given: np.maximum(
                _barrier(_forwards, _forwards)(*given), 0
            ),
            "That is the highest barrier. Each alpha has a value of its own.": lambda *given: np.max(
                _barrier(_forwards, _forwards)(*given)
            ),
            "You have subtracted the mean of both ends. The chord between them is a straight line in alpha.": _barrier(
                _forwards, lambda alpha: 0.5
            ),
        },
        test_inputs=((_ALPHAS, -1.0, 1.0, [-1.0, 1.0]), (_ALPHAS, -1.2, 0.4, [-1.0, 1.0]), (0.25, 0.9, -0.3, _THREE)),
    ),
    "toy-5": Exercise(
        toy.approximation_factors(_THREE)[1],
        "At the outer solution the landscape bends four times as much as at the inner one. Both curves are asymmetric, "
        "and have their tops at different alphas.",
        {
            "You have compared both at the midpoint. The heights were asked for: each curve has its top at an alpha "
            "of its own.": toy.second_order_barrier(0, 1, [0.5], _THREE) / toy.barrier_curve(0, 1, [0.5], _THREE),
            "Did you use the inner solution's curvature alone? The outer one differs.": _CURVATURE_INSIDE
            / 8
            / _OUTER_RIDGE,
            "Did you use the outer solution's curvature alone? The inner one differs.": _CURVATURE_OUTSIDE
            / 8
            / _OUTER_RIDGE,
            "Did you use the mean of both curvatures at every alpha? In the formula, their weights depend on alpha.": (
                (_CURVATURE_INSIDE + _CURVATURE_OUTSIDE) / 16 / _OUTER_RIDGE
            ),
            "That is the height of the approximation. How high is the true barrier?": _APPROXIMATED,
            "That is the difference of both heights. By what *factor* do they differ?": _APPROXIMATED - _OUTER_RIDGE,
            "Is that the factor for two solutions? The third one changes both the ridge and the curvatures.": (
                toy.approximation_factors([-1.0, 1.0])[0]
            ),
        },
    ),
    "toy-6": Exercise(
        _STRETCH**10,
        "Stretching by s multiplies a product of ten lengths by s to the tenth, on every ridge alike: they stay equal.",
        {
            "Five factors, each of them squared: how many lengths is that?": _STRETCH**5,
            "That is how far the solutions have moved. How does a product of lengths follow?": _STRETCH,
            "f has more than one factor.": _STRETCH**2,
            "f has a factor for each solution, not for each ridge.": _STRETCH ** (2 * 4),
            "That is by how much it grows, as a fraction. By what *factor*?": _STRETCH**10 - 1,
            "NumPy's cosine takes radians.": np.cos(np.degrees(np.pi / 10)) ** -10,
        },
        tolerance=0.005,
    ),
    "toy-7": Exercise(
        toy.chebyshev(_PLACED),
        "No placement keeps the landscape lower on the whole of [-1, 1].",
        {
            "Equally spaced from end to end, the landscape is highest near the edges. Where are more "
            "solutions needed?": toy.on_interval(_PLACED),
            "Equally spaced, away from the ends: now it is highest at the very ends. Space them unequally.": (
                toy.equally_spaced(_PLACED, 2 / _PLACED)
            ),
            "These are the points where T_m is largest. Solutions belong where it is zero.": np.cos(
                np.pi * np.arange(_PLACED) / (_PLACED - 1)
            ),
            "The outermost need not be at the ends: stretching a placement raises all of its ridges.": (
                toy.chebyshev(_PLACED) / toy.chebyshev(_PLACED).max()
            ),
            "These have the lowest mean square of the product. Its largest value was asked for.": (
                np.polynomial.legendre.leggauss(_PLACED)[0]
            ),
        },
        reject=_outside_interval,
        objective=lambda roots: toy.value(np.linspace(-1, 1, 4001), roots).max(),
    ),
}
