"""Exercises with individual numbers: derived from a student's name, so that the grader can derive them again."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lmc_utils.classroom.answer_feedback import Exercise


@dataclass(frozen=True)
class IndividualExercise:
    """An exercise whose numbers differ between students.

    Attributes:
        book: the numbers in the book, by name, as in the task.
        drawn: the numbers that a student may get, by the same names.
        make: the exercise for given numbers, passed by these names.

    >>> square = IndividualExercise({"side": 2}, {"side": (3, 4, 5)}, lambda side: Exercise(side**2, "A square."))
    >>> square.numbers("a-1"), square.numbers("a-1", "Ann") == square.numbers("a-1", " ann ")
    ({'side': 2}, True)
    >>> square.exercise("a-1").solution
    4
    """

    book: Mapping[str, float]
    drawn: Mapping[str, Sequence[float]]
    make: Callable[..., Exercise]

    def numbers(self, name: str, student: str | None = None) -> dict[str, float]:
        """The numbers of a student, or the book's, for the exercise of this name."""
        if student is None:
            return dict(self.book)
        return {each: choices[_draw(f"{name} {each}", student, len(choices))] for each, choices in self.drawn.items()}

    def exercise(self, name: str, student: str | None = None) -> Exercise:
        """The exercise with these numbers."""
        return replace(self.make(**self.numbers(name, student)), name=name)


def normalised_name(student: str) -> str:
    """A student's name without differences in spaces, capitals and Unicode forms.

    >>> normalised_name("  Ann  Lee ")
    'ann lee'
    """
    return unicodedata.normalize("NFC", " ".join(student.split()).casefold())


def hundredths(low: float, high: float) -> tuple[float, ...]:
    """All multiples of 0.01 from `low` to `high`.

    >>> hundredths(0.98, 1.01)
    (0.98, 0.99, 1.0, 1.01)
    """
    return tuple(each / 100 for each in range(round(100 * low), round(100 * high) + 1))


def _draw(what: str, student: str, count: int) -> int:
    text = f"{what}\n{normalised_name(student)}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % count
