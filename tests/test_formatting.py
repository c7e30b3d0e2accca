"""Any value or message is formatted quickly as one short line."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from lmc_utils.formatting import LONGEST_MESSAGE, LONGEST_VALUE, one_line, short_repr
from lmc_utils.settings import ParameterError, require


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def bomb(depth: int) -> list[Any]:
    value: list[Any] = ["lol"]
    for _ in range(depth):
        value = [value] * 9
    return value


@pytest.mark.parametrize(
    "value", [None, True, -1.5, 10**100, "a'b\n", b"\0", [1, ["a", {}], {"a": [1], 2: None}], 10**150, [], {}]
)
def test_a_small_value_is_its_repr(value: Any) -> None:
    assert short_repr(value) == repr(value)


def test_a_tuple_is_the_list_that_was_written() -> None:
    assert short_repr((1, (2,))) == "[1, [2]]"


@pytest.mark.parametrize(
    ("value", "start"),
    [
        ("x" * 10**7, "'xxxx"),
        (10**5000, "a whole number of 16610 bits"),
        (list(range(10**6)), "[0, 1, 2"),
        ({n: n for n in range(10**5)}, "{0: 0, 1: 1"),
        (nested(10**5), "[[[["),
        (bomb(30), "[[[["),
        (np.zeros((100, 100)), "array([[0., 0., 0., ..., "),
    ],
    ids=["word", "number", "list", "mapping", "deep", "bomb", "array"],
)
def test_a_large_value_is_cut_at_once(value: Any, start: str) -> None:
    began = time.monotonic()
    text = short_repr(value)
    assert time.monotonic() - began < 1
    assert text.startswith(start)
    assert len(text) <= LONGEST_VALUE
    assert text.isprintable()
    assert text.endswith("…") == (len(text) == LONGEST_VALUE)


def test_recursive_values_terminate() -> None:
    value: list[Any] = []
    value.append(value)
    assert short_repr(value) == "[" * (LONGEST_VALUE - 1) + "…"


def test_terminal_escape_sequences_are_removed() -> None:
    assert one_line("a\nb\tc\u2028d\x1b[31m\ud800\u202e é…") == "a b c d\\x1b[31m\\ud800\\u202e é…"


def test_a_message_is_one_short_line_whatever_it_is_made_of() -> None:
    with pytest.raises(ParameterError) as caught:
        require(False, "a\nb", "x" * 1000, "value")
    said = str(caught.value)
    assert len(said) == LONGEST_MESSAGE
    assert said.startswith("a b must be xxx")
    assert "x…x" in said
    assert said.endswith("xxx (got 'value')"), "what was given and the remedy come last"
