"""Counts of the results of a class."""

from __future__ import annotations

from lmc_utils.classroom.answer_feedback import UNANSWERED, CheckResult
from lmc_utils.classroom.class_summary import summarise_exercises
from lmc_utils.classroom.submission_marks import Marks


def marks(points: float, *remarks: str) -> Marks:
    return Marks({"a-1": points}, {"a-1": 2.0}, list(remarks))


def test_each_student_is_counted_once() -> None:
    class_ = [
        marks(2),
        marks(0, "a-1: Mind the chord."),
        marks(0, f"a-1: {UNANSWERED}"),
        marks(0, "wrong file"),
        marks(0),
    ]
    found = summarise_exercises(class_)["a-1"]
    assert found.solved + found.wrong + found.unanswered == len(class_)
    assert (found.solved, found.unanswered) == (1, 1)


def test_some_points_are_not_a_solution() -> None:
    found = summarise_exercises([marks(1, "a-1: some parts are wrong")])["a-1"]
    assert (found.solved, found.mistakes) == (0, {"some parts are wrong": 1})


def test_a_partly_correct_answer_is_answered() -> None:
    parts = CheckResult("a-1", False, UNANSWERED, {"x": True, "f(y)": False})
    found = summarise_exercises([marks(1, f"a-1: {parts.remark}")])["a-1"]
    assert (found.solved, found.wrong, found.unanswered) == (0, 1, 0)


def test_a_mistake_is_counted_once_whatever_parts_are_correct() -> None:
    remarks = [
        CheckResult("a-1", False, "Mind the chord.", {"as (x, y)": first, "z": second}).remark
        for first, second in ((True, False), (False, True), (False, False))
    ]
    found = summarise_exercises([marks(len(remark) > 20, f"a-1: {remark}") for remark in remarks])["a-1"]
    assert found.mistakes == {"Mind the chord.": 3}


def test_the_most_frequent_mistake_comes_first() -> None:
    class_ = [marks(0, f"a-1: {said}") for said in ("x", "y", "y", "z", "y", "z")]
    assert summarise_exercises(class_)["a-1"].mistakes.most_common() == [("y", 3), ("z", 2), ("x", 1)]


def test_an_exercise_counts_only_students_who_were_asked_it() -> None:
    found = summarise_exercises([marks(2), Marks({"b-1": 1.0}, {"b-1": 1.0}), Marks()])
    assert (found["a-1"].solved, found["b-1"].solved, list(found)) == (1, 1, ["a-1", "b-1"])
