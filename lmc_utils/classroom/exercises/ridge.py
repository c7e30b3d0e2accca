"""Exercises on the loss surface between siblings."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
import xarray as xr

from lmc_utils.classroom import example_families
from lmc_utils.classroom.answer_feedback import Exercise, Part
from lmc_utils.classroom.individual_numbers import IndividualExercise, hundredths
from lmc_utils.classroom.number_answers import Array
from lmc_utils.measure import planes, ridges

_LEFT, _RIGHT, _TOP, _ASIDE = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.5, 3.0]])
_HEIGHTS = np.linspace(0, 0.8, 5)


@cache
def _tracks(epoch: int) -> xr.Dataset:
    result = ridges.tracks(example_families.family().pairs([epoch], third="fork_point"), np.linspace(0, 1, 5))
    return result.sel(epoch=epoch).mean(["parent", "pair"])


def tracks(split: str = "train", fork: int = 0, epoch: int = example_families.EXPERIMENT.epochs) -> xr.Dataset:
    """Loss and error of the lesson's siblings on the midline and both flanks, mean over all pairs."""
    return _tracks(epoch).sel(split=split, fork_epoch=fork)


def two_valleys(theta: Array) -> float:
    """A slope with two valleys that approach each other with height."""
    x, y = np.asarray(theta, dtype=np.float64)
    return float((x**2 - 1) ** 2 + 3 * y)


def bowl(theta: Array) -> float:
    """A convex, asymmetric loss."""
    x, y = np.asarray(theta, dtype=np.float64)
    return float(x**4 + 2 * x**2 + x * y + y**2)


def _combined(formula: Callable[[float, float, float], float]) -> Callable[..., float]:
    """A combination of the losses on the first flank, the midline and the second flank at a height."""

    def value(loss: Callable[[Array], float], theta_1: Array, theta_2: Array, top: Array, h: float) -> float:
        first, second = ((1 - h) * theta + h * top for theta in (theta_1, theta_2))
        return formula(loss(first), loss((first + second) / 2), loss(second))

    return value


_ridge = _combined(lambda first, middle, second: middle - (first + second) / 2)
_midline = _combined(lambda first, middle, second: middle)


def _coordinates(theta_1: Array, theta_2: Array, third: Array) -> Any:
    return planes.basis(torch.from_numpy(np.stack([theta_1, theta_2, third]))).corners.numpy()


def _changed(change: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *corners: change(_coordinates(*corners))


def _not_orthogonal(theta_1: Array, theta_2: Array, third: Array) -> Array:
    """The second axis straight towards the third point: not perpendicular to the first."""
    return np.array([[0, 0], [np.linalg.norm(theta_2 - theta_1), 0], [0, np.linalg.norm(third - theta_1)]])


def _stands_out_up_to(
    heights: Array, ridges: Array, errors: Array, bound: float = 2.0, accumulate: Callable[..., Any] = np.cumprod
) -> float:
    return float(max(heights[accumulate(ridges > bound * errors).astype(bool)], default=-1.0))


# At 0.44 and 0.62 a mistake leads to the right answer.
_FRACTIONS = hundredths(0.2, 0.41) + hundredths(0.52, 0.59) + hundredths(0.66, 0.85)


def _height_for_fraction(fraction: float) -> Exercise:
    wide = math.sqrt(1 - math.sqrt(1 - fraction))  # the remaining fraction of the distance between the flanks
    return Exercise(
        1 - wide,
        f"Where the ridge is {fraction:g} times as high, the valleys are still {wide:.2f} times as far apart.",
        {
            "That is how far it still is to the top. The height counts from the sibling line.": wide,
            f"The ridge does not sink in proportion to the height. Set up 1 - ((1 - h)² - 1)² = {fraction:g}.": 1
            - fraction,
            "A root is missing: you have solved for (1 - h)² and taken it for 1 - h.": 1 - wide**2,
            "h lies between 0 and 1. Take the other root of (1 - h)².": 1 - math.sqrt(1 + math.sqrt(1 - fraction)),
            "So it would be if the ridge fell as (1 - h)². Here its cross-section is no parabola.": 1
            - math.sqrt(fraction),
        },
    )


EXERCISES = {
    "ridge-1": Exercise(
        lambda: "above" if ridges.ridge(tracks(fork=2, epoch=3).loss).sel(height=0) > 0 else "below",
        "There is a trough between them, not a ridge: their average is ahead of both. The ridge appears later.",
        {
            "The ridge at the *end* of training need not have existed just after the fork. What does averaging do "
            "to noise?": "above",
            "They have trained separately for an epoch: the three tracks no longer coincide.": "level",
        },
        choices=("above", "below", "level"),
    ),
    "ridge-2": Exercise(
        _ridge,
        "At h = 0 it is the barrier at the midpoint, at h = 1 it is zero. On a convex loss it is never positive.",
        {
            "That is the same at every height. Where is h used?": lambda *given: _ridge(*given[:-1], 0.0),
            "h = 0 is the sibling line and h = 1 the top; yours is the other way round.": lambda *given: _ridge(
                *given[:-1], 1 - given[-1]
            ),
            "That is the height of the midline. How far is it above the flanks?": _midline,
            "The *mean* of the two flanks, not their sum.": _combined(lambda one, middle, two: middle - one - two),
            "The midline is the *average* of both flanks' weights, not their sum.": (
                lambda loss, one, two, top, h: (
                    loss((1 - h) * (one + two) + 2 * h * top)
                    - _combined(lambda first, middle, second: (first + second) / 2)(loss, one, two, top, h)
                )
            ),
            "Compare with the flanks at the same height, not with the siblings at its foot.": (
                lambda loss, one, two, top, h: _midline(loss, one, two, top, h) - (loss(one) + loss(two)) / 2
            ),
        },
        test_inputs=(
            (two_valleys, _LEFT, _RIGHT, _TOP, 0.0),
            (two_valleys, _LEFT, _RIGHT, _ASIDE, 0.4),
            (bowl, _LEFT, np.array([2.0, 0.5]), _ASIDE, 0.25),
            (two_valleys, _LEFT, _RIGHT, _TOP, 1.0),
        ),
    ),
    "ridge-3": IndividualExercise({"fraction": 0.5}, {"fraction": _FRACTIONS}, _height_for_fraction),
    "ridge-4": Exercise(
        _coordinates,
        "An orthonormal basis: lengths and angles on the map are those in weight space.",
        {
            "Your axes are not perpendicular: take the part along the first axis out of the second.": _not_orthogonal,
            "Your axes are not of unit length: distances on the map are not those in weight space.": (
                _changed(lambda at: at / [at[1, 0], at[2, 1]])
            ),
            "The third point should be on the positive side: your second axis is reversed.": (
                _changed(lambda at: at * [1, -1])
            ),
            "The first axis points to the second sibling. Your two coordinates are interchanged.": (
                _changed(lambda at: at[:, ::-1])
            ),
            "The first sibling is the origin, not the midpoint.": (_changed(lambda at: at - at[:2].mean(axis=0))),
        },
        test_inputs=(
            (np.array([0.0, 0.0]), np.array([3.0, 4.0]), np.array([4.0, -3.0])),
            (np.array([1.0, 1.0, 0.0]), np.array([3.0, 1.0, 0.0]), np.array([2.0, 1.0, 5.0])),
            (np.array([0.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0]), np.array([-2.0, 0.0, 1.0])),
        ),
    ),
    "ridge-5": Exercise(
        lambda: ridges.ridge(tracks().loss),
        "Highest at the foot, and next to nothing near the top.",
        {
            "That is in points of error. Nats were asked for.": lambda: ridges.ridge(tracks().error),
            "That is the test set. The train set was asked for.": lambda: ridges.ridge(tracks("test").loss),
            "That is the fork at epoch 2.": lambda: ridges.ridge(tracks(fork=2).loss),
            "That is the loss of the flanks.": lambda: tracks().loss.sel(track=["first", "second"]).mean("track"),
            "That is the midline, not its height above the flanks.": lambda: tracks().loss.sel(track="middle"),
        },
        tolerance=0.008,
    ),
    "ridge-6": Exercise(
        _stands_out_up_to,
        "From the foot up, without a gap: the convention of the chapter's fourth statement.",
        {
            "There is a gap below that height: the ridge has to stand out at every height up to it.": (
                lambda h, r, e: _stands_out_up_to(h, r, e, accumulate=np.asarray)
            ),
            "A trough is no ridge: mind the sign.": lambda h, r, e: _stands_out_up_to(h, abs(r), e),
            "*More* than two standard errors: exactly two are not enough.": lambda h, r, e: _stands_out_up_to(
                h, r, e * (1 - 1e-9)
            ),
            "More than *two* standard errors.": lambda h, r, e: _stands_out_up_to(h, r, e, 1.0),
            "More than two standard errors *above zero*, not just above zero.": lambda h, r, e: _stands_out_up_to(
                h, r, e, 0.0
            ),
            "You have returned the position in the array. The height was asked for.": lambda h, r, e: _stands_out_up_to(
                np.arange(len(h), dtype=float), r, e
            ),
            "That is the first height at which it does not stand out. The last one at which it does was asked for.": (
                lambda h, r, e: h[min(np.cumprod(r > 2 * e).sum(), len(h) - 1)]
            ),
            "Where it does not stand out at the foot, -1 was asked for.": lambda h, r, e: max(
                0.0, _stands_out_up_to(h, r, e)
            ),
        },
        test_inputs=(
            (_HEIGHTS, np.array([1.2, 0.9, 0.4, 0.1, 0.0]), np.full(5, 0.1)),
            (_HEIGHTS, np.array([0.5, 0.1, 0.3, 0.3, -0.1]), np.array([0.05, 0.1, 0.05, 0.1, 0.1])),
            (_HEIGHTS, np.array([0.1, 0.5, 0.5, 0.5, 0.5]), np.full(5, 0.1)),
            (_HEIGHTS, np.array([0.3, 0.3, 0.3, 0.15, 0.0]), np.full(5, 0.1)),
            (_HEIGHTS, np.array([-1.0, -0.8, 0.5, 0.1, 0.0]), np.full(5, 0.1)),
            (_HEIGHTS, np.array([1.0, 0.75, 0.5, 0.1, 0.0]), np.full(5, 0.25)),
            (_HEIGHTS, np.ones(5), np.full(5, 0.1)),
        ),
        parts={
            "no gap": Part((0, 1, 3, 6)),
            "-1 where it does not stand out at the foot": Part((0, 2, 4)),
            "more than two standard errors": Part((0, 3, 5)),
        },
    ),
}
