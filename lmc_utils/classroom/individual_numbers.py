"""Exercises with numbers of each student's own: drawn by name, so that whoever marks can draw them again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lmc_utils.classroom.answer_feedback import Exercise


@dataclass(frozen=True)
class IndividualExercise:
    """An exercise for each choice of its numbers.

    Attributes:
        book: the book's own numbers, by name, as they stand in the task.
        drawn: what a student's may be, by the same names.
        make: the exercise for one choice, which is given by these names.

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
    """What a name is drawn by: spaces and capitals make no other student.

    >>> normalised_name("  Ann  Lee ")
    'ann lee'
    """
    return " ".join(student.split()).casefold()


def hundredths(low: float, high: float) -> tuple[float, ...]:
    """All numbers of two decimals from one to another.

    >>> hundredths(0.98, 1.01)
    (0.98, 0.99, 1.0, 1.01)
    """
    return tuple(each / 100 for each in range(round(100 * low), round(100 * high) + 1))


def _draw(what: str, student: str, count: int) -> int:
    said = f"{what}\n{normalised_name(student)}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(said).digest()[:8], "big") % count
