"""Remove the stored outputs and widget state of a notebook before it is parsed.

They may be huge, and are computed again anyway.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'["\[\]{}]')
# The repetitions are limited because the memory of a match is proportional to their number.
_STRING_START = re.compile(rb'[^"\\]*(?:\\.[^"\\]*){0,10000}', re.DOTALL)
_STRINGS = rb'(?:"[^"\\]*(?:\\.[^"\\]*){0,100}"[^"\[\]{}]*){1,1000}'  # strings between two brackets, skipped together
_FLAT = rb'(?:[\[{][^"\[\]{}]*[\]}][\s,]*){1,1000}'  # arrays and objects that contain no others, skipped together
_NESTING = re.compile(b"|".join([_STRINGS, b'"', _FLAT, rb"[\[{]+", rb"[\]}]+"]), re.DOTALL)
_COLON = re.compile(rb"\s*:\s*")
_MAX_TOKENS = 2_000_000  # strings and brackets, or runs of them: a few seconds
# The keys that lead to a cell, from the outside, in notebook formats 4 and 3; items of an array have none.
_CELL_PATHS = ([b"", b'"cells"', b""], [b"", b'"worksheets"', b"", b'"cells"', b""])
_METADATA_PATH = [b"", b'"metadata"']


def remove_stored_outputs(text: bytes, most_brackets: int) -> bytes:
    r"""A notebook's JSON in UTF-8 without the outputs of its cells and the saved state of its widgets.

    Both are replaced by an empty array or object, without parsing them.

    Args:
        text: any bytes; what is not JSON gives bytes that are not JSON either.
        most_brackets: the largest number of arrays and objects outside of what is removed.

    Raises:
        ValueError: there are more, or so many strings and brackets that the search would take minutes.

    >>> remove_stored_outputs(b'{"cells": [{"outputs": [["}", {"a\\"": 1}]], "metadata": {"outputs": [1]}}]}', 10)
    b'{"cells": [{"outputs": [], "metadata": {"outputs": [1]}}]}'
    """
    kept, begin, position, opened, left = bytearray(), 0, 0, 0, _MAX_TOKENS
    path, key = list[bytes](), b""
    while token := _TOKEN.search(text, position):
        position, left = token.end(), _count_down(left)
        if token[0] in b"[{":
            path.append(key)
            opened += 1
            if opened > most_brackets:
                raise ValueError(f"more than {most_brackets:,} arrays and objects")
        elif token[0] in b"]}" and path:
            path.pop()
        key = b""
        if token[0] == b'"':
            position = _end_of_string(text, position)
            if colon := _COLON.match(text, position):
                key, position = text[token.start() : min(position, token.start() + 99)], colon.end()
            if empty := _replacement(path, key, text[position : position + 1]):
                kept += text[begin:position] + empty
                begin, left = _end_of_value(text, position, left)
                position = begin
    return bytes(kept + text[begin:]) if kept else text


def _replacement(path: list[bytes], key: bytes, first: bytes) -> bytes:
    """What replaces a value, by the path to its key and by its first character; empty for a value that is kept."""
    if key == b'"outputs"' and first in (b"[", b"{") and path in _CELL_PATHS:
        return b"[]"
    return b"{}" if key == b'"widgets"' and first in (b"[", b"{") and path == _METADATA_PATH else b""


def _end_of_value(text: bytes, position: int, left: int) -> tuple[int, int]:
    """The position after the array or object that begins at a position, and how many tokens are left.

    Raises:
        ValueError: none are.
    """
    depth, position = 1, position + 1
    while token := _NESTING.search(text, position):
        position, left = token.end(), _count_down(left)
        if token[0] == b'"':
            position = _end_of_string(text, position)
        elif token[0][0] in b"]}":
            if depth <= len(token[0]):
                return token.start() + depth, left
            depth -= len(token[0])
        elif token[0][-1] in b"[{":
            depth += len(token[0])
    return len(text), left


def _end_of_string(text: bytes, position: int) -> int:
    """The position after the string whose first character is at a position."""
    while start := _STRING_START.match(text, position):
        position = start.end()
        if text[position : position + 1] == b'"':
            return position + 1
        if start.end() == start.start():  # the text ends within the string
            break
    return len(text)


def _count_down(left: int) -> int:
    if left == 0:
        raise ValueError(f"more than {_MAX_TOKENS:,} strings, arrays and objects")
    return left - 1
