"""Exercises that answer back: `check` says whether an answer is right, and if not, which mistake it shows.

The exercises of each chapter stand in a module of their own in `classroom.exercises`; it is imported when one of its
exercises is first asked for, so that those on toy landscapes need nothing but NumPy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lmc_utils import progress
from lmc_utils.classroom.answer_feedback import CheckResult, Exercise, check_answer
from lmc_utils.classroom.individual_numbers import IndividualExercise
from lmc_utils.settings import ParameterError, require_choice, unknown

CHAPTERS = ("toy", "fork", "approx", "angle", "ridge", "norm", "detour", "stable", "merge")


def check(name: str, answer: Any, student: str | None = None) -> CheckResult:
    """Say at once whether the answer to an exercise is right, and if not, give a hint that fits the mistake.

    Args:
        name: of the exercise, such as `toy-2`.
        answer: a number, a word, an array or a function, as the exercise asks.
        student: whose numbers the exercise has, where each student has some; by default the book's.

    Returns:
        A verdict: it prints as one line, and is true where the answer is right.

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
    """Raise where an answer is not right: what the hidden tests of an exercise do.

    Raises:
        AssertionError: with the hint that `check` would give.
        ParameterError: there is no such exercise.

    >>> require_correct("toy-2", 1.5)
    Traceback (most recent call last):
    AssertionError: A barrier does not grow in proportion to the distance. What is f half-way?
    """
    verdict = check(name, answer, student)
    if not verdict:
        raise AssertionError(verdict.message)


def find_exercise(name: str, student: str | None = None) -> Exercise:
    """The exercise of this name, with the numbers of a student.

    Raises:
        ParameterError: there is none; the message names the nearest.
    """
    if not isinstance(name, str):
        raise ParameterError(f"exercise: expected a name such as 'toy-2', got {name!r}")
    name = name.strip().lower().replace("_", "-")
    chapter = name.partition("-")[0]
    require_choice("exercise", chapter if chapter in CHAPTERS else name, CHAPTERS)
    exercises = _imported(chapter).EXERCISES
    if name not in exercises:
        raise ParameterError(f"exercise: {unknown(name, exercises)}")
    return _of(name, exercises[name], student)


def exercise_numbers(name: str, student: str | None = None) -> dict[str, float]:
    """The numbers that an exercise has for a student, or in the book; none where it is the same for everybody.

    >>> exercise_numbers("toy-2"), exercise_numbers("toy-1")
    ({'half': 1.5}, {})
    """
    chapter = name.partition("-")[0]
    stated = _imported(chapter).EXERCISES.get(name) if chapter in CHAPTERS else None
    return stated.numbers(name, student) if isinstance(stated, IndividualExercise) else {}


def chapter_exercises(chapter: str) -> dict[str, Exercise]:
    """The exercises of a chapter by name, in order.

    >>> list(chapter_exercises("toy"))[:2]
    ['toy-1', 'toy-2']
    """
    return {name: _of(name, stated, None) for name, stated in _imported(chapter).EXERCISES.items()}


def _of(name: str, stated: Exercise | IndividualExercise, student: str | None) -> Exercise:
    return stated.exercise(name, student) if isinstance(stated, IndividualExercise) else replace(stated, name=name)


def _imported(chapter: str) -> Any:
    """The module of a chapter's exercises, imported where `imports.reached` sees it; the toy's need no torch."""
    if chapter == "toy":
        from lmc_utils.classroom.exercises import toy

        return toy
    from lmc_utils.classroom.exercises import angle, approx, detour, fork, merge, norm, ridge, stable

    known = {
        "angle": angle,
        "approx": approx,
        "fork": fork,
        "ridge": ridge,
        "norm": norm,
        "detour": detour,
        "stable": stable,
        "merge": merge,
    }
    return known[chapter]
