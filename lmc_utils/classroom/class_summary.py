"""What a class has got wrong: for each exercise, how many have solved it, and which mistakes were made how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from lmc_utils.classroom.answer_feedback import UNANSWERED
from lmc_utils.classroom.submission_marks import Marks


@dataclass
class ExerciseSummary:
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
    def wrong(self) -> int:
        """How many tried in vain."""
        return sum(self.remarks.values()) - self.unanswered

    @property
    def mistakes(self) -> list[tuple[str, int]]:
        """What they were told, the most frequent first."""
        return [(said, count) for said, count in self.remarks.most_common() if not _is_unanswered(said)]


def summarise_exercises(marks: Iterable[Marks]) -> dict[str, ExerciseSummary]:
    """How each exercise went, by name.

    >>> class_ = [Marks({"a-1": 1.0}, {"a-1": 1.0}), Marks({"a-1": 0.0}, {"a-1": 1.0}, ["a-1: Mind the chord."])]
    >>> found = summarise_exercises(class_)["a-1"]
    >>> found.solved, found.mistakes, found.unanswered
    (1, [('Mind the chord.', 1)], 0)
    """
    found: dict[str, ExerciseSummary] = {}
    for each in marks:
        for exercise in each.out_of:
            of = found.setdefault(exercise, ExerciseSummary())
            if each.points.get(exercise):
                of.solved += 1
            else:
                of.remarks[reason_for_lost_points(each, exercise)] += 1
    return found


def reason_for_lost_points(marks: Marks, exercise: str) -> str:
    """Why an exercise has no points: the last remark of it, else of the whole submission.

    >>> marks = Marks({"a-1": 0.0}, {"a-1": 1.0}, ["a-1: this cell was changed", "a-1: Mind the chord."])
    >>> reason_for_lost_points(marks, "a-1")
    'Mind the chord.'
    """
    of_it = [remark.removeprefix(f"{exercise}: ") for remark in marks.remarks if remark.startswith(f"{exercise}: ")]
    return (of_it or marks.remarks or [""])[-1]


def _is_unanswered(said: str) -> bool:
    return UNANSWERED in said or "NotImplementedError" in said
