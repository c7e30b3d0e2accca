"""Fuzzing inputs: texts that may be YAML, arbitrary JSON, files that may be notebooks."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

BOMB = "[" + ",".join(f"&a{n} [{','.join([f'*a{n - 1}'] * 9)}]" if n else "&a0 [lol]" for n in range(10)) + "]"
SEEN = [
    "2026-99-99", "2026-01-01", "!!int 'x'", "!!timestamp x", "!!python/name:os.system", "9" * 5000, "0x" + "f" * 5000,
    "[" * 3000, "[1," * 3000, "- " * 3000, "{" * 3000, BOMB, "&a [*a]", "<<: *a", "{<<: 1}", "? [1]", "{[1]: 2}", "",
    "1e999", ".inf", ".nan", '"\\ud800"', "\udcff", "\x00", "\ufeff", "--- 1\n--- 2", "%YAML 1.1\n---\n010", "a\nb: [",
]  # fmt: skip
_FRAGMENTS = [
    "!!int ", "!!", "!x ", "&a ", "*a", "[", "]", "{", "}", ": ", ", ", "'", '"', "- ", "? ", "\n", "  ", "<<", "|",
    ">", "%YAML 1.1\n", "---", "...", "#", "0x", "0o", "1e", "-", ".", "_", "9" * 30, "2026-", "~", "true", "\\",
    ".nan", "\t",
]  # fmt: skip

yaml_texts = st.one_of(
    st.sampled_from(SEEN),
    st.lists(st.one_of(st.sampled_from(_FRAGMENTS), st.text(max_size=3)), max_size=12).map("".join),
    st.text(max_size=30),
)

words = st.one_of(st.text(max_size=8), st.sampled_from(["name", "os:a\nb", "\ud800", "a\nb", "\x1b[31m", "x" * 3000]))
numbers = st.one_of(st.integers(), st.sampled_from([0, -1, 2**63, 10**300, 10**18]), st.floats())
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, words),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)


def _output(name: str, number: str) -> dict[str, Any]:
    data = {"application/papermill.record/text/plain": number}
    metadata = {"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}}
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def _code(source: str, tags: list[str], outputs: list[dict[str, Any]], name: str) -> dict[str, Any]:
    metadata = {"tags": tags, "nbgrader": {"grade_id": name, "solution": True}, "papermill": {"status": "completed"}}
    cell = {"cell_type": "code", "source": source, "metadata": metadata, "id": name}
    return cell | {"outputs": outputs, "execution_count": 1}


EXECUTED: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
        "lmc": {"settings": ["lmc_utils.chapters.toy_landscapes:Landscape"], "exercises": "01_toy_exercises"},
        "papermill": {"parameters": {}, "default_parameters": {}},
    },
    "cells": [
        {"cell_type": "markdown", "source": "# Title", "metadata": {}, "id": "title"},
        _code("m = 5  # how many\nroots = None", ["parameters"], [], "toy-1"),
        _code("record(x=1)", [], [_output("loss", "0.5"), _output("gone", "nan")], "toy-2"),
    ],
}


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """The content of a file that may be a notebook: one with a few corruptions, arbitrary JSON, or arbitrary bytes."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.one_of(st.binary(max_size=50), yaml_texts.map(_encoded)))
    if kind == 1:
        return _encoded(json.dumps(draw(json_values)))
    notebook = copy.deepcopy(EXECUTED)
    if kind == 5:
        code = st.sampled_from(["x = '\ud800'", "-" * 50000 + "1", "(" * 300, "a\x00b", "%%", "import ..x", "\\"])
        notebook["cells"][draw(st.integers(1, 2))]["source"] = draw(code)
    if kind == 2:
        notebook["cells"][2]["outputs"] = [_output(draw(words), draw(st.one_of(words, st.floats().map(str))))]
    parts = [notebook, notebook["metadata"], notebook["cells"][1], notebook["cells"][2]["outputs"]]
    for _ in range(draw(st.integers(1, 3))):
        _damage(draw, draw(st.sampled_from(parts)))
    text = json.dumps(notebook)
    if kind == 3:
        return _encoded(text)[: draw(st.integers(0, len(text)))]
    if kind == 4:
        spots = list(re.finditer(r"\d+|null|\"\w+\"", text))
        spot = draw(st.sampled_from(spots))
        large = draw(
            st.sampled_from(
                ["9" * 5000, "[" * 3000 + "]" * 3000, "[" * 300 + "]" * 300, "1e999", '"\\ud800"', "\ufeff"]
            )
        )
        text = text[: spot.start()] + large + text[spot.end() :]
    return _encoded(text)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _damage(draw: st.DrawFn, part: Any) -> None:
    """Replace or remove an item of a part of a notebook, at any depth."""
    places = list(_places(part))
    if places:
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        if draw(st.booleans()) and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = draw(json_values)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(item)
