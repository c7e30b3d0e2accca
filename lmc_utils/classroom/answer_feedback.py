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

from lmc_utils.formatting import short_repr

Array = np.ndarray[Any, np.dtype[np.float64]]

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
        choices: the allowed words, where the answer is a word.
        test_inputs: the arguments of each call, where the answer is a function.
        tolerance: relative to the largest number of an array, or of all test inputs. By default a hundredth, for
            functions a millionth.
        reject: returns a hint for an answer that breaks the rules of the exercise, else None.
        objective: where many answers are correct, the number to minimise; it is compared in place of the answer.
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


class _InvalidAnswer(Exception):
    """An answer that cannot be compared; the message is the hint."""


def _find_hint(exercise: Exercise, answer: Any) -> str | None:
    """The hint for a wrong or invalid answer; None for a correct one."""
    try:
        return _hint(exercise, answer)
    except _InvalidAnswer as error:
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
    except (_InvalidAnswer, IndexError):
        return False
    expected = [solution[case][part.index] for case in cases]
    return _within(result, expected, _slack(solution, exercise.tolerance))


def _hint(exercise: Exercise, answer: Any) -> str | None:
    if answer is None or answer is ...:
        return UNANSWERED
    if exercise.choices:
        return _hint_for_word(exercise, answer)
    if not exercise.test_inputs:
        if callable(answer):
            return "The answer must be numbers, not a function. Call the function and pass its result."
        answer = _numbers(answer)
    elif not callable(answer):
        kind = type(answer).__name__
        return f"The answer must be a function (got {kind}). Pass the function itself, without calling it."
    if (rejection := exercise.reject(answer)) is not None:
        return rejection
    result, solution = _arrays(exercise, answer), _arrays(exercise, exercise.evaluate(exercise.solution))
    if _close(result, solution, exercise.tolerance):
        return None
    compared = [np.sort(answer)] if exercise.objective else result
    for hint, stated in exercise.mistakes.items():
        wrong = exercise.evaluate(stated)
        if _close(compared, [np.sort(wrong)] if exercise.objective else _arrays(exercise, wrong), exercise.tolerance):
            return hint
    if exercise.objective:
        return f"Allowed, but its value is {result[0]:.3g}, and {solution[0]:.3g} is possible."
    return _hint_for_shape(exercise, result, solution) or _general_hint(exercise, result, solution)


def _hint_for_word(exercise: Exercise, answer: Any) -> str | None:
    word = matching_choice(answer, exercise.choices) if isinstance(answer, str) else None
    if word is None:
        return f"The answer must be one of: {', '.join(exercise.choices)} (got {short_repr(str(answer))})."
    hints = {exercise.evaluate(stated): hint for hint, stated in exercise.mistakes.items()}
    return None if word == exercise.evaluate(exercise.solution) else hints.get(word, "No. Look again.")


def matching_choice(word: str, choices: Iterable[str]) -> str | None:
    """The choice that a word means, whatever its case, punctuation and ending; None unless there is exactly one.

    Nothing is guessed beyond that: a suggestion would be a wrong answer, or the right one.

    >>> [matching_choice(word, ["rises", "falls", "stays"]) for word in ("Rise", "'FALLS'", "rose", "")]
    ['rises', 'falls', None, None]
    """
    found = [choice for choice in choices if _stem(choice) == _stem(word)]
    return found[0] if len(found) == 1 else None


def _stem(words: str) -> str:
    """A word or several in lower case, without punctuation, spaces and the ending of the last one.

    >>> _stem("Rising."), _stem("fork_0"), _stem("twice the learning rates")
    ('ris', 'fork0', 'twicethelearningrat')
    """
    return re.sub(r"(?:ing|e?[sdr]|e)$", "", re.sub(r"[\W_]+", "", words.casefold()))


def _arrays(exercise: Exercise, answer: Any) -> list[Array]:
    """An answer as arrays: one, or one for each call of a function; a single number gets no dimension."""
    result = [
        _numbers(_call(answer, inputs), f"For {_format_arguments(inputs)} your function returns")
        for inputs in exercise.test_inputs
    ] or [_numbers(exercise.objective(_numbers(answer)) if exercise.objective else answer)]
    return [each.reshape(()) if each.size == 1 else each for each in result]


def _call(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
    try:
        returned = function(*copy.deepcopy(inputs))
    except NotImplementedError as error:
        raise _InvalidAnswer(UNANSWERED) from error
    except (Exception, SystemExit) as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise _InvalidAnswer(f"Your function fails for {_format_arguments(inputs)}: {message}") from error
    if returned is None:
        raise _InvalidAnswer(f"For {_format_arguments(inputs)} your function returns nothing. Is a `return` missing?")
    return returned


def _numbers(values: Any, subject: str = "Your answer is") -> Array:
    detached = values.detach().cpu() if hasattr(values, "detach") else values
    try:
        numbers = np.asarray(detached)
        if numbers.dtype.kind in "cSU":
            raise TypeError
        return numbers.astype(np.float64)
    except Exception as error:  # any object may raise anything when converted
        raise _InvalidAnswer(f"The answer must be numbers. {subject} of type {type(values).__name__}.") from error


def _close(one: list[Array], other: list[Array], tolerance: float) -> bool:
    """Equal up to a fraction of the other's largest number, so that a zero among larger numbers may be rounded."""
    return _within(one, other, _slack(other, tolerance))


def _slack(values: list[Array], tolerance: float) -> float:
    finite = (np.abs(each[np.isfinite(each)]) for each in values)
    return tolerance * float(max(each.max(initial=0.0) for each in finite) or 1.0)


def _within(one: list[Array], other: list[Array], slack: float) -> bool:
    return all(
        first.shape == second.shape and np.allclose(first, second, rtol=0, atol=slack, equal_nan=True)
        for first, second in zip(one, other, strict=True)
    )


def _hint_for_shape(exercise: Exercise, values: list[Array], solution: list[Array]) -> str | None:
    """A hint where an answer has another shape than the solution, or is not finite where the solution is."""
    for one, two, inputs in zip(values, solution, exercise.test_inputs or ((),), strict=True):
        where = f" for {_format_arguments(inputs)}" if inputs else ""
        if one.shape != two.shape:
            fits = one.size == two.size and _close([one.reshape(two.shape)], [two], exercise.tolerance)
            means = _means(one, two.ndim) if one.size and not fits else []
            if any(_close([mean], [two], exercise.tolerance) for mean in means):
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


def _general_hint(exercise: Exercise, values: list[Array], solution: list[Array]) -> str:
    for hint, factor in _UNITS:
        if _close(values, [factor * true for true in solution], max(exercise.tolerance, _ROUNDED)):
            return hint
    for hint, transform in _GENERAL_MISTAKES:
        with np.errstate(all="ignore"):
            if _close(values, [transform(true) for true in solution], exercise.tolerance):
                return hint
    if _close(values, solution, 10 * exercise.tolerance):
        percent = f"{100 * exercise.tolerance:.2g} %"
        return f"Close, but not within {percent}. Was something rounded, or stopped too early?"
    passed = [_close([one], [two], exercise.tolerance) for one, two in zip(values, solution, strict=True)]
    if any(passed):
        return f"{sum(passed)} of {len(passed)} test cases pass."
    return "Not correct. It is none of the common mistakes, so there is no specific hint."


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
