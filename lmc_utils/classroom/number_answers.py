"""Compare numbers that answer an exercise with the solution, and recognise general mistakes such as a wrong unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

_ROUNDED = 0.05  # how far a percentage may be rounded to be recognised as one
_UNITS: tuple[tuple[str, float], ...] = (
    ("A hundred times too large. Is it in percent or points, where a fraction was asked for?", 100),
    ("A hundred times too small. Is it a fraction, where percent or points were asked for?", 0.01),
)
_GENERAL_MISTAKES: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("The size is right, the sign is wrong.", lambda true: -true),
    ("Twice as large as it should be.", lambda true: 2 * true),
    ("Half as large as it should be.", lambda true: true / 2),
    ("Four times as large as it should be.", lambda true: 4 * true),
    ("A quarter of what it should be.", lambda true: true / 4),
    ("That would be right in degrees, and radians were asked for.", np.degrees),
    ("That would be right in radians, and degrees were asked for.", np.radians),
    ("It is upside down: one over the right answer.", lambda true: 1 / true),
    ("It is the square of the right answer.", np.square),
    ("It is the square root of the right answer.", np.sqrt),
    ("It is the natural logarithm of the right answer.", np.log),
    ("It is one minus the right answer: the other fraction.", lambda true: 1 - true),
    ("The right numbers in reverse order.", lambda true: true[::-1] if true.ndim == 1 else true),
    ("The right numbers, but rows and columns are interchanged.", np.transpose),
)


def is_close(one: list[Array], other: list[Array], tolerance: float) -> bool:
    """Equal up to a fraction of the other's largest number, so that a zero among larger numbers may be rounded."""
    return is_within(one, other, slack_of(other, tolerance))


def slack_of(values: list[Array], tolerance: float) -> float:
    """The largest allowed difference: a fraction of the largest finite number, or of one where all are zero."""
    finite = (np.abs(each[np.isfinite(each)]) for each in values)
    return tolerance * float(max(each.max(initial=0.0) for each in finite) or 1.0)


def is_within(one: list[Array], other: list[Array], slack: float) -> bool:
    """Whether all arrays have equal shapes and differ by at most this much."""
    return all(
        first.shape == second.shape and np.allclose(first, second, rtol=0, atol=slack, equal_nan=True)
        for first, second in zip(one, other, strict=True)
    )


def hint_for_numbers(values: list[Array], solution: list[Array], tolerance: float) -> str:
    """A hint for wrong numbers of the right shape: the general mistake that leads to them, or how near they are.

    >>> hint_for_numbers([np.array(-2.0)], [np.array(2.0)], 1e-6)
    'The size is right, the sign is wrong.'
    """
    for hint, factor in _UNITS:
        if is_close(values, [factor * true for true in solution], max(tolerance, _ROUNDED)):
            return hint
    for hint, transform in _GENERAL_MISTAKES:
        with np.errstate(all="ignore"):
            if is_close(values, [transform(true) for true in solution], tolerance):
                return hint
    if is_close(values, solution, 10 * tolerance):
        percent = f"{100 * tolerance:.2g} %"
        return f"Close, but not within {percent}. Was something rounded, or stopped too early?"
    return hint_for_cases(values, solution, tolerance)


def hint_for_cases(values: list[Array], solution: list[Array], tolerance: float) -> str:
    """A hint that says how many of several values are right, if any.

    >>> hint_for_cases([np.array(1.0), np.array(0.0)], [np.array(1.0), np.array(2.0)], 1e-6)
    '1 of 2 test cases pass.'
    """
    passed = [is_close([one], [two], tolerance) for one, two in zip(values, solution, strict=True)]
    if any(passed):
        return f"{sum(passed)} of {len(passed)} test cases pass."
    return "Not correct. It is none of the common mistakes, so there is no specific hint."
