"""Text from the command line is a JSON value or raises a one-line error."""

from __future__ import annotations

from typing import Any

import fuzz_inputs
import fuzzing
import pytest

from lmc_utils.running.yaml_values import parse
from lmc_utils.settings import ParameterError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("true", True), ("yes", "yes"), ("010", 10), ("1:30", "1:30"), ("1e-3", 0.001),
        ("2026-01-01", "2026-01-01"), ("2026-99-99", "2026-99-99"), ("[1, [a, 'b c']]", [1, ["a", "b c"]]),
        ("{a: 1}", {"a": 1}), ("- 1\n- 2", [1, 2]), ("-1e-3", -0.001), (".inf", ".inf"),
        ("0x10", "0x10"), ("{<<: 1}", {"<<": 1}), ('"10"', "10"), ('"\\u00e9"', "é"),
    ],
)  # fmt: skip
def test_values_are_those_of_yaml_and_json(text: str, value: Any) -> None:
    assert parse("x", text) == value
    assert type(parse("x", text)) is type(value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[64", "x must be YAML (got '[64')"),
        (
            "9" * 5000,
            "x must be text, finite numbers (integers between -2**63 and 2**63), or lists of these (got '999",
        ),
        ("!!int '3'", "x must be without anchors and tags (got \"!!int '3'\")"),
        (fuzz_inputs.BOMB, "x must be without anchors and tags (got '[&a0 [lol]"),
        ("[" * 3000, "x must be nested at most 20 levels deep (got '[[["),
        (
            "1e999",
            "x must be text, finite numbers (integers between -2**63 and 2**63), or lists of these (got '1e999')",
        ),
        ('"\\ud800"', "x must be text, finite numbers"),
        ("{1: 2}", "x must be a mapping whose keys are strings (got '{1: 2}')"),
        ("{a: 1, a: 2}", "x must be a mapping with distinct keys (got '{a: 1, a: 2}')"),
        ("--- 1\n--- 2", "x must be one value (got '--- 1\\n--- 2')"),
        ("x" * 10**6, "x must be at most 10000 characters (got 'xxx"),
    ],
    ids=lambda text: text[:20],
)
def test_invalid_values_are_one_line_errors(text: str, line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse("x", text)
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize("text", fuzz_inputs.SEEN, ids=lambda text: ascii(text)[:20])
def test_earlier_tracebacks_do_not_return(text: str) -> None:
    fuzzing.check_yaml(text)
