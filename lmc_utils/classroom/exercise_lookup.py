"""Self-checking exercises: `check` an answer, with a hint for common mistakes.

The exercises of each chapter are in a separate module of `classroom.exercises`, imported when first needed, so that
those on toy landscapes need only NumPy.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lmc_utils import progress
from lmc_utils.classroom.answer_feedback import CheckResult, Exercise, check_answer
from lmc_utils.settings import ParameterError, describe_unknown, require_choice

if TYPE_CHECKING:  # imported by name below, which does not count as a dependency of a result
    from lmc_utils.classroom.exercises import (  # noqa: F401, I001
        angle, approx, detour, elsewhere, fork, merge, norm, parting, ridge, stable, toy, valley,
    )  # fmt: skip

CHAPTERS = (
    *("toy", "fork", "approx", "angle", "ridge", "norm", "detour", "stable", "merge", "parting", "valley"),
    "elsewhere",
)


def check(name: str, answer: Any, student: str | None = None) -> CheckResult:
    """Check the answer to an exercise at once; a wrong one gets a hint that fits the mistake.

    Args:
        name: name of the exercise, such as `toy-2`.
        answer: a number, a word, an array or a function, depending on the exercise.
        student: name of a student with individual numbers; by default the book's numbers are used.

    Raises:
        ParameterError: there is no such exercise.

    >>> check("toy-2", 2.25)
    ✗ toy-2 · That is the product of the distances. Each factor of f is a distance *squared*.
    >>> bool(check("toy-2", 1.5**4))
    True
    """
    with progress.hidden():
        return check_answer(find_exercise(name, student), answer)


def require_correct(name: str, answer: Any, student: str | None = None) -> None:
    """Raise AssertionError, with the hint of `check`, unless an answer is correct; for hidden tests.

    Raises:
        ParameterError: there is no such exercise.

    >>> require_correct("toy-2", 1.5)
    Traceback (most recent call last):
    AssertionError: A barrier does not grow in proportion to the distance. What is f at the midpoint?
    """
    result = check(name, answer, student)
    if not result:
        raise AssertionError(result.message)


_MAX_REMARK = 2000  # characters: the sandbox drops large values of cells


@dataclass(frozen=True, repr=False)
class Points:
    """Points of an answer; as the value of a test cell, nbgrader counts them, and the remark is beside them.

    >>> Points(1.0, "1 of 2 parts right (✓ a number, ✗ an array). Each factor is squared.")
    1
    """

    points: float
    remark: str

    def __repr__(self) -> str:
        return f"{self.points:g}"

    def _repr_markdown_(self) -> str:
        return self.remark


def award_points(name: str, answer: Any, points: float) -> None:
    """Show the points of an answer to an exercise with parts, in proportion to its correct parts; for hidden tests.

    They are shown as the first value of the cell, which is what nbgrader counts. Warnings are not shown: nbgrader would
    give no points for an answer that causes one.

    Args:
        name: name of the exercise.
        answer: the answer, as in `check`.
        points: those of a correct answer.

    Raises:
        AssertionError: no part is correct; the message is the hint of `check`.
        ParameterError: there is no such exercise.

    >>> award_points("toy-2", 1.5**4, points=2)
    2
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = check(name, answer)
    if not result.fraction:
        raise AssertionError(result.message)
    sys.displayhook(Points(round(points * result.fraction, 2), "" if result else result.remark[:_MAX_REMARK]))


def find_exercise(name: str, student: str | None = None) -> Exercise:
    """The exercise of this name, with the numbers of a student.

    Raises:
        ParameterError: there is none; the message suggests the nearest.
    """
    if not isinstance(name, str):
        raise ParameterError(f"exercise must be a name such as 'toy-2' (got {name!r})")
    name = name.strip().lower().replace("_", "-")
    chapter = name.partition("-")[0]
    require_choice("exercise", chapter if chapter in CHAPTERS else name, CHAPTERS)
    exercises = _exercises(chapter)
    if name not in exercises:
        raise ParameterError(describe_unknown("exercise", name, exercises))
    result: Exercise = exercises[name].exercise(name, student)
    return result


def exercise_numbers(name: str, student: str | None = None) -> dict[str, float]:
    """The individual numbers of a student, or the book's; empty for an exercise that is the same for everybody.

    >>> exercise_numbers("toy-2"), exercise_numbers("toy-1")
    ({'half': 1.5}, {})
    """
    chapter = name.partition("-")[0]
    exercises = _exercises(chapter) if chapter in CHAPTERS else {}
    return dict(exercises[name].numbers(name, student)) if name in exercises else {}


def chapter_exercises(chapter: str) -> dict[str, Exercise]:
    """The exercises of a chapter by name, in order.

    >>> list(chapter_exercises("toy"))[:2]
    ['toy-1', 'toy-2']
    """
    return {name: each.exercise(name) for name, each in _exercises(chapter).items()}


def _exercises(chapter: str) -> dict[str, Any]:
    """The exercises defined in a chapter's module."""
    return dict(import_module(f"lmc_utils.classroom.exercises.{chapter}").EXERCISES)
