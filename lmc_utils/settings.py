"""Parameter records: typed and range-checked, so that a wrong value costs one clear line.

A notebook's parameters are flat names with JSON types, because that is what papermill can inject. Code wants a
typed record. `Settings` is the bridge: subclass it as a frozen dataclass, say in `check` what is out of range, and
the same line appears whether the value came from the command line, from papermill or from Python.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

Self = TypeVar("Self", bound="Settings")

PRESET_NAMES = ("smoke", "default", "paper")

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", type(None): "null"}


class ParameterError(ValueError):
    """A parameter with an unknown name, a wrong type or a value out of range; the message is one line."""


@dataclass(frozen=True)
class Settings:
    """Base of the frozen dataclasses that hold parameters.

    Values are coerced to the annotated types (a JSON list becomes a tuple, a whole number becomes a float where a
    float is wanted), then `check` is called.

    Raises:
        ParameterError: a value of the wrong type, or one that `check` rejects.

    >>> @dataclass(frozen=True)
    ... class Walk(Settings):
    ...     steps: int = 10
    ...     pace: float = 1.0
    ...     def check(self) -> None:
    ...         require(self.steps > 0, "steps", "at least 1", self.steps)
    >>> Walk(pace=2)
    Walk(steps=10, pace=2.0)
    >>> Walk(steps=0)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: steps: expected at least 1, got 0
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            value = coerce(field.name, getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)
        for ancestor in reversed(type(self).__mro__):  # a record made of several is checked part by part
            if "check" in vars(ancestor):
                vars(ancestor)["check"](self)

    def check(self) -> None:
        """Raise ParameterError where a value is out of range."""

    @classmethod
    def pick(cls: type[Self], values: Mapping[str, Any]) -> Self:
        """Build the record from those entries of a larger mapping that are its fields, e.g. a notebook's globals."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """The values that a preset changes, as JSON types; empty where it changes none.

        Raises:
            ParameterError: no preset has this name.
        """
        require_choice("preset", name, PRESET_NAMES)
        return dict(cls.PRESETS.get(name, {}))

    def to_json(self) -> dict[str, Any]:
        """The record as JSON types; `type(record)(**record.to_json())` gives it back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def coerce(name: str, value: Any, hint: Any) -> Any:
    """Convert a JSON value to an annotated type: int, float, bool, str, tuple[X, ...] or a union of these.

    Raises:
        ParameterError: the value does not fit the type.

    >>> coerce("widths", [64, 64], tuple[int, ...])
    (64, 64)
    >>> coerce("learning_rate", "1e-3", float)  # YAML 1.1 reads 1e-3 as a word
    0.001
    """
    if get_origin(hint) in (Union, types.UnionType):
        for option in get_args(hint):
            try:
                return coerce(name, value, option)
            except ParameterError:
                continue
    elif get_origin(hint) is tuple:
        if isinstance(value, (list, tuple)):
            return tuple(coerce(name, item, get_args(hint)[0]) for item in value)
    elif hint is bool or isinstance(value, bool):
        if hint is bool and isinstance(value, bool):
            return value
    elif hint is float:
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    elif isinstance(value, hint):
        return value
    raise ParameterError(f"{name}: expected {_describe(hint)}, got {value!r}")


def require(condition: bool, name: str, expected: str, value: Any) -> None:
    """Raise ParameterError, naming the parameter, what was expected and what it got, unless the condition holds."""
    if not condition:
        raise ParameterError(f"{name}: expected {expected}, got {_show(value)}")


def require_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raise ParameterError, naming the nearest valid choice, unless the value is one of the choices.

    >>> require_choice("dataset", "mnist-1d", ["mnist1d", "x"])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: dataset: 'mnist-1d' is not known; did you mean 'mnist1d'? Choose from mnist1d, x
    """
    choices = list(choices)
    if value not in choices:
        raise ParameterError(f"{name}: {unknown(value, choices)}")


def unknown(value: str, choices: Iterable[str]) -> str:
    """The words for a value that is not among the choices, with the nearest one where there is one."""
    choices = list(choices)
    near = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"{value!r} is not known; {guess}Choose from {', '.join(choices)}"


def _describe(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_describe(option) for option in get_args(hint))
    if get_origin(hint) is tuple:
        return f"a list, each item {_describe(get_args(hint)[0])}"
    return _KINDS.get(hint, getattr(hint, "__name__", str(hint)))


def _show(value: Any) -> str:
    return repr(list(value)) if isinstance(value, tuple) else repr(value)
