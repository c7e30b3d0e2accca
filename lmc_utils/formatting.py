"""Format values and messages of any type and size as one short line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

LONGEST_VALUE = 200
LONGEST_MESSAGE = 600
_REMEDY = 250  # characters at the end of a message that is cut
_NAMES_SHOWN = 3


def short_repr(value: Any) -> str:
    """The repr of a value, cut at 200 characters, in a time independent of its size.

    >>> short_repr((1, "a")), short_repr("x" * 10**6)[-5:], short_repr(10**5000)
    ("[1, 'a']", 'xxxx…', 'a whole number of 16610 bits')
    """
    return one_line("".join(itertools.islice(_pieces(value), LONGEST_VALUE + 1)), LONGEST_VALUE)


def one_line(text: str, longest: int = LONGEST_MESSAGE) -> str:
    r"""A text as one printable line, cut at a maximal length: at its end, or a whole message before its remedy.

    >>> one_line("two\nlines and a bell: \a"), one_line("cut here", 5)
    ('two lines and a bell: \\x07', 'cut …')
    >>> one_line(f"no such file: {'x' * 1000}; create it first")[-20:]
    'xxx; create it first'
    """
    kept = _REMEDY if longest == LONGEST_MESSAGE else 0
    if len(text) > longest:
        text = f"{text[: longest - 1 - kept]}…{text[len(text) - kept :]}" if kept else text[: longest + 1]
    characters = (each if each.isprintable() else " " if each.isspace() else ascii(each)[1:-1] for each in text)
    line = "".join(itertools.islice(characters, longest + 1))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def plain_number(value: float) -> float:
    """A number without the point of a whole one, as in `2` for `2.0`.

    >>> plain_number(2.0), plain_number(0.5)
    (2, 0.5)
    """
    return int(value) if value == int(value) else value


def describe_error(error: Exception) -> str:
    """The first line of an error's message, or its type if it has none, cut at 200 characters.

    >>> describe_error(ValueError("of two\\nlines")), describe_error(ValueError())
    ('of two', 'ValueError')
    """
    return one_line(str(error).strip().partition("\n")[0] or type(error).__name__, LONGEST_VALUE)


def listed(names: Sequence[str]) -> str:
    """The first three names, and the number of further ones.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def _pieces(value: Any) -> Iterator[str]:
    """Yield the text of a value in non-empty pieces, lazily, as a small value may expand into gigabytes."""
    if isinstance(value, (dict, list, tuple)):
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        yield opening
        for place, item in enumerate(value):
            if place:
                yield ", "
            yield from _pieces(item)
            if isinstance(value, dict):
                yield ": "
                yield from _pieces(value[item])
        yield closing
    elif isinstance(value, (str, bytes)):
        yield repr(value[: LONGEST_VALUE + 1])
    elif isinstance(value, int) and value.bit_length() > 10_000:  # Python does not print more than 4300 digits
        yield f"a whole number of {value.bit_length()} bits"
    else:
        yield repr(value)
