"""Remove the stored outputs of a notebook before it is parsed: they may be huge, and are computed again anyway."""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'["\[\]{}]')
_FLAT = rb'(?:[\[{][^"\[\]{}]*[\]}][\s,]*){1,1000}'  # arrays and objects that contain no others, skipped together
_NESTING = re.compile(rb'"|' + _FLAT + rb"|[\[{]+|[\]}]+")
_COLON = re.compile(rb"\s*:\s*")
_KEY = b'"outputs"'
# The keys that lead to a cell, from the outside, in notebook formats 4 and 3; items of an array have none.
_CELL_PATHS = ([b"", b'"cells"', b""], [b"", b'"worksheets"', b"", b'"cells"', b""])


def remove_stored_outputs(text: bytes, most_brackets: int) -> bytes:
    r"""A notebook's JSON in UTF-8 with the outputs of every cell replaced by an empty list, without parsing it.

    Args:
        text: any bytes; what is not JSON gives bytes that are not JSON either.
        most_brackets: the largest number of arrays and objects outside outputs.

    Raises:
        ValueError: there are more.

    >>> remove_stored_outputs(b'{"cells": [{"outputs": [["}", {"a\\"": 1}]], "metadata": {"outputs": [1]}}]}', 10)
    b'{"cells": [{"outputs": [], "metadata": {"outputs": [1]}}]}'
    """
    kept, begin, position, opened = bytearray(), 0, 0, 0
    path, key = list[bytes](), b""
    while token := _TOKEN.search(text, position):
        position = token.end()
        if token[0] in b"[{":
            path.append(key)
            opened += 1
            if opened > most_brackets:
                raise ValueError(f"more than {most_brackets} arrays and objects")
        elif token[0] in b"]}" and path:
            path.pop()
        key = b""
        if token[0] == b'"':
            position = _end_of_string(text, position)
            if colon := _COLON.match(text, position):
                key, position = text[token.start() : min(position, token.start() + 99)], colon.end()
            if key == _KEY and text[position : position + 1] in (b"[", b"{") and path in _CELL_PATHS:
                kept += text[begin:position] + b"[]"
                begin = position = _end_of_value(text, position)
    return bytes(kept + text[begin:]) if kept else text


def _end_of_value(text: bytes, position: int) -> int:
    """The position after the array or object that begins at a position."""
    depth, position = 1, position + 1
    while token := _NESTING.search(text, position):
        position = token.end()
        if token[0] == b'"':
            position = _end_of_string(text, position)
        elif token[0][0] in b"]}":
            if depth <= len(token[0]):
                return token.start() + depth
            depth -= len(token[0])
        elif token[0][-1] in b"[{":
            depth += len(token[0])
    return len(text)


def _end_of_string(text: bytes, position: int) -> int:
    """The position after the string whose first character is at a position."""
    begin = position
    while (quote := text.find(b'"', position)) >= 0:
        first = quote
        while first > begin and text[first - 1] == ord("\\"):
            first -= 1
        if (quote - first) % 2 == 0:
            return quote + 1
        position = quote + 1
    return len(text)
