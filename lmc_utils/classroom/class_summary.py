"""What a class has got wrong: for each exercise, how many have solved it, and which mistakes were made how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from lmc_utils.classroom.answer_feedback import UNANSWERED
from lmc_utils.classroom.submission_marks import Marks


@dataclass
class Tally:
    """How one exercise went.

    Attributes:
        solved: how many got its points.
        remarks: what was said of those who did not, and how often.
    """

    solved: int = 0
    remarks: Counter[str] = field(default_factory=Counter)

    @property
    def unanswered(self) -> int:
        """How many did not try."""
        return sum(count for said, count in self.remarks.items() if _is_unanswered(said))

    @property
    def mistaken(self) -> int:
        """How many tried in vain."""
        return sum(self.remarks.values()) - self.unanswered

    @property
    def mistakes(self) -> list[tuple[str, int]]:
        """What they were told, the most frequent first."""
        return [(said, count) for said, count in self.remarks.most_common() if not _is_unanswered(said)]


def tally(marks: Iterable[Marks]) -> dict[str, Tally]:
    """How each exercise went, by name.

    >>> class_ = [Marks({"a-1": 1.0}, {"a-1": 1.0}), Marks({"a-1": 0.0}, {"a-1": 1.0}, ["a-1: Mind the chord."])]
    >>> found = tally(class_)["a-1"]
    >>> found.solved, found.mistakes, found.unanswered
    (1, [('Mind the chord.', 1)], 0)
    """
    found: dict[str, Tally] = {}
    for each in marks:
        for exercise in each.out_of:
            of = found.setdefault(exercise, Tally())
            if each.points.get(exercise):
                of.solved += 1
            else:
                of.remarks[said_of(each, exercise)] += 1
    return found


def said_of(marks: Marks, exercise: str) -> str:
    """Why an exercise has no points: the last remark of it, else of the whole submission.

    >>> said_of(Marks({"a-1": 0.0}, {"a-1": 1.0}, ["a-1: this cell was changed", "a-1: Mind the chord."]), "a-1")
    'Mind the chord.'
    """
    of_it = [remark.removeprefix(f"{exercise}: ") for remark in marks.remarks if remark.startswith(f"{exercise}: ")]
    return (of_it or marks.remarks or [""])[-1]


def _is_unanswered(said: str) -> bool:
    return UNANSWERED in said or "NotImplementedError" in said
