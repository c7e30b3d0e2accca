"""Values of parameters from text: YAML 1.2 as far as JSON goes, so that any text is a value or costs one line."""

from __future__ import annotations

import math
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

from lmc_utils.formatting import LONGEST_VALUE, one_line, shown
from lmc_utils.settings import ParameterError, require

_LONGEST = 10_000  # characters; the parser takes a second for them at worst, and its time grows with their square
_WANTED = "words, finite numbers (whole ones from -2**63 to 2**63), or lists of these"
_DEEPEST = 20  # lists within lists


class _Constructor(SafeConstructor):
    """To it a date is a word, as in YAML's core schema."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def parse(name: str, text: str) -> Any:
    """The value of a parameter that is written as YAML: null, true, false, a number, a word, or lists and mappings.

    To version 1.2 of YAML 010 is ten, 1:30 a word and 1e-3 a number. What JSON cannot say is refused: tags, infinity;
    and so are anchors, with which a few characters would unfold into gigabytes.

    Raises:
        ParameterError: the text is no YAML, says more than JSON can, or is too long or too deep.

    >>> parse("widths", "[64, 1e-3, yes]")
    [64, 0.001, 'yes']
    >>> parse("seed", "&a [*a, *a]")
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: seed: expected a value without anchors and tags, got '&a [*a, *a]'
    """
    name = one_line(name, LONGEST_VALUE)
    require(len(text) <= _LONGEST, name, f"at most {_LONGEST} characters", text)
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    try:
        _check_form(name, text, yaml)
        value = yaml.load(text)
    except ParameterError:
        raise
    except ValueError as error:  # a number with more digits than Python reads
        raise ParameterError(f"{name}: expected {_WANTED}, got {shown(text)}") from error
    except Exception as error:  # the parser's own, and whatever it meets in a text that it does not foresee
        raise ParameterError(f"{name}: expected YAML, got {shown(text)}") from error
    require(_is_json(value), name, _WANTED, text)
    return value


def _check_form(name: str, text: str, yaml: YAML) -> None:
    """Refuse, before it is built, a value that would be large or is none of JSON's."""
    depth = 0
    for event in yaml.parse(text):
        plain = not any(getattr(event, what, None) for what in ("anchor", "tag"))  # an alias has an anchor as well
        require(plain, name, "a value without anchors and tags", text)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        require(depth <= _DEEPEST, name, f"lists of at most {_DEEPEST} levels", text)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(key) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, str):
        return not any("\ud800" <= each <= "\udfff" for each in value)  # halves of a character, which no file can hold
    return value is None or (abs(value) <= 2**63 if isinstance(value, int) else math.isfinite(value))
