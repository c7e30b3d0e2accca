"""Exercises on the mountain between siblings."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
import xarray as xr

from lmc_utils.classroom import lesson
from lmc_utils.classroom.judging import Array, Exercise, Mistake
from lmc_utils.measure import planes, ridges

HEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_FORK = 2

Loss = Callable[[Array], float]


@cache
def tracks(split: str = "train", fork: int = 0, epoch: int = lesson.EXPERIMENT.epochs) -> xr.Dataset:
    """Loss and error of the lesson's siblings on the midline and both flanks."""
    found = ridges.tracks(lesson.family().pairs([epoch], "fork_point"), HEIGHTS, progress=False)
    return found.sel(split=split, fork_epoch=fork, epoch=epoch)


def _after_the_fork() -> str:
    """Where the midline lies at the sibling line, one epoch after the fork at epoch 2."""
    ridge = ridges.ridge(tracks(fork=_FORK, epoch=_FORK + 1).loss).sel(height=0).mean()
    return "above" if ridge > 0 else "below"


def two_valleys(theta: Array) -> float:
    """A slope with two valleys that draw together on the way up."""
    x, y = np.asarray(theta, dtype=np.float64)
    return float((x**2 - 1) ** 2 + 3 * y)


def bowl(theta: Array) -> float:
    """Convex, and lopsided."""
    x, y = np.asarray(theta, dtype=np.float64)
    return float(x**4 + 2 * x**2 + x * y + y**2)


def _climbs() -> list[tuple[Any, ...]]:
    left, right, top = np.array([-1.0, 0.0]), np.array([1.0, 0.0]), np.array([0.0, 2.0])
    aside = np.array([0.5, 3.0])
    return [
        (two_valleys, left, right, top, 0.0),
        (two_valleys, left, right, aside, 0.4),
        (bowl, left, np.array([2.0, 0.5]), aside, 0.25),
        (two_valleys, left, right, top, 1.0),
    ]


def _ridge(loss: Loss, theta_1: Array, theta_2: Array, top: Array, h: float) -> float:
    first, second = ((1 - h) * theta + h * top for theta in (theta_1, theta_2))
    return loss((first + second) / 2) - (loss(first) + loss(second)) / 2


def _at_the_foot(loss: Loss, theta_1: Array, theta_2: Array, top: Array, h: float) -> float:
    return _ridge(loss, theta_1, theta_2, top, 0.0)


def _turned(loss: Loss, theta_1: Array, theta_2: Array, top: Array, h: float) -> float:
    return _ridge(loss, theta_1, theta_2, top, 1 - h)


def _midline(loss: Loss, theta_1: Array, theta_2: Array, top: Array, h: float) -> float:
    return loss((1 - h) * (theta_1 + theta_2) / 2 + h * top)


def _sum_of_flanks(loss: Loss, theta_1: Array, theta_2: Array, top: Array, h: float) -> float:
    first, second = ((1 - h) * theta + h * top for theta in (theta_1, theta_2))
    return loss((first + second) / 2) - loss(first) - loss(second)


def _above_the_feet(loss: Loss, theta_1: Array, theta_2: Array, top: Array, h: float) -> float:
    return _midline(loss, theta_1, theta_2, top, h) - (loss(theta_1) + loss(theta_2)) / 2


_HALF_WIDTH = math.sqrt(1 - math.sqrt(0.5))  # 1 - h where 1 - ((1 - h)^2 - 1)^2 is one half


def _corners() -> list[tuple[Any, ...]]:
    return [
        (np.array([0.0, 0.0]), np.array([3.0, 4.0]), np.array([4.0, -3.0])),
        (np.array([1.0, 1.0, 0.0]), np.array([3.0, 1.0, 0.0]), np.array([2.0, 1.0, 5.0])),
        (np.array([0.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0]), np.array([-2.0, 0.0, 1.0])),
    ]


def _coordinates(theta_1: Array, theta_2: Array, third: Array) -> Array:
    corners = torch.from_numpy(np.stack([theta_1, theta_2, third]))
    located: Array = planes.basis(corners).corners.numpy()
    return located


def _slanted(theta_1: Array, theta_2: Array, third: Array) -> Array:
    """The second axis straight towards the third point: not perpendicular to the first."""
    return np.array([[0, 0], [np.linalg.norm(theta_2 - theta_1), 0], [0, np.linalg.norm(third - theta_1)]])


def _unscaled(theta_1: Array, theta_2: Array, third: Array) -> Array:
    located = _coordinates(theta_1, theta_2, third)
    unscaled: Array = located / [located[1, 0], located[2, 1]]
    return unscaled


def _from_the_middle(theta_1: Array, theta_2: Array, third: Array) -> Array:
    located = _coordinates(theta_1, theta_2, third)
    shifted: Array = located - located[:2].mean(axis=0)
    return shifted


def _profile(split: str = "train", fork: int = 0) -> Array:
    values: Array = ridges.ridge(tracks(split, fork).loss).mean(["parent", "pair"]).values
    return values


def _profiles() -> list[tuple[Any, ...]]:
    heights = np.linspace(0, 0.8, 5)
    return [
        (heights, np.array([1.2, 0.9, 0.4, 0.1, 0.0]), np.array([0.1, 0.1, 0.1, 0.1, 0.1])),
        (heights, np.array([0.5, 0.1, 0.3, 0.3, -0.1]), np.array([0.05, 0.1, 0.05, 0.1, 0.1])),
        (heights, np.array([0.1, 0.5, 0.5, 0.5, 0.5]), np.array([0.1, 0.1, 0.1, 0.1, 0.1])),
        (heights, np.array([0.3, 0.3, 0.3, 0.15, 0.0]), np.array([0.1, 0.1, 0.1, 0.1, 0.1])),
        (heights, np.array([-1.0, -0.8, 0.5, 0.1, 0.0]), np.array([0.1, 0.1, 0.1, 0.1, 0.1])),
        (heights, np.array([1.0, 0.75, 0.5, 0.1, 0.0]), np.array([0.25, 0.25, 0.25, 0.25, 0.25])),
    ]


def _stands_out_up_to(heights: Array, ridges: Array, errors: Array, bound: float = 2.0) -> float:
    unbroken = np.cumprod(ridges > bound * errors).astype(bool)
    return float(heights[unbroken].max()) if unbroken.any() else -1.0


def _highest_that_stands_out(heights: Array, ridges: Array, errors: Array) -> float:
    out = ridges > 2 * errors
    return float(heights[out].max()) if out.any() else -1.0


EXERCISES = (
    Exercise(
        "ridge-1",
        _after_the_fork,
        "There is a trough between them, not a ridge: their average walks ahead of both. The ridge comes up later.",
        (
            Mistake(
                "The ridge at the *end* of training need not have been there when they parted. What does averaging do "
                "to noise?",
                lambda: "above",
            ),
            Mistake("They have walked an epoch apart: the three tracks no longer coincide.", lambda: "level"),
        ),
        choices=("above", "below", "level"),
    ),
    Exercise(
        "ridge-2",
        lambda: _ridge,
        "At h = 0 it is the barrier half-way, at h = 1 it is zero. On a convex loss it is never positive.",
        (
            Mistake("That is the same at every height. Where does h come in?", lambda: _at_the_foot),
            Mistake("h = 0 is the sibling line and h = 1 the top; yours is the other way round.", lambda: _turned),
            Mistake("That is the height of the midline. How far is it above the flanks?", lambda: _midline),
            Mistake("The *mean* of the two flanks, not their sum.", lambda: _sum_of_flanks),
            Mistake(
                "Compare with the flanks at the same height, not with the siblings at its foot.",
                lambda: _above_the_feet,
            ),
        ),
        probes=_climbs,
        tolerance=1e-6,
    ),
    Exercise(
        "ridge-3",
        lambda: 1 - _HALF_WIDTH,
        "Where the ridge has lost half of its height, the valleys are still more than half as far apart.",
        (
            Mistake(
                "That is how far it still is to the top. The height counts from the sibling line.", lambda: _HALF_WIDTH
            ),
            Mistake(
                "The ridge does not sink in proportion to the height. Set up 1 - ((1 - h)² - 1)² = ½.", lambda: 0.5
            ),
            Mistake(
                "So it would be if the ridge fell as (1 - h)². Here its cross-section is no parabola.",
                lambda: 1 - math.sqrt(0.5),
            ),
        ),
    ),
    Exercise(
        "ridge-4",
        lambda: _coordinates,
        "An orthonormal basis: lengths and angles on the map are those in weight space.",
        (
            Mistake(
                "Your axes are not perpendicular: take the part along the first axis out of the second.",
                lambda: _slanted,
            ),
            Mistake(
                "Your axes are not of unit length: distances on the map are not those in weight space.",
                lambda: _unscaled,
            ),
            Mistake(
                "The third point should be on the positive side: your second axis is turned round.",
                lambda: lambda *corners: _coordinates(*corners) * [1, -1],
            ),
            Mistake("The first sibling is the origin, not the middle between both.", lambda: _from_the_middle),
        ),
        probes=_corners,
        tolerance=1e-6,
    ),
    Exercise(
        "ridge-5",
        _profile,
        "Highest at the foot, and next to nothing near the top.",
        (
            Mistake(
                "That is in points of error. Nats were asked for.",
                lambda: ridges.ridge(tracks().error).mean(["parent", "pair"]),
            ),
            Mistake("That is the test set. The train set was asked for.", lambda: _profile("test")),
            Mistake("That is the fork at epoch 2.", lambda: _profile(fork=2)),
            Mistake(
                "That is the midline, not how far it stands above the flanks.",
                lambda: tracks().loss.sel(track="middle").mean(["parent", "pair"]),
            ),
        ),
        tolerance=0.008,
    ),
    Exercise(
        "ridge-6",
        lambda: _stands_out_up_to,
        "From the foot up, without a gap: the convention of the chapter's fourth statement.",
        (
            Mistake(
                "There is a gap below that height: the ridge has to stand out at every height up to it.",
                lambda: _highest_that_stands_out,
            ),
            Mistake(
                "A trough is no ridge: mind the sign.",
                lambda: lambda heights, ridges, errors: _stands_out_up_to(heights, abs(ridges), errors),
            ),
            Mistake(
                "*More* than two standard errors: exactly two are not enough.",
                lambda: lambda heights, ridges, errors: _stands_out_up_to(heights, ridges, errors * (1 - 1e-9)),
            ),
            Mistake(
                "More than *two* standard errors.",
                lambda: lambda heights, ridges, errors: _stands_out_up_to(heights, ridges, errors, 1.0),
            ),
        ),
        probes=_profiles,
        tolerance=1e-6,
    ),
)
