"""Exercises on distances and angles between siblings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.classroom import lesson
from lmc_utils.classroom.judging import Array, Exercise, Mistake
from lmc_utils.measure import geometry

STEPS, STEP = 25, 2.0
_LATE = lesson.EXPERIMENT.fork_epochs[-1]
_PAIRED = ["parent", "pair"]


@cache
def tracked() -> xr.Dataset:
    """Distances and angles of the lesson's siblings, the whole network."""
    return geometry.track(lesson.family().walks(), progress=False).sel(layer=geometry.WHOLE)


def _course() -> str:
    """What the angle between the siblings that part last does, from one epoch after the fork on."""
    angle = tracked().angle.sel(apex="fork_point", fork_epoch=_LATE).mean(_PAIRED)
    return "opens" if angle.sel(epoch=lesson.EXPERIMENT.epochs) > angle.sel(epoch=_LATE + 1) else "closes"


def _triangles() -> list[tuple[Any, ...]]:
    # Two vectors in one direction: rounding takes the cosine of some of them above 1, whatever the machine.
    alike = [(along, 3 * along, np.zeros(3)) for along in np.random.default_rng(0).random((20, 3))]
    return [
        (np.array([3.0, 1.0]), np.array([1.0, 4.0]), np.array([1.0, 1.0])),
        (np.array([2.0, 0.0, 1.0]), np.array([-1.0, 1.0, 1.0]), np.array([0.5, 0.0, 1.0])),
        *alike,
    ]


def _angle(theta_1: Array, theta_2: Array, apex: Array) -> float:
    one, other = theta_1 - apex, theta_2 - apex
    return float(np.degrees(np.arccos(np.clip(_cosine(one, other), -1, 1))))


def _cosine(one: Array, other: Array) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _unclamped(theta_1: Array, theta_2: Array, apex: Array) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.degrees(np.arccos(_cosine(theta_1 - apex, theta_2 - apex))))


def _at(corner: int) -> Callable[[Array, Array, Array], float]:
    """The angle at another corner of the triangle."""

    def angle(*corners: Array) -> float:
        first, second = (corners[other] for other in range(3) if other != corner)
        return _angle(first, second, corners[corner])

    return angle


def _ways() -> list[tuple[Any, ...]]:
    zigzag = np.array([[1.0, 1.0], [2.0, 3.0], [4.0, 2.0], [5.0, 5.0]])
    return [
        (zigzag,),
        (np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]]),),
        (np.cumsum(np.sin(np.arange(12.0)).reshape(6, 2), 0),),
    ]


def _path_ratio(path: Array) -> float:
    return float(_length(path) / np.linalg.norm(path[-1] - path[0]))


def _length(path: Array) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def _final_cosines(apex: str = "fork_point", epoch: int = lesson.EXPERIMENT.epochs) -> Array:
    cosines: Array = tracked().cosine.sel(apex=apex, epoch=epoch).mean(_PAIRED).values
    return cosines


EXERCISES = (
    Exercise(
        "angle-1",
        _course,
        "They leave at a wide angle, and the share of the way that they have in common grows from then on.",
        (
            Mistake(
                "That is what siblings do that part at initialisation. Late in training, what decides the first steps "
                "after the fork: slope or noise?",
                lambda: "opens",
            ),
            Mistake("If both walks were random, it would stay a right angle. They are not.", lambda: "stays"),
        ),
        choices=("opens", "closes", "stays"),
    ),
    Exercise(
        "angle-2",
        lambda: _angle,
        "The cosine is clamped to [-1, 1], for rounding may take it beyond.",
        (
            Mistake(
                "For two vectors in the same direction you return nan: rounding takes their cosine a little above 1. "
                "Clamp it first.",
                lambda: _unclamped,
            ),
            Mistake(
                "The wrong apex: that is the angle seen from the origin. Subtract the apex from both.",
                lambda: lambda one, two, apex: _angle(one, two, np.zeros_like(one)),
            ),
            Mistake("That is the angle at the first sibling. The apex was asked for.", lambda: _at(0)),
            Mistake("That is the angle at the second sibling. The apex was asked for.", lambda: _at(1)),
            Mistake("That is the cosine.", lambda: lambda one, two, apex: _cosine(one - apex, two - apex)),
        ),
        probes=_triangles,
        tolerance=1e-6,
    ),
    Exercise(
        "angle-3",
        lambda: np.sqrt(2 * STEPS) * STEP,
        "All squared steps of both walks add up.",
        (
            Mistake("That is how far *one* of them is from the start.", lambda: np.sqrt(STEPS) * STEP),
            Mistake(
                "They do not walk in opposite directions: at a right angle, squares add up.",
                lambda: 2 * np.sqrt(STEPS) * STEP,
            ),
            Mistake("That is the way they have walked. A random walk gets less far.", lambda: STEPS * STEP),
            Mistake("That is the way of both together. A random walk gets less far.", lambda: 2 * STEPS * STEP),
            Mistake("That is the mean *squared* distance.", lambda: 2 * STEPS * STEP**2),
            Mistake("How long is a step?", lambda: np.sqrt(2 * STEPS)),
        ),
    ),
    Exercise(
        "angle-4",
        lambda: _path_ratio,
        "One for a straight walk; the square root of the number of steps for an average random one of equal steps.",
        (
            Mistake("That is the length of the path. How does it compare with the straight way?", lambda: _length),
            Mistake(
                "The straight way leads from the *start* of the walk to its end, not from the origin.",
                lambda: lambda path: _length(path) / np.linalg.norm(path[-1]),
            ),
            Mistake(
                "You have added up squared steps.",
                lambda: lambda path: (np.diff(path, axis=0) ** 2).sum() / np.linalg.norm(path[-1] - path[0]),
            ),
        ),
        probes=_ways,
        tolerance=1e-6,
    ),
    Exercise(
        "angle-5",
        _final_cosines,
        "The later they part, the larger the share of their squared walk that they have in common.",
        (
            Mistake(
                "Those are the cosines from the origin. Stand at the fork point.", lambda: _final_cosines("origin")
            ),
            Mistake(
                "Those are the cosines from the initialisation. Stand at the fork point.",
                lambda: _final_cosines("initialisation"),
            ),
            Mistake(
                "Those are angles in degrees. Cosines were asked for.",
                lambda: tracked().angle.sel(apex="fork_point", epoch=lesson.EXPERIMENT.epochs).mean(_PAIRED),
            ),
        ),
        tolerance=0.006,
    ),
)
