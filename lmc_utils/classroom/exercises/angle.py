"""Exercises on distances and angles between siblings."""

from __future__ import annotations

from functools import cache

import numpy as np
import xarray as xr

from lmc_utils.classroom import example_families
from lmc_utils.classroom.answer_feedback import Exercise, Part
from lmc_utils.classroom.individual_numbers import IndividualExercise
from lmc_utils.classroom.number_answers import Array
from lmc_utils.measure import geometry

_LATE, _LAST = example_families.EXPERIMENT.fork_epochs[-1], example_families.EXPERIMENT.epochs
_DIRECTIONS = np.random.default_rng(0).random((20, 3))


@cache
def tracked() -> xr.Dataset:
    """Distances and angles of the lesson's siblings, the whole network, mean over all pairs."""
    result = geometry.track(example_families.family().trajectories())
    return result.sel(layer=geometry.WHOLE).mean(["parent", "pair"])


def _late_angle() -> str:
    """Whether the angle between the siblings that fork last opens or closes, from one epoch after the fork."""
    angle = tracked().angle.sel(apex="fork_point", fork_epoch=_LATE)
    return "opens" if angle.sel(epoch=_LAST) > angle.sel(epoch=_LATE + 1) else "closes"


def _cosine(theta_1: Array, theta_2: Array, apex: Array) -> float:
    one, other = theta_1 - apex, theta_2 - apex
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _angle(theta_1: Array, theta_2: Array, apex: Array) -> float:
    return float(np.degrees(np.arccos(np.clip(_cosine(theta_1, theta_2, apex), -1, 1))))


@np.errstate(invalid="ignore")
def _unclamped(theta_1: Array, theta_2: Array, apex: Array) -> float:
    return float(np.degrees(np.arccos(_cosine(theta_1, theta_2, apex))))


def _length(path: Array) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def _final(of: str = "cosine", apex: str = "fork_point") -> xr.DataArray:
    return tracked()[of].sel(apex=apex, epoch=_LAST)


def _random_walks(steps: int, length: int) -> Exercise:
    return Exercise(
        np.sqrt(2 * steps) * length,
        "All squared steps of both random walks add up.",
        {
            "That is how far *one* of them is from the start.": np.sqrt(steps) * length,
            "Their directions are not opposite but perpendicular, so squares add up.": 2 * np.sqrt(steps) * length,
            "That is how far apart they are if each walks straight ahead. A random walk gets less far.": (
                np.sqrt(2) * steps * length
            ),
            "That is the length of one path. A random walk gets less far.": steps * length,
            "That is the length of both paths. A random walk gets less far.": 2 * steps * length,
            "That is the mean *squared* distance.": 2 * steps * length**2,
            "How long is a step?": np.sqrt(2 * steps),
        },
    )


EXERCISES = {
    "angle-1": Exercise(
        _late_angle,
        "They leave at a wide angle, and the common fraction of their displacement grows from then on.",
        {
            "That is what siblings do that fork at initialisation. Late in training, what determines the first steps "
            "after the fork: gradient or noise?": "opens",
            "If both were random walks, it would stay a right angle. They are not.": "stays",
        },
        choices=("opens", "closes", "stays"),
    ),
    "angle-2": Exercise(
        _angle,
        "The cosine is clamped to [-1, 1], for rounding may take it beyond.",
        {
            "For two vectors in the same direction you return nan: rounding takes their cosine a little above 1. Clamp "
            "it first.": _unclamped,
            "Wrong apex: that is the angle seen from the origin. Subtract the apex from both.": (
                lambda one, two, apex: _angle(one, two, 0 * apex)
            ),
            "That is the angle at the first sibling. The apex was asked for.": lambda p, q, apex: _angle(q, apex, p),
            "That is the angle at the second sibling. The apex was asked for.": lambda p, q, apex: _angle(p, apex, q),
            "That is the cosine.": _cosine,
            "One of your two vectors points *to* the apex, and the other away from it.": lambda one, two, apex: (
                180 - _angle(one, two, apex)
            ),
        },
        test_inputs=(
            (np.array([3.0, 1.0]), np.array([1.0, 4.0]), np.array([1.0, 1.0])),
            (np.array([2.0, 0.0, 1.0]), np.array([-1.0, 1.0, 1.0]), np.array([0.5, 0.0, 1.0])),
            tuple(np.random.default_rng(5).standard_normal((3, 40))),
            # Pairs of parallel vectors: on any machine, rounding makes the cosine of some exceed 1.
            *((along, 3 * along, 0 * along) for along in _DIRECTIONS),
        ),
        parts={
            "the angle": Part((0, 1, 2)),
            "0 for the same direction": Part((0, *range(3, 3 + len(_DIRECTIONS)))),
        },
    ),
    "angle-3": IndividualExercise(
        {"steps": 25, "length": 2}, {"steps": range(26, 100), "length": range(3, 10)}, _random_walks
    ),
    "angle-4": Exercise(
        lambda path: _length(path) / np.linalg.norm(path[-1] - path[0]),
        "One for a straight walk; the square root of the number of steps for an average random one of equal steps.",
        {
            "That is the length of the path. How does it compare with the straight distance?": _length,
            "The straight distance is from the *start* of the walk to its end, not from the origin.": lambda path: (
                _length(path) / np.linalg.norm(path[-1])
            ),
            "You have taken the differences along a row. The steps are the differences between rows.": lambda path: (
                np.linalg.norm(np.diff(path, axis=1), axis=1).sum() / np.linalg.norm(path[-1] - path[0])
            ),
            "That is the norm of each coordinate over all steps. Each step has a length of its own.": lambda path: (
                np.linalg.norm(np.diff(path, axis=0), axis=0).sum() / np.linalg.norm(path[-1] - path[0])
            ),
            "You have added up squared steps.": lambda path: (
                (np.diff(path, axis=0) ** 2).sum() / np.linalg.norm(path[-1] - path[0])
            ),
        },
        test_inputs=(
            (np.array([[1.0, 1.0], [2.0, 3.0], [4.0, 2.0], [5.0, 5.0]]),),
            (np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]]),),
            (np.cumsum(np.sin(np.arange(12.0)).reshape(6, 2), 0),),
        ),
    ),
    "angle-5": Exercise(
        _final,
        "The later the fork, the larger the common fraction of their squared displacement.",
        {
            "Those are the cosines from the origin. Stand at the fork point.": lambda: _final(apex="origin"),
            "Those are the cosines from the initialisation. Stand at the fork point.": (
                lambda: _final(apex="initialisation")
            ),
            "Those are angles in degrees. Cosines were asked for.": lambda: _final("angle"),
            "Those are angles in radians. Cosines were asked for.": lambda: np.radians(_final("angle")),
        },
        parts={
            f"fork epoch {fork}": Part(index=row) for row, fork in enumerate(example_families.EXPERIMENT.fork_epochs)
        },
        tolerance=0.006,
    ),
}
