"""Results of a class: for each exercise, how many solved it, and how often each mistake was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from lmc_utils.classroom.answer_feedback import PARTS, UNANSWERED
from lmc_utils.classroom.submission_marks import Marks


@dataclass
class ExerciseSummary:
    """How many submissions solved one exercise in full, did not answer it, and made each mistake, by its hint."""

    solved: int = 0
    unanswered: int = 0
    mistakes: Counter[str] = field(default_factory=Counter)

    @property
    def wrong(self) -> int:
        """The number of wrong answers."""
        return sum(self.mistakes.values())


def summarise_exercises(marks: Iterable[Marks]) -> dict[str, ExerciseSummary]:
    """Summarise the marks of a class, by exercise.

    >>> class_ = [Marks({"a-1": 1.0}, {"a-1": 1.0}), Marks({"a-1": 0.0}, {"a-1": 1.0}, ["a-1: Mind the chord."])]
    >>> found = summarise_exercises(class_)["a-1"]
    >>> found.solved, found.mistakes, found.unanswered
    (1, Counter({'Mind the chord.': 1}), 0)
    """
    result: dict[str, ExerciseSummary] = {}
    for each in marks:
        for exercise in each.out_of:
            summary, reason = result.setdefault(exercise, ExerciseSummary()), reason_for_lost_points(each, exercise)
            if each.points.get(exercise, 0.0) >= each.out_of[exercise]:
                summary.solved += 1
            elif not each.points.get(exercise) and (UNANSWERED in reason or "NotImplementedError" in reason):
                summary.unanswered += 1
            else:
                summary.mistakes[PARTS.sub("", reason)] += 1
    return result


def reason_for_lost_points(marks: Marks, exercise: str) -> str:
    """Why an exercise does not have all points: the last remark on it, else on the whole submission.

    >>> marks = Marks({"a-1": 0.0}, {"a-1": 1.0}, ["a-1: this cell was changed", "a-1: Mind the chord."])
    >>> reason_for_lost_points(marks, "a-1")
    'Mind the chord.'
    """
    prefix = f"{exercise}: "
    on_exercise = [remark.removeprefix(prefix) for remark in marks.remarks if remark.startswith(prefix)]
    return (on_exercise or marks.remarks or [""])[-1]
