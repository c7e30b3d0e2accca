"""Judge an answer to an exercise: is it right, and if not, which mistake leads to it?

An answer is a number, an array, a word or a function. The truth is computed, and so is what every common mistake would
have led to; an answer is right where it equals the one, and earns the hint of the other that it equals. Functions are
compared by what they return for the same arguments.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmc_utils.settings import unknown

Array = np.ndarray[Any, np.dtype[np.float64]]
Observed = list[Array]

UNANSWERED = "Not answered yet."


@dataclass(frozen=True)
class Exercise:
    """What an answer is judged by.

    The truth and the answers that mistakes lead to are stated as they are, or as a function without arguments that
    computes them, called only when there is an answer to judge; where a function is asked for, as that function.

    Attributes:
        solution: the right answer.
        explanation: why it is right; said to whoever finds it.
        mistakes: what is told apart from other wrong answers: hints that do not give the answer away, each with the
            answer that a common mistake leads to; where several apply, the first is said.
        choices: the words to choose from, where the answer is one of them.
        test_inputs: for a function, the arguments of each call by which it is compared.
        tolerance: relative to the largest number of an array, or of all test inputs. By default
            a hundredth, for functions a millionth.
        reject: a hint for an answer that breaks the rules of the exercise, None for any other.
        objective: where many answers are right, the number to minimise; it is compared in place of the answer.
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
        """The truth, or what a mistake leads to, computed."""
        return stated() if callable(stated) and not self.test_inputs else stated


@dataclass(frozen=True, repr=False)
class CheckResult:
    """What is said of an answer; true where it is right.

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
    """Say whether an answer is right, and if not, give the hint that fits it best.

    It is a number, a word, an array (NumPy, torch, xarray or nested lists) or a function; None and `...`: none yet.

    >>> half = Exercise(0.5, "Half of it.", {"Mind the chord.": 1.5}, name="x-1")
    >>> check_answer(half, 0.5), check_answer(half, 1.5)
    (✓ x-1 · right. Half of it., ✗ x-1 · Mind the chord.)
    >>> check_answer(half, -0.5)
    ✗ x-1 · The size is right, the sign is turned round.
    """
    try:
        hint = _hint(exercise, answer)
    except _InvalidAnswer as error:
        hint = str(error)
    return CheckResult(exercise.name, hint is None, exercise.explanation if hint is None else hint)


class _InvalidAnswer(Exception):
    """An answer that cannot be compared; the message is the hint."""


def _hint(exercise: Exercise, answer: Any) -> str | None:
    """None where the answer is right."""
    if answer is None or answer is ...:
        return UNANSWERED
    if exercise.choices:
        return _hint_for_word(exercise, answer)
    if not exercise.test_inputs:
        if callable(answer):
            return "Expected numbers, got a function. Call it, and hand over what it returns."
        answer = _numbers(answer)
    elif not callable(answer):
        kind = type(answer).__name__
        return f"Expected a function, got {kind}. Hand over the function's name, without calling it."
    if (refusal := exercise.reject(answer)) is not None:
        return refusal
    seen, truth = _observe(exercise, answer), _observe(exercise, exercise.evaluate(exercise.solution))
    if _same(seen, truth, exercise.tolerance):
        return None
    placed = [np.sort(answer)] if exercise.objective else seen
    for hint, stated in exercise.mistakes.items():
        wrong = exercise.evaluate(stated)
        if _same(placed, [np.sort(wrong)] if exercise.objective else _observe(exercise, wrong), exercise.tolerance):
            return hint
    if exercise.objective:
        return f"Allowed, but it comes to {seen[0]:.3g}, and {truth[0]:.3g} can be reached."
    return _shape_hint(exercise, seen, truth) or _common_hint(exercise, seen, truth)


def _hint_for_word(exercise: Exercise, answer: Any) -> str | None:
    word = answer.strip().lower() if isinstance(answer, str) else ""
    if word not in exercise.choices:
        return f"Expected a word: {unknown(str(answer), exercise.choices)}."
    hints = {exercise.evaluate(stated): hint for hint, stated in exercise.mistakes.items()}
    return None if word == exercise.evaluate(exercise.solution) else hints.get(word, "Not so. Look again.")


def _observe(exercise: Exercise, answer: Any) -> Observed:
    """An answer as arrays, one, or for a function one for each call; a single number has no shape, however wrapped."""
    seen = [
        _numbers(_call(answer, inputs), f"For {_format_arguments(inputs)} your function returns")
        for inputs in exercise.test_inputs
    ] or [_numbers(exercise.objective(_numbers(answer)) if exercise.objective else answer)]
    return [one.reshape(()) if one.size == 1 else one for one in seen]


def _call(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
    try:
        returned = function(*copy.deepcopy(inputs))
    except NotImplementedError as error:
        raise _InvalidAnswer(UNANSWERED) from error
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise _InvalidAnswer(f"Your function fails for {_format_arguments(inputs)}: {said}") from error
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
    except Exception as error:  # whatever the thing does when it is asked for numbers
        raise _InvalidAnswer(f"Expected numbers. {subject} of type {type(values).__name__}.") from error


def _same(one: Observed, other: Observed, tolerance: float) -> bool:
    """Equal up to a share of the largest number of the other, so that a zero among larger numbers may be rounded."""
    finite = (np.abs(values[np.isfinite(values)]) for values in other)
    slack = tolerance * (max(values.max(initial=0.0) for values in finite) or 1.0)
    return all(
        first.shape == second.shape and np.allclose(first, second, rtol=0, atol=slack, equal_nan=True)
        for first, second in zip(one, other, strict=True)
    )


def _shape_hint(exercise: Exercise, seen: Observed, truth: Observed) -> str | None:
    """A hint where an answer has another shape than the truth, or is not finite where the truth is."""
    for one, two, inputs in zip(seen, truth, exercise.test_inputs or ((),), strict=True):
        asked = f" for {_format_arguments(inputs)}" if inputs else ""
        if one.shape != two.shape:
            fits = one.size == two.size and _same([one.reshape(two.shape)], [two], exercise.tolerance)
            why = "The numbers fit, the shape does not" if fits else "The shape is wrong"
            return f"{why}: expected {two.shape}, got {one.shape}{asked}."
        if not np.isfinite(one[np.isfinite(two)]).all():
            why = "Is something divided by zero, or outside of what a function takes?"
            return f"The answer is not finite{asked} (it holds inf or nan). {why}"
    return None


_COMMON_MISTAKES: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("The size is right, the sign is turned round.", lambda true: -true),
    ("Twice as large as it should be.", lambda true: 2 * true),
    ("Half as large as it should be.", lambda true: true / 2),
    ("Four times as large as it should be.", lambda true: 4 * true),
    ("A quarter of what it should be.", lambda true: true / 4),
    ("A hundred times too large. Was a share asked for, and not percent?", lambda true: 100 * true),
    ("A hundred times too small. Were percent asked for, and not a share?", lambda true: true / 100),
    ("That would be right in degrees, and radians were asked for.", np.degrees),
    ("That would be right in radians, and degrees were asked for.", np.radians),
    ("It is upside down: one over the right answer.", lambda true: 1 / true),
    ("It is the square of the right answer.", np.square),
    ("It is the square root of the right answer.", np.sqrt),
    ("The right numbers in reverse order.", lambda true: true[::-1] if true.ndim == 1 else true),
    ("The right numbers, but rows and columns are interchanged.", np.transpose),
)


def _common_hint(exercise: Exercise, seen: Observed, truth: Observed) -> str:
    for hint, transform in _COMMON_MISTAKES:
        with np.errstate(all="ignore"):
            if _same(seen, [transform(true) for true in truth], exercise.tolerance):
                return hint
    if _same(seen, truth, 10 * exercise.tolerance):
        share = f"{100 * exercise.tolerance:.2g} %"
        return f"Near, but not within {share}. Was something rounded, or not followed to its end?"
    wrong = [not _same([one], [two], exercise.tolerance) for one, two in zip(seen, truth, strict=True)]
    if len(wrong) > 1 and not all(wrong):
        return f"Right for {len(wrong) - sum(wrong)} of {len(wrong)} sets of arguments, not for all."
    return "Not right yet, and no mistake that is known here."


def _format_arguments(inputs: Iterable[Any]) -> str:
    """Arguments as one would write them, short."""
    words = []
    for argument in inputs:
        values = np.asarray(argument).tolist() if not callable(argument) else getattr(argument, "__name__", "f")
        word = repr(values) if not isinstance(values, str) else values
        words.append(word if len(word) <= 40 else f"{word[:36]} ...")
    return f"({', '.join(words)})"
