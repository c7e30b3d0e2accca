"""Compare an answer to an exercise with its solution and with the answers that common mistakes lead to.

An answer is a number, an array, a word or a function. Solutions and wrong answers are computed; an answer that equals
the solution is correct, and one that equals a known wrong answer gets the hint for that mistake. Functions are compared
by their return values for the same arguments.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lmc_utils.formatting import short_repr

Array = np.ndarray[Any, np.dtype[np.float64]]

UNANSWERED = "Not answered yet."


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
    """

    exercise: str
    correct: bool
    message: str

    def __bool__(self) -> bool:
        return self.correct

    def __repr__(self) -> str:
        return f"{'✓' if self.correct else '✗'} {self.exercise} · {'right. ' if self.correct else ''}{self.message}"


def check_answer(exercise: Exercise, answer: Any) -> CheckResult:
    """Check whether an answer is correct, and if not, find the hint that fits it best.

    It is a number, a word, an array (NumPy, torch, xarray or nested lists) or a function; None or `...` mean no answer.

    >>> half = Exercise(0.5, "Half of it.", {"Mind the chord.": 1.5}, name="x-1")
    >>> check_answer(half, 0.5), check_answer(half, 1.5)
    (✓ x-1 · right. Half of it., ✗ x-1 · Mind the chord.)
    >>> check_answer(half, -0.5)
    ✗ x-1 · The size is right, the sign is wrong.
    """
    try:
        hint = _hint(exercise, answer)
    except _InvalidAnswer as error:
        hint = str(error)
    return CheckResult(exercise.name, hint is None, exercise.explanation if hint is None else hint)


class _InvalidAnswer(Exception):
    """An answer that cannot be compared; the message is the hint."""


def _hint(exercise: Exercise, answer: Any) -> str | None:
    """The hint for a wrong answer; None for a correct one."""
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
    word = answer.strip().lower() if isinstance(answer, str) else ""
    if word not in exercise.choices:
        return f"The answer must be one of: {', '.join(exercise.choices)} (got {short_repr(str(answer))})."
    hints = {exercise.evaluate(stated): hint for hint, stated in exercise.mistakes.items()}
    return None if word == exercise.evaluate(exercise.solution) else hints.get(word, "No. Look again.")


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
    finite = (np.abs(values[np.isfinite(values)]) for values in other)
    slack = tolerance * (max(values.max(initial=0.0) for values in finite) or 1.0)
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
            why = "The numbers are right, the shape is not" if fits else "The shape is wrong"
            return f"{why}: {one.shape} instead of {two.shape}{where}."
        if not np.isfinite(one[np.isfinite(two)]).all():
            why = "Is there a division by zero, or an argument outside a function's domain?"
            return f"The answer is not finite{where} (it contains inf or nan). {why}"
    return None


_GENERAL_MISTAKES: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("The size is right, the sign is wrong.", lambda true: -true),
    ("Twice as large as it should be.", lambda true: 2 * true),
    ("Half as large as it should be.", lambda true: true / 2),
    ("Four times as large as it should be.", lambda true: 4 * true),
    ("A quarter of what it should be.", lambda true: true / 4),
    ("A hundred times too large. Is it a percentage, where a fraction was asked for?", lambda true: 100 * true),
    ("A hundred times too small. Is it a fraction, where a percentage was asked for?", lambda true: true / 100),
    ("That would be right in degrees, and radians were asked for.", np.degrees),
    ("That would be right in radians, and degrees were asked for.", np.radians),
    ("It is upside down: one over the right answer.", lambda true: 1 / true),
    ("It is the square of the right answer.", np.square),
    ("It is the square root of the right answer.", np.sqrt),
    ("The right numbers in reverse order.", lambda true: true[::-1] if true.ndim == 1 else true),
    ("The right numbers, but rows and columns are interchanged.", np.transpose),
)


def _general_hint(exercise: Exercise, values: list[Array], solution: list[Array]) -> str:
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
