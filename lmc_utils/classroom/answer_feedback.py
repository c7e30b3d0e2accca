"""Compare an answer to an exercise with its solution and with the answers that common mistakes lead to.

An answer is a number, an array, a word or a function. Solutions and wrong answers are computed; an answer that equals
the solution is correct, and one that equals a known wrong answer gets the hint for that mistake. Functions are compared
by their return values for the same arguments.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from types import EllipsisType
from typing import Any

import numpy as np

from lmc_utils.classroom.number_answers import Array, hint_for_cases, hint_for_numbers, is_close, is_within, slack_of
from lmc_utils.classroom.word_answers import matching_choice
from lmc_utils.formatting import short_repr

UNANSWERED = "Not answered yet."
PARTS = re.compile(r"^\d+ of \d+ parts right \(.*?\)\. ")  # the beginning of the remark on a partly correct answer


@dataclass(frozen=True)
class Part:
    """A part of an exercise with points of its own.

    Attributes:
        cases: positions of the test inputs that it consists of, where the answer is a function; by default all.
        index: of the numbers that count, in the answer or in what the function returns; by default all.
    """

    cases: tuple[int, ...] = ()
    index: int | EllipsisType = ...


@dataclass(frozen=True)
class Exercise:
    """The solution of an exercise, and its common mistakes.

    Solution and wrong answers are values, or functions without arguments that are called only when an answer is
    checked; where the exercise asks for a function, they are that function.

    Attributes:
        solution: the correct answer.
        explanation: why it is correct; shown with a correct answer.
        mistakes: hints that do not give the answer away, each with the answer that a common mistake leads to; of
            several that apply, the first is shown.
        choices: the allowed words, where the answer is a word or a function that returns one.
        test_inputs: the arguments of each call, where the answer is a function.
        tolerance: relative to the largest number of an array, or of all test inputs. By default a hundredth, for
            functions a millionth.
        reject: returns a hint for an answer that breaks the rules of the exercise, else None.
        objective: where many answers are correct, the number to minimise; it is compared in place of the answer.
        find_mistake: where an answer can only be judged by itself, returns the hint for a wrong one, or raises
            `InvalidAnswer`; None for a correct one. Nothing is compared then.
        parts: the parts that get points separately, by name; none if the points are for the whole answer.
        name: of the exercise, such as toy-2.
    """

    solution: Any
    explanation: str
    mistakes: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    test_inputs: tuple[tuple[Any, ...], ...] = ()
    tolerance: float = 0.0
    reject: Callable[[Array], str | None] = lambda answer: None
    objective: Callable[[Array], Any] | None = None
    find_mistake: Callable[[Any], str | None] | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tolerance", self.tolerance or (1e-6 if self.test_inputs else 0.01))

    def evaluate(self, stated: Any) -> Any:
        """Compute the solution, or a wrong answer."""
        return stated() if callable(stated) and not self.test_inputs else stated

    def numbers(self, name: str, student: str | None = None) -> dict[str, float]:
        """The individual numbers of a student: none, as this exercise is the same for everybody."""
        return {}

    def exercise(self, name: str, student: str | None = None) -> Exercise:
        """This exercise under its name."""
        return replace(self, name=name)


@dataclass(frozen=True, repr=False)
class CheckResult:
    """Result of a check, printed as one line; truthy if the answer is correct.

    >>> CheckResult("toy-1", True, "One valley has no ridge.")
    ✓ toy-1 · right. One valley has no ridge.
    >>> CheckResult("toy-3", False, "Each factor is squared.", {"a number": True, "an array": False})
    ✗ toy-3 · 1 of 2 parts right (✓ a number, ✗ an array). Each factor is squared.

    Attributes:
        exercise: its name.
        correct: whether the whole answer is.
        message: the explanation of a correct answer, the hint for a wrong one.
        parts: whether each part is correct, for a wrong answer to an exercise that has parts.
    """

    exercise: str
    correct: bool
    message: str
    parts: Mapping[str, bool] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.correct

    def __repr__(self) -> str:
        return f"{'✓' if self.correct else '✗'} {self.exercise} · {'right. ' if self.correct else ''}{self.remark}"

    @property
    def fraction(self) -> float:
        """The fraction of the points that the answer gets: 1, 0, or that of the correct parts."""
        return sum(self.parts.values()) / len(self.parts) if self.parts else float(self.correct)

    @property
    def remark(self) -> str:
        """The message; if some parts are correct, it begins with them."""
        if not any(self.parts.values()):
            return self.message
        names = ", ".join(f"{'✓' if correct else '✗'} {name}" for name, correct in self.parts.items())
        return f"{sum(self.parts.values())} of {len(self.parts)} parts right ({names}). {self.message}"


def check_answer(exercise: Exercise, answer: Any) -> CheckResult:
    """Check whether an answer is correct, and if not, find the hint that fits it best.

    It is a number, a word, an array (NumPy, torch, xarray or nested lists) or a function; None or `...` mean no answer.

    >>> half = Exercise(0.5, "Half of it.", {"Mind the chord.": 1.5}, name="x-1")
    >>> check_answer(half, 0.5), check_answer(half, 1.5)
    (✓ x-1 · right. Half of it., ✗ x-1 · Mind the chord.)
    >>> check_answer(half, -0.5)
    ✗ x-1 · The size is right, the sign is wrong.
    """
    hint = _find_hint(exercise, answer)
    if hint is None:
        return CheckResult(exercise.name, True, exercise.explanation)
    return CheckResult(exercise.name, False, hint, _correct_parts(exercise, answer))


class InvalidAnswer(Exception):
    """An answer that cannot be compared; the message is the hint."""


def _find_hint(exercise: Exercise, answer: Any) -> str | None:
    """The hint for a wrong or invalid answer; None for a correct one."""
    try:
        return _hint(exercise, answer)
    except InvalidAnswer as error:
        return str(error)


def _correct_parts(exercise: Exercise, answer: Any) -> dict[str, bool]:
    """Whether each part of a wrong answer is correct. Where all are, the answer has another shape, and none counts."""
    if not exercise.parts:
        return {}
    solution = _arrays(exercise, exercise.evaluate(exercise.solution))
    correct = {name: _is_correct_part(exercise, answer, part, solution) for name, part in exercise.parts.items()}
    return correct if not all(correct.values()) else dict.fromkeys(correct, False)


def _is_correct_part(exercise: Exercise, answer: Any, part: Part, solution: list[Array]) -> bool:
    """Whether one part is correct, even if the function fails for the test inputs of others."""
    cases = part.cases or range(len(solution))
    inputs = tuple(exercise.test_inputs[case] for case in cases) if exercise.test_inputs else ()
    try:
        result = [each[part.index] for each in _arrays(replace(exercise, test_inputs=inputs), answer)]
    except (InvalidAnswer, IndexError):
        return False
    expected = [solution[case][part.index] for case in cases]
    return is_within(result, expected, slack_of(solution, exercise.tolerance))


def _hint(exercise: Exercise, answer: Any) -> str | None:
    if answer is None or answer is ...:
        return UNANSWERED
    if exercise.find_mistake is not None:
        return exercise.find_mistake(answer)
    if exercise.choices and not exercise.test_inputs:
        return _hint_for_word(exercise, answer)
    if not exercise.test_inputs:
        if callable(answer):
            return "The answer must be numbers, not a function. Call the function and pass its result."
        answer = as_numbers(answer)
    elif not callable(answer):
        kind = type(answer).__name__
        return f"The answer must be a function (got {kind}). Pass the function itself, without calling it."
    if (rejection := exercise.reject(answer)) is not None:
        return rejection
    result, solution = _arrays(exercise, answer), _arrays(exercise, exercise.evaluate(exercise.solution))
    if is_close(result, solution, exercise.tolerance):
        return None
    compared = [np.sort(answer)] if exercise.objective else result
    for hint, stated in exercise.mistakes.items():
        wrong = exercise.evaluate(stated)
        if is_close(compared, [np.sort(wrong)] if exercise.objective else _arrays(exercise, wrong), exercise.tolerance):
            return hint
    if exercise.choices:
        return hint_for_cases(result, solution, exercise.tolerance)
    if exercise.objective:
        return f"Allowed, but its value is {result[0]:.3g}, and {solution[0]:.3g} is possible."
    return _hint_for_shape(exercise, result, solution) or hint_for_numbers(result, solution, exercise.tolerance)


def _hint_for_word(exercise: Exercise, answer: Any) -> str | None:
    word = matching_choice(answer, exercise.choices) if isinstance(answer, str) else None
    if word is None:
        return f"The answer must be one of: {', '.join(exercise.choices)} (got {short_repr(str(answer))})."
    hints = {exercise.evaluate(stated): hint for hint, stated in exercise.mistakes.items()}
    return None if word == exercise.evaluate(exercise.solution) else hints.get(word, "No. Look again.")


def _arrays(exercise: Exercise, answer: Any) -> list[Array]:
    """An answer as arrays: one, or one for each call of a function; a single number gets no dimension."""
    result = [_returned(exercise, answer, inputs) for inputs in exercise.test_inputs] or [
        as_numbers(exercise.objective(as_numbers(answer)) if exercise.objective else answer)
    ]
    return [each.reshape(()) if each.size == 1 else each for each in result]


def _returned(exercise: Exercise, function: Callable[..., Any], inputs: tuple[Any, ...]) -> Array:
    """What a function returns; a word as its position among the choices."""
    arguments = _format_arguments(inputs)
    returned = call_function(function, inputs, arguments)
    if not exercise.choices:
        return as_numbers(returned, f"For {arguments} your function returns")
    word = matching_choice(returned, exercise.choices) if isinstance(returned, str) else None
    if word is None:
        got = short_repr(str(returned))
        raise InvalidAnswer(f"For {arguments} it must return one of: {', '.join(exercise.choices)} (got {got}).")
    return np.array(float(exercise.choices.index(word)))


def call_function(function: Callable[..., Any], inputs: tuple[Any, ...], arguments: str) -> Any:
    """Call the function of an answer with copies of the inputs.

    Args:
        arguments: the inputs, as hints name them.

    Raises:
        InvalidAnswer: it raises an error, or returns nothing.
    """
    try:
        returned = function(*copy.deepcopy(inputs))
    except NotImplementedError as error:
        raise InvalidAnswer(UNANSWERED) from error
    except (Exception, SystemExit) as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise InvalidAnswer(f"Your function fails for {arguments}: {message}") from error
    if returned is None:
        raise InvalidAnswer(f"For {arguments} your function returns nothing. Is a `return` missing?")
    return returned


def as_numbers(values: Any, subject: str = "Your answer is") -> Array:
    """An answer as an array of numbers.

    Args:
        subject: the beginning of a sentence that ends with its type.

    Raises:
        InvalidAnswer: it is something else.
    """
    detached = values.detach().cpu() if hasattr(values, "detach") else values
    try:
        numbers = np.asarray(detached)
        if numbers.dtype.kind in "cSU":
            raise TypeError
        return numbers.astype(np.float64)
    except Exception as error:  # any object may raise anything when converted
        raise InvalidAnswer(f"The answer must be numbers. {subject} of type {type(values).__name__}.") from error


def _hint_for_shape(exercise: Exercise, values: list[Array], solution: list[Array]) -> str | None:
    """A hint where an answer has another shape than the solution, or is not finite where the solution is."""
    for one, two, inputs in zip(values, solution, exercise.test_inputs or ((),), strict=True):
        where = f" for {_format_arguments(inputs)}" if inputs else ""
        if one.shape != two.shape:
            fits = one.size == two.size and is_close([one.reshape(two.shape)], [two], exercise.tolerance)
            means = _means(one, two.ndim) if one.size and not fits else []
            if any(is_close([mean], [two], exercise.tolerance) for mean in means):
                return f"Take the mean of these numbers: the shape is {one.shape} instead of {two.shape}{where}."
            why = "The numbers are right, the shape is not" if fits else "The shape is wrong"
            return f"{why}: {one.shape} instead of {two.shape}{where}."
        if not np.isfinite(one[np.isfinite(two)]).all():
            why = "Is there a division by zero, or an argument outside a function's domain?"
            return f"The answer is not finite{where} (it contains inf or nan). {why}"
    return None


def _means(values: Array, dimensions: int) -> list[Array]:
    """The means of an array over any of its axes that leave this number of dimensions."""
    return [
        np.asarray(values.mean(axes)) for axes in combinations(range(values.ndim), max(values.ndim - dimensions, 0))
    ]


def _format_arguments(inputs: Iterable[Any]) -> str:
    """Arguments as one would write them, shortened.

    >>> _format_arguments((np.arange(2.0), abs, 0.5))
    '([0.0, 1.0], abs, 0.5)'
    """
    words = []
    for argument in inputs:
        values = np.asarray(argument).tolist() if not callable(argument) else getattr(argument, "__name__", "f")
        word = repr(values) if not isinstance(values, str) else values
        words.append(word if len(word) <= 40 else f"{word[:36]} ...")
    return f"({', '.join(words)})"
