"""Parameter records: each parameter is declared once, and a wrong value costs one clear line.

A notebook's parameters are flat names with JSON types, because that is what papermill can inject. Code wants a typed
record. `Settings` is the bridge: subclass it as a frozen dataclass whose fields are `parameter`s. Type, default, range,
unit and meaning stand there and nowhere else: the checks, the documentation, `lmc list` and the notebooks' parameter
cells and tables are made of them.
"""

from __future__ import annotations

import difflib
import inspect
import itertools
import math
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from traceback import extract_tb
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

from lmc_utils import resources
from lmc_utils.formatting import LONGEST_VALUE, one_line, short_repr

Self = TypeVar("Self", bound="Settings")

_PACKAGE = Path(__file__).parent

PRESET_NAMES = ("smoke", "default", "paper")

_KINDS = {
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    str: "a string",
    list: "a list",
    type(None): "null",
}


class ParameterError(ValueError):
    """A parameter with an unknown name, a wrong type or a value out of range; the message is one line.

    So is what a notebook shows of it, below the line of the notebook that led to it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        frames = extract_tb(self.__traceback__)
        before = list(itertools.takewhile(lambda frame: _PACKAGE not in Path(frame.filename).parents, frames))
        return [*(f"line {frame.lineno}: {frame.line}" for frame in before[-1:]), f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Allowed:
    """Which values a parameter may take.

    Attributes:
        words: for a value that may, to follow "must be".
        holds: whether a value may.
        choices: the words to choose from, where there are some.
    """

    words: str
    holds: Callable[[Any], bool] = lambda value: True
    choices: Collection[str] | None = None

    def __str__(self) -> str:
        return self.words if self.choices is None else ", ".join(self.choices)

    def check(self, name: str, value: Any) -> None:
        """Raise ParameterError where a value may not be taken."""
        if self.choices is not None:
            require_choice(name, value, self.choices)
        require(self.holds(value), name, self.words, value)


def at_least(low: float) -> Allowed:
    """Numbers from `low` on."""
    return Allowed(f">= {low:g}", lambda value: value >= low)


def above(low: float) -> Allowed:
    """Numbers greater than `low`."""
    return Allowed(f"> {low:g}", lambda value: value > low)


def between(low: float, high: float) -> Allowed:
    """Numbers from `low` to `high`, both included."""
    return Allowed(f"between {low:g} and {high:g}", lambda value: low <= value <= high)


def odd_at_least(low: int) -> Allowed:
    """Odd numbers from `low` on."""
    return Allowed(f"odd and >= {low}", lambda value: value >= low and value % 2 == 1)


def one_of(choices: Collection[str]) -> Allowed:
    """Words to choose from; where they are the keys of a table, it may still grow."""
    return Allowed("one of the known names", lambda value: value in choices, choices)


def each(allowed: Allowed) -> Allowed:
    """Lists with at least one item, of which each is allowed."""
    words = f"a non-empty list of values {allowed.words}"
    return Allowed(words, lambda values: len(values) > 0 and all(map(allowed.holds, values)))


def increasing(allowed: Allowed) -> Allowed:
    """Lists with at least one item, of which each is allowed and more than the one before."""
    listed = each(allowed)
    return Allowed(
        f"an increasing, non-empty list of values {allowed.words}",
        lambda values: listed.holds(values) and all(a < b for a, b in itertools.pairwise(values)),
    )


def parameter(
    default: Any, meaning: str, allowed: Allowed | None = None, *, also: str = "", unit: str = "", bytes_each: int = 0
) -> Any:
    """A field of a `Settings` record.

    Args:
        default: its value where none is given.
        meaning: what it says, as a phrase without a full stop.
        allowed: the values that it may take besides None; by default all of its type.
        also: in words, what the record's `check` asks of it besides.
        unit: of the value.
        bytes_each: memory that the work takes at least for each of a number of things.
    """
    said = {"meaning": meaning, "allowed": allowed, "also": also, "unit": unit}
    return field(default=default, metadata=said | ({"bytes_each": bytes_each} if bytes_each else {}))


def with_default(record: type[Settings], name: str, default: Any) -> Any:
    """Copy a field of a record, with another default."""
    return field(default=default, metadata=record.__dataclass_fields__[name].metadata)


@dataclass(frozen=True)
class Settings:
    """Base of the frozen dataclasses that hold parameters.

    Values are coerced to the annotated types (a JSON list becomes a tuple, a whole number becomes a float where a
    float is wanted) and compared with what is allowed; then `check` is called, for what concerns several of them.

    Raises:
        ParameterError: a value of the wrong type, or one that is not allowed or that `check` rejects.

    >>> @dataclass(frozen=True)
    ... class Walk(Settings):
    ...     steps: int = parameter(10, "how many", at_least(1))
    ...     pace: float = parameter(1.0, "of a step", above(0), unit="m/s")
    >>> Walk(pace=2)
    Walk(steps=10, pace=2.0)
    >>> Walk(steps=0)
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: steps must be >= 1 (got 0)
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init_subclass__(cls) -> None:
        own = {name: each for name, each in vars(cls).items() if isinstance(each, Field)}
        listed = "".join(f"\n    {name}: {describe(each)}." for name, each in own.items())
        cls.__doc__ = inspect.cleandoc(cls.__doc__ or "") + (f"\n\nAttributes:{listed}\n" if own else "")

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for each in fields(self):
            value = coerce(each.name, getattr(self, each.name), hints[each.name])
            object.__setattr__(self, each.name, value)
            allowed = each.metadata.get("allowed")
            if allowed and value is not None:
                allowed.check(each.name, value)
        for ancestor in reversed(type(self).__mro__):  # a record made of several is checked part by part
            if "check" in vars(ancestor):
                vars(ancestor)["check"](self)

    def check(self) -> None:
        """Raise ParameterError where values do not go together."""

    @classmethod
    def pick(cls: type[Self], values: Mapping[str, Any]) -> Self:
        """Build the record from those entries of a larger mapping that are its fields, e.g. a notebook's globals.

        Raises:
            ParameterError: also where this machine lacks the memory for the work.
        """
        record = cls(**{each.name: values[each.name] for each in fields(cls) if each.name in values})
        record.check_resources()
        return record

    def check_resources(self) -> None:
        """Raise ParameterError where this machine lacks the memory that these values ask for at least."""
        for each in fields(self):
            if size := each.metadata.get("bytes_each"):
                require_resources(each.name, memory=size * getattr(self, each.name))

    def memory(self) -> float:
        """Bytes of memory that the work which these values ask for takes at one time, where that can be told."""
        return 0.0

    def overview(self) -> dict[str, str]:
        """What a reader of a chapter should know at its beginning, in Markdown, by a word or two for each row."""
        return {}

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


def describe(each: Field[Any]) -> str:
    """Describe a parameter by its meaning and unit.

    >>> describe(parameter(1.0, "of a step", above(0), unit="m/s"))
    'of a step (m/s)'
    """
    meaning, unit = (each.metadata.get(name, "") for name in ("meaning", "unit"))
    return f"{meaning} ({unit})" if unit else f"{meaning}"


def describe_allowed(each: Field[Any]) -> str:
    """Describe which values a parameter may take; empty where its type says it all.

    >>> describe_allowed(parameter(1.0, "of a step", above(0), also="less than the distance"))
    '> 0; less than the distance'
    """
    said = "; ".join(str(part) for part in (each.metadata.get("allowed"), each.metadata.get("also")) if part)
    return f"null, or {said}" if said and each.default is None else said


def coerce(name: str, value: Any, hint: Any) -> Any:
    """Convert a JSON value to an annotated type: int, float, bool, str, tuple[X, ...] or a union of these.

    Raises:
        ParameterError: the value does not fit the type; no float may be infinite or NaN.

    >>> coerce("widths", [64, 64], tuple[int, ...])
    (64, 64)
    >>> coerce("learning_rate", "1e-3", float)  # to papermill's reader of YAML 1.1 this is a word
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
            if math.isfinite(float(value)):
                return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    elif isinstance(value, hint):
        require(hint is not int or abs(value) < 2**63, name, "a whole number between -2**63 and 2**63", value)
        return value
    raise _error(name, _describe(hint), value)


def require(condition: bool, name: str, allowed: str, value: Any, *, hint: str = "") -> None:
    """Raise ParameterError unless the condition holds.

    >>> require(False, "learning_rate", "> 0", -1.0, hint="0.1 is usual")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: learning_rate must be > 0 (got -1.0); 0.1 is usual
    """
    if not condition:
        raise _error(name, allowed, value, hint)


def _error(name: str, allowed: str, value: Any, hint: str = "") -> ParameterError:
    return ParameterError(f"{name} must be {allowed} (got {short_repr(value)})" + (f"; {hint}" if hint else ""))


def require_resources(what: str, *, memory: float = 0, disk: float = 0, folder: Path = Path()) -> None:
    """Raise ParameterError where memory or disk space does not suffice, naming what is needed and what is free."""
    if line := resources.shortage(what, memory=memory, disk=disk, folder=folder):
        raise ParameterError(line)


def require_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raise ParameterError, naming the choices, unless the value is one of them.

    >>> require_choice("dataset", "mnist-1d", ["mnist1d", "x"])
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: unknown dataset 'mnist-1d'; did you mean 'mnist1d'? Choose from: mnist1d, x
    """
    choices = list(choices)
    if value not in choices:
        raise ParameterError(describe_unknown(name, value, choices))


def describe_unknown(what: str, value: str, choices: Iterable[str]) -> str:
    """Describe a value that is not among the choices, with the one that is similar, if any.

    >>> describe_unknown("preset", "fast", ["smoke", "default"]), describe_unknown("run", "3f", [])
    ("unknown preset 'fast'; choose from: smoke, default", "unknown run '3f'; there are none")
    """
    choices = list(choices)
    near = difflib.get_close_matches(value[:LONGEST_VALUE], choices, n=1)
    guess = f"did you mean {short_repr(near[0])}? Choose" if near else "choose"
    return f"unknown {what} {short_repr(value)}; " + (
        f"{guess} from: {', '.join(choices)}" if choices else "there are none"
    )


def _describe(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        options = map(_describe, get_args(hint))
        return " or ".join(sorted(options, key=lambda words: words.startswith("a list")))  # whose items are not null
    if get_origin(hint) is tuple:
        return f"a list, each item {_describe(get_args(hint)[0])}"
    return _KINDS.get(hint, getattr(hint, "__name__", str(hint)))
