"""Exercises on toy landscapes: NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lmc_utils import toy
from lmc_utils.classroom.judging import Array, Exercise, Mistake

FIVE = toy.on_interval(5)
PULLED = FIVE * np.where(np.abs(FIVE) == 1, 0.95, 1.0)  # the two outermost, a little inwards
APART = (-1.5, 1.5)
THREE = toy.on_interval(3)
PLACED = 6
_GRID = np.linspace(-1, 1, 4001)


def _direction() -> str:
    change = toy.neighbour_barriers(PULLED).max() - toy.neighbour_barriers(FIVE).max()
    return "rises" if change > 0 else "falls"


def _landscapes() -> list[tuple[Any, ...]]:
    return [(0.0, [-1.0, 1.0]), (0.3, [2.0]), (np.linspace(-2, 2, 7), [-1.0, 0.5, 1.0]), (np.ones((2, 3)), [0.0, 3.0])]


def _distances(theta: ArrayLike, roots: ArrayLike) -> Array:
    away: Array = np.abs(np.asarray(theta)[..., None] - np.asarray(roots))
    return away


def _segments() -> list[tuple[Any, ...]]:
    alphas = np.linspace(0, 1, 5)
    return [(alphas, -1.0, 1.0, [-1.0, 1.0]), (alphas, -1.2, 0.4, [-1.0, 1.0]), (0.25, 0.9, -0.3, THREE)]


def _swapped(alpha: ArrayLike, theta_1: float, theta_2: float, roots: ArrayLike) -> Array:
    alpha = np.asarray(alpha)
    on_the_way = toy.value(alpha * theta_1 + (1 - alpha) * theta_2, roots)
    return on_the_way - (1 - alpha) * toy.value(theta_1, roots) - alpha * toy.value(theta_2, roots)


def _chord_turned(alpha: ArrayLike, theta_1: float, theta_2: float, roots: ArrayLike) -> Array:
    alpha = np.asarray(alpha)
    chord = alpha * toy.value(theta_1, roots) + (1 - alpha) * toy.value(theta_2, roots)
    return _on_the_way(alpha, theta_1, theta_2, roots) - chord


def _above_the_mean(alpha: ArrayLike, theta_1: float, theta_2: float, roots: ArrayLike) -> Array:
    ends = (toy.value(theta_1, roots) + toy.value(theta_2, roots)) / 2
    return _on_the_way(alpha, theta_1, theta_2, roots) - ends


def _on_the_way(alpha: ArrayLike, theta_1: float, theta_2: float, roots: ArrayLike) -> Array:
    alpha = np.asarray(alpha)
    return toy.value((1 - alpha) * theta_1 + alpha * theta_2, roots)


def _factor_half_way() -> float:
    second_order = toy.second_order_barrier(THREE[1], THREE[2], [0.5], THREE)
    return float(second_order[0] / toy.barrier_curve(THREE[1], THREE[2], [0.5], THREE)[0])


def _factor_of_one_end(end: int) -> float:
    """The height of the approximation if the curvature of one endpoint stood for both."""
    bend = toy.curvature(THREE[end], THREE)
    return float(bend / 8 / toy.neighbour_barriers(THREE)[1])


def _highest(roots: Array) -> float:
    return float(toy.value(_GRID, roots).max())


def _fits_the_interval(roots: Array) -> str | None:
    if roots.shape != (PLACED,):
        return f"Expected {PLACED} numbers, got an answer of shape {roots.shape}."
    if not (np.abs(roots) <= 1).all():
        return "One of them is not between -1 and 1."
    return None


_STRETCH = 1 / np.cos(np.pi / 10)  # takes the outermost of five Chebyshev points to 1

EXERCISES = (
    Exercise(
        "toy-1",
        _direction,
        "The outer ridges are the highest, and they sink when their outer foot comes nearer to all other solutions. "
        "The inner ridges sink as well.",
        (
            Mistake(
                "Take a point on the highest ridge and multiply its distances to all five solutions, before and after. "
                "Which of the five have changed, and which way?",
                lambda: "rises",
            ),
            Mistake("Two of five distances have changed, for every point. Can their product stay?", lambda: "stays"),
        ),
        choices=("rises", "falls", "stays"),
    ),
    Exercise(
        "toy-2",
        lambda: toy.neighbour_barriers(APART)[0],
        "Every length has grown by 1.5, and f is a product of four lengths.",
        (
            Mistake("That is the product of the distances. Each factor of f is a distance *squared*.", lambda: 1.5**2),
            Mistake("A barrier does not grow in proportion to the distance. What is f half-way?", lambda: 1.5),
            Mistake("The top of the ridge is half-way: how far is it from either solution?", lambda: 3.0**4),
            Mistake("That is the second-order approximation. The exact height is f at the top.", lambda: 4 * 1.5**4),
        ),
    ),
    Exercise(
        "toy-3",
        lambda: toy.value,
        "One axis more for the roots, the product along it: that is all.",
        (
            Mistake(
                "Each factor of the product is squared.", lambda: lambda t, r: (np.asarray(t)[..., None] - r).prod(-1)
            ),
            Mistake("Multiply the factors, do not add them.", lambda: lambda t, r: (_distances(t, r) ** 2).sum(-1)),
            Mistake("That is the logarithm of f.", lambda: lambda t, r: np.log(toy.value(t, r) + 1e-300)),
        ),
        probes=_landscapes,
        tolerance=1e-6,
    ),
    Exercise(
        "toy-4",
        lambda: lambda alpha, theta_1, theta_2, roots: toy.barrier_curve(theta_1, theta_2, alpha, roots),
        "At both ends it is zero, whatever the endpoints, and it may be negative in between.",
        (
            Mistake("That is the height of the landscape. How far is it above the chord?", lambda: _on_the_way),
            Mistake(
                "alpha = 0 should be at theta_1 and alpha = 1 at theta_2. On the way you have interchanged them, in "
                "the chord you have not.",
                lambda: _swapped,
            ),
            Mistake(
                "The chord is interchanged: it should be f(theta_1) at alpha = 0 and f(theta_2) at alpha = 1.",
                lambda: _chord_turned,
            ),
            Mistake(
                "The wrong endpoint: you start at theta_2. alpha = 0 should be at theta_1.",
                lambda: lambda alpha, one, two, roots: toy.barrier_curve(two, one, alpha, roots),
            ),
            Mistake(
                "You have taken away the mean of both ends. The chord between them is a straight line in alpha.",
                lambda: _above_the_mean,
            ),
        ),
        probes=_segments,
        tolerance=1e-6,
    ),
    Exercise(
        "toy-5",
        lambda: toy.approximation_factors(THREE)[1],
        "At the outer solution the landscape bends four times as much as at the inner one. Both curves are lopsided, "
        "and each has its top at another alpha.",
        (
            Mistake(
                "You have compared both half-way. The heights were asked for: each curve has its top at an alpha of "
                "its own.",
                _factor_half_way,
            ),
            Mistake("The inner solution's curvature alone? The outer one has another.", lambda: _factor_of_one_end(1)),
            Mistake("The outer solution's curvature alone? The inner one has another.", lambda: _factor_of_one_end(2)),
            Mistake(
                "Is that the factor for two solutions? The third one changes both the ridge and the curvatures.",
                lambda: toy.approximation_factors([-1.0, 1.0])[0],
            ),
        ),
    ),
    Exercise(
        "toy-6",
        lambda: _STRETCH**10,
        "Stretching by s multiplies a product of ten lengths by s to the tenth, on every ridge alike: they stay equal.",
        (
            Mistake("Five factors, each of them squared: how many lengths is that?", lambda: _STRETCH**5),
            Mistake(
                "That is how far the solutions have moved. How does a product of lengths follow?", lambda: _STRETCH
            ),
            Mistake("f has more than one factor.", lambda: _STRETCH**2),
        ),
        tolerance=0.005,
    ),
    Exercise(
        "toy-7",
        lambda: toy.chebyshev(PLACED),
        "Nobody can place them so that the landscape stays lower on the whole of [-1, 1].",
        (
            Mistake(
                "Equally spaced from end to end, the landscape is highest near the edges. Where should more solutions "
                "stand?",
                lambda: toy.on_interval(PLACED),
            ),
            Mistake(
                "Equally spaced, off the ends: now it is highest at the very ends. Space them unequally.",
                lambda: toy.equally_spaced(PLACED, 2 / PLACED),
            ),
            Mistake(
                "These are the points where T_m is largest. Solutions belong where it is zero.",
                lambda: np.cos(np.pi * np.arange(PLACED) / (PLACED - 1)),
            ),
        ),
        refuse=_fits_the_interval,
        view=_highest,
    ),
)
