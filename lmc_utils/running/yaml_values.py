"""Parse parameter values written as YAML into JSON types; invalid text raises a one-line error."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path
from typing import Any

import yaml

from lmc_utils.formatting import LONGEST_VALUE, describe_error, one_line, short_repr
from lmc_utils.settings import ParameterError, require

_LONGEST = 10_000  # characters, which take the parser some tenths of a second
_DEEPEST = 20  # lists within lists
_WANTED = "text, finite numbers (integers between -2**63 and 2**63), or lists of these"
_CONSTANTS = dict.fromkeys(["", "~", "null", "Null", "NULL"]) | {
    word: truth for truth in (True, False) for word in (str(truth), str(truth).lower(), str(truth).upper())
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


def parse(name: str, text: str) -> Any:
    """Parse the value of a parameter: null, true, false, a number, a string, or lists and mappings of these.

    Plain scalars are interpreted as by papermill's `-p`: 010 is ten, 1:30 and yes are strings, 1e-3 is a number
    (`yaml.safe_load`, which reads YAML 1.1, gives 8, 90, true and a string). Tags are rejected, and so are anchors,
    with which a few characters could expand into gigabytes.

    Raises:
        ParameterError: the text is not YAML, has no JSON equivalent, or is too long or too deeply nested.

    >>> parse("widths", "[64, 1e-3, yes]")
    [64, 0.001, 'yes']
    >>> parse("seed", "&a [*a, *a]")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: seed must be without anchors and tags (got '&a [*a, *a]')
    """
    name = one_line(name, LONGEST_VALUE)
    require(len(text) <= _LONGEST, name, f"at most {_LONGEST} characters", text)

    def value(event: Any, depth: int) -> Any:
        plain = not any(getattr(event, what, None) for what in ("anchor", "tag"))  # aliases have an anchor, too
        require(plain, name, "without anchors and tags", text)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        require(depth < _DEEPEST, name, f"nested at most {_DEEPEST} levels deep", text)
        inside = itertools.takewhile(lambda each: not isinstance(each, yaml.CollectionEndEvent), events)
        items = [value(each, depth + 1) for each in inside]
        if isinstance(event, yaml.SequenceStartEvent):
            return items
        keys = items[::2]
        require(all(isinstance(key, str) for key in keys), name, "a mapping whose keys are strings", text)
        require(len(set(keys)) == len(keys), name, "a mapping with distinct keys", text)
        return dict(zip(keys, items[1::2], strict=True))

    events = yaml.parse(text, yaml.SafeLoader)  # incrementally: the parser is slow for thousands of brackets
    try:
        next(events)  # the stream begins
        if isinstance(next(events), yaml.StreamEndEvent):
            return None
        result = value(next(events), depth=0)
        next(events)  # the document ends
        require(isinstance(next(events), yaml.StreamEndEvent), name, "one value", text)
    except ParameterError:
        raise
    except ValueError as error:
        raise ParameterError(f"{name} must be {_WANTED} (got {short_repr(text)})") from error
    except Exception as error:  # the parser's own errors, and any others on unexpected text
        raise ParameterError(f"{name} must be YAML (got {short_repr(text)})") from error
    return result


def read(name: str, path: Path) -> Any:
    """Parse the value in a YAML file, see `parse`.

    Raises:
        ParameterError: also if there is no such file, or it is not text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParameterError(f"{name}: no such file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{name}: cannot read '{path}': {describe_error(error)}") from error
    return parse(name, text)


def _scalar(event: yaml.ScalarEvent) -> Any:
    """The value of a scalar; ValueError if JSON has no such value."""
    text = event.value
    if event.style is None and text in _CONSTANTS:
        return _CONSTANTS[text]
    if event.style is None and _INTEGER.fullmatch(text):
        number: int | float = int(text)  # ValueError for more digits than Python reads
    elif event.style is None and _FLOAT.fullmatch(text):
        number = float(text)
    else:
        text.encode()  # ValueError for a lone surrogate, which no file can hold
        return text
    if not math.isfinite(number) or (isinstance(number, int) and abs(number) > 2**63):
        raise ValueError(text)
    return number
