"""Answers of any type are right, or get the hint that fits their mistake best."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from lmc_utils.classroom.answer_feedback import CheckResult, Exercise, Part, as_numbers, check_answer

NUMBER = Exercise(0.8, "because", {"mind the chord": 3.0}, name="x-1")
ARRAY = Exercise(lambda: np.array([1.0, 2.0, 5.0]), "because", tolerance=1e-6, name="x-2")
WORD = Exercise(lambda: "falls", "because", {"look again": "rises"}, ("rises", "falls", "stays"), name="x-3")
FUNCTION = Exercise(
    np.multiply,
    "because",
    {"a product, not a sum": np.add},
    test_inputs=((2.0, 3.0), (np.arange(3.0), 4.0)),
    name="x-4",
)

IN_PARTS = Exercise(
    np.square,
    "because",
    test_inputs=((3.0,), (np.array([1.0, 2.0]),)),
    parts={"a number": Part((0,)), "an array": Part((0, 1))},
    name="x-5",
)
TWO_NUMBERS = Exercise(
    [0.5, 80.0], "because", parts={"first": Part(index=0), "second": Part(index=1)}, tolerance=1e-4, name="x-6"
)


def hint(exercise: Exercise, answer: Any) -> str:
    result = check_answer(exercise, answer)
    assert not result
    return result.message


@pytest.mark.parametrize(
    "answer", [0.8, np.float32(0.8), [0.8], np.array([[0.8]]), torch.tensor(0.8, requires_grad=True), xr.DataArray(0.8)]
)
def test_a_number_may_be_of_any_type(answer: Any) -> None:
    assert check_answer(NUMBER, answer)


@pytest.mark.parametrize("answer", [[1, 2, 5], (1, 2, 5), torch.tensor([1.0, 2, 5]), xr.DataArray([1, 2, 5])])
def test_an_array_may_be_of_any_type(answer: Any) -> None:
    assert check_answer(ARRAY, answer)


@pytest.mark.parametrize(("answer", "right"), [(0.8079, True), (0.7921, True), (0.8081, False), (0.7919, False)])
def test_the_tolerance_is_relative(answer: float, right: bool) -> None:
    assert bool(check_answer(NUMBER, answer)) is right


def test_the_solution_is_computed_only_when_an_answer_is_given() -> None:
    def never() -> float:
        raise AssertionError("computed")

    exercise = Exercise(never, "because", {"mind the chord": never})
    assert hint(exercise, None) == "Not answered yet."
    with pytest.raises(AssertionError, match="computed"):
        check_answer(exercise, 1.0)
    later = Exercise(lambda: 0.8, "because", {"mind the chord": lambda: 3.0})
    assert check_answer(later, 0.8)
    assert hint(later, 3.0) == "mind the chord"


@pytest.mark.parametrize("exercise", [NUMBER, ARRAY, WORD, FUNCTION], ids=lambda exercise: exercise.name)
@pytest.mark.parametrize("nothing", [None, ...])
def test_a_missing_answer_is_not_a_wrong_one(exercise: Exercise, nothing: Any) -> None:
    assert hint(exercise, nothing) == "Not answered yet."


def test_a_known_mistake_gets_its_own_hint() -> None:
    assert hint(NUMBER, 3.0) == "mind the chord"
    assert hint(WORD, "rises") == "look again"
    assert hint(FUNCTION, lambda a, b: a + b) == "a product, not a sum"


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (-1, "sign"),
        (2, "Twice"),
        (0.5, "Half"),
        (4, "Four times"),
        (0.25, "A quarter"),
        (100, "hundred times too large"),
        (0.01, "hundred times too small"),
        (180 / np.pi, "degrees"),
        (np.pi / 180, "radians"),
    ],
)
def test_common_mistakes_are_recognised_in_numbers_arrays_and_functions(factor: float, words: str) -> None:
    assert words in hint(NUMBER, factor * 0.8)
    assert words in hint(ARRAY, factor * np.array([1, 2, 5]))
    assert words in hint(FUNCTION, lambda a, b: factor * a * b)


def test_more_common_mistakes_of_numbers_and_arrays() -> None:
    assert "upside down" in hint(NUMBER, 1 / 0.8)
    assert "the square of" in hint(NUMBER, 0.8**2)
    assert "square root" in hint(NUMBER, 0.8**0.5)
    assert "reverse" in hint(ARRAY, [5, 2, 1])
    table = Exercise(np.array([[1.0, 2.0], [3.0, 4.0]]), "because", tolerance=1e-6)
    assert "rows and columns" in hint(table, [[1, 3], [2, 4]])


def test_a_wrong_shape_is_named() -> None:
    assert hint(ARRAY, [1, 2]) == "The shape is wrong: (2,) instead of (3,)."
    assert hint(ARRAY, [[1], [2], [5]]) == "The numbers are right, the shape is not: (3, 1) instead of (3,)."
    assert hint(FUNCTION, lambda a, b: 6.0) == "The shape is wrong: () instead of (3,) for ([0.0, 1.0, 2.0], 4.0)."


def test_the_wrong_kind_of_answer_is_named() -> None:
    assert "Call the function" in hint(NUMBER, abs)
    assert "without calling it" in hint(FUNCTION, 6.0)
    assert hint(NUMBER, "0.8") == "The answer must be numbers. Your answer is of type str."
    assert hint(NUMBER, b"0.8") == "The answer must be numbers. Your answer is of type bytes."
    assert hint(NUMBER, 10**400) == "The answer must be numbers. Your answer is of type int."
    assert hint(NUMBER, 1j) == "The answer must be numbers. Your answer is of type complex."
    assert hint(WORD, "sinks") == "The answer must be one of: rises, falls, stays (got 'sinks')."
    assert "The answer must be one of: " in hint(WORD, np.array(["falls", "rises"]))
    assert check_answer(WORD, " Falls ")


@pytest.mark.parametrize("word", ["falls", " Falls ", "FALL", "'falling'", "fall."])
def test_a_word_is_understood_in_any_case_and_form(word: str) -> None:
    assert check_answer(WORD, word)


@pytest.mark.parametrize("word", ["fals", "raises", "fa", "", "stays or falls", 1, True])
def test_no_word_is_suggested_for_another(word: object) -> None:
    assert hint(WORD, word) == f"The answer must be one of: rises, falls, stays (got '{word}')."


def test_a_word_that_could_mean_two_choices_is_not_understood() -> None:
    ambiguous = Exercise("rises", "because", choices=("rise", "rises"))
    assert "must be one of: rise, rises" in hint(ambiguous, "Rising")


def test_a_rounded_percentage_and_a_missing_mean_get_a_hint() -> None:
    fraction = Exercise(0.0731, "because", tolerance=0.005)
    assert "in percent or points, where a fraction" in hint(fraction, 7)
    assert "Take the mean" in hint(NUMBER, [[0.7], [0.9]])
    assert "Take the mean" in hint(ARRAY, [[0.0, 1, 2], [2, 3, 8]])
    assert "the other fraction" in hint(Exercise(0.7, "because"), 0.3)


def test_parts_are_checked_separately() -> None:
    result = check_answer(IN_PARTS, lambda x: float(x) ** 2)
    assert (result.correct, result.fraction, dict(result.parts)) == (False, 0.5, {"a number": True, "an array": False})
    assert result.message.startswith("Your function fails for ([1.0, 2.0])")
    assert repr(result).startswith("✗ x-5 · 1 of 2 parts right (✓ a number, ✗ an array). Your function fails")
    assert check_answer(IN_PARTS, lambda x: x * x).fraction == 1
    for wrong in (lambda x: 0 * x, lambda x: x, lambda x: None, lambda x: 1 / 0, 9.0, None, ...):
        assert check_answer(IN_PARTS, wrong).fraction == 0, wrong


@pytest.mark.parametrize(
    ("answer", "fraction"),
    [
        ([0.5, 80.0], 1),
        ([0.504, 7.0], 0.5),  # rounded as the whole answer may be
        ([7.0, 80.0], 0.5),
        ([80.0, 0.5], 0),
        ([[0.5], [80.0]], 0),
        (0.5, 0),
        (None, 0),
        ("0.5", 0),
        (abs, 0),
    ],
)
def test_numbers_of_an_answer_may_be_parts(answer: Any, fraction: float) -> None:
    assert check_answer(TWO_NUMBERS, answer).fraction == fraction


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda a, b: None, "Is a `return` missing?"),
        (lambda a: a, "fails for (2.0, 3.0): TypeError"),
        (lambda a, b: float(a) * b, "fails for ([0.0, 1.0, 2.0], 4.0): TypeError"),
        (lambda a, b: a * b / 0, "ZeroDivisionError"),
        (lambda a, b: "six", "returns of type str"),
        (lambda a, b: sys.exit(3), "SystemExit"),
    ],
)
def test_errors_inside_a_function_are_reported(function: Callable[..., Any], words: str) -> None:
    assert words in hint(FUNCTION, function)


def test_an_answer_that_is_not_finite_is_named() -> None:
    assert "not finite" in hint(NUMBER, np.nan)
    assert "not finite" in hint(ARRAY, [1, np.inf, 5])


def test_an_infinite_truth_can_be_matched() -> None:
    assert check_answer(Exercise(np.inf, "because"), np.inf)


def test_close_and_partly_right_answers_are_recognised() -> None:
    assert "not within 1 %" in hint(NUMBER, 0.83)
    assert "1 of 2 test cases pass" in hint(FUNCTION, lambda a, b: np.asarray(a * b) + np.asarray(a).ndim)
    assert "none of the common mistakes" in hint(NUMBER, 70.0)


def test_rounding_of_a_zero_among_larger_numbers_is_no_mistake() -> None:
    angles = Exercise(np.abs, "because", test_inputs=((90.0,), (0.0,)))
    assert check_answer(angles, lambda a: abs(a) + 1e-6)
    assert not check_answer(angles, lambda a: abs(a) + 1e-3)


def test_a_function_cannot_change_the_arguments_of_its_check() -> None:
    def greedy(a: Any, b: Any) -> Any:
        product = a * b
        if np.ndim(a):
            a[:] = 0
        return product

    inputs = ((np.arange(3.0), 4.0),)
    exercise = Exercise(np.multiply, "because", test_inputs=inputs)
    assert check_answer(exercise, greedy)
    assert check_answer(exercise, greedy)
    assert inputs[0][0].tolist() == [0, 1, 2]


def test_an_exercise_may_have_many_right_answers() -> None:
    anywhere = Exercise(
        [3.0, 4.0],
        "because",
        {"straight up": [0.0, 7.0]},
        reject=lambda answer: "two numbers" if answer.shape != (2,) else None,
        objective=np.linalg.norm,
    )
    assert check_answer(anywhere, [5.0, 0.0])
    assert check_answer(anywhere, [-4.0, 3.0])
    assert hint(anywhere, [5.0]) == "two numbers"
    assert hint(anywhere, [7.0, 0.0]) == "straight up", "in whatever order"
    assert hint(anywhere, [10.0, 0.0]) == "Allowed, but its value is 10, and 5 is possible."


def test_a_result_is_true_or_false_and_prints_as_one_line() -> None:
    assert repr(CheckResult("x-1", True, "Because.")) == "✓ x-1 · right. Because."
    assert repr(CheckResult("x-1", False, "Mind the chord.")) == "✗ x-1 · Mind the chord."


SIGN = Exercise(
    lambda x: "up" if x > 0 else "down",
    "because",
    {"the other way": lambda x: "down" if x > 0 else "up"},
    ("up", "down", "neither"),
    ((1.0,), (2.0,), (-1.0,)),
)


def test_a_function_may_return_words() -> None:
    assert check_answer(SIGN, lambda x: "Up" if x > 0 else " down.")
    assert hint(SIGN, lambda x: "up" if x < 0 else "down") == "the other way"
    assert hint(SIGN, lambda x: "up") == "2 of 3 test cases pass."
    assert "none of the common mistakes" in hint(SIGN, lambda x: "neither")
    assert hint(SIGN, lambda x: "left") == "For (1.0) it must return one of: up, down, neither (got 'left')."
    assert hint(SIGN, lambda x: 1) == "For (1.0) it must return one of: up, down, neither (got '1')."
    assert "without calling it" in hint(SIGN, "up")


def test_an_answer_may_be_judged_by_itself() -> None:
    even = Exercise(2, "because", {"odd": 3}, find_mistake=lambda answer: "odd" if as_numbers(answer) % 2 else None)
    assert check_answer(even, 4)
    assert hint(even, 5) == "odd"
    assert hint(even, "four") == "The answer must be numbers. Your answer is of type str."
    assert hint(even, ...) == "Not answered yet."
