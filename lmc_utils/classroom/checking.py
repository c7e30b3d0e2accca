"""Exercises that answer back: `check` says whether an answer is right, and if not, which mistake it shows.

The exercises of each chapter stand in a module of their own in `classroom.exercises`; it is imported when one of its
exercises is first asked for, so that those on toy landscapes need nothing but NumPy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lmc_utils.classroom.judging import Exercise, Verdict, judge
from lmc_utils.settings import ParameterError, require_choice, unknown

CHAPTERS = ("toy", "fork", "approx", "angle", "ridge", "norm", "detour", "merge")


def check(name: str, answer: Any) -> Verdict:
    """Say at once whether the answer to an exercise is right, and if not, give a hint that fits the mistake.

    Args:
        name: of the exercise, such as `toy-2`.
        answer: a number, a word, an array or a function, as the exercise asks.

    Returns:
        A verdict: it prints as one line, and is true where the answer is right.

    Raises:
        ParameterError: there is no such exercise.

    >>> check("toy-2", 2.25)
    ✗ toy-2 · That is the product of the distances. Each factor of f is a distance *squared*.
    >>> bool(check("toy-2", 1.5**4))
    True
    """
    return judge(find(name), answer)


def insist(name: str, answer: Any) -> None:
    """Raise where an answer is not right: what the hidden tests of an exercise do.

    Raises:
        AssertionError: with the hint that `check` would give.
        ParameterError: there is no such exercise.

    >>> insist("toy-2", 1.5)
    Traceback (most recent call last):
    AssertionError: A barrier does not grow in proportion to the distance. What is f half-way?
    """
    verdict = check(name, answer)
    if not verdict:
        raise AssertionError(verdict.message)


def find(name: str) -> Exercise:
    """The exercise of this name.

    Raises:
        ParameterError: there is none; the message names the nearest.
    """
    if not isinstance(name, str):
        raise ParameterError(f"exercise: expected a name such as 'toy-2', got {name!r}")
    name = name.strip().lower().replace("_", "-")
    chapter = name.partition("-")[0]
    require_choice("exercise", chapter if chapter in CHAPTERS else name, CHAPTERS)
    exercises = of_chapter(chapter)
    if name not in exercises:
        raise ParameterError(f"exercise: {unknown(name, exercises)}")
    return exercises[name]


def of_chapter(chapter: str) -> dict[str, Exercise]:
    """The exercises of a chapter by name, in order.

    >>> list(of_chapter("toy"))[:2]
    ['toy-1', 'toy-2']
    """
    return {name: replace(exercise, name=name) for name, exercise in _imported(chapter).EXERCISES.items()}


def _imported(chapter: str) -> Any:
    """The module of a chapter's exercises, imported where `provenance.reached` sees it; the toy's need no torch."""
    if chapter == "toy":
        from lmc_utils.classroom.exercises import toy

        return toy
    from lmc_utils.classroom.exercises import angle, approx, detour, fork, merge, norm, ridge

    known = {
        "angle": angle,
        "approx": approx,
        "fork": fork,
        "ridge": ridge,
        "norm": norm,
        "detour": detour,
        "merge": merge,
    }
    return known[chapter]
