"""Notebooks are read whatever their encoding, format and stored outputs, with bounded memory."""

from __future__ import annotations

import copy
import json
import time
import tracemalloc

import nbformat
import pytest
from example_submissions import SOURCE, solved

from lmc_utils.classroom import stored_outputs
from lmc_utils.classroom.notebook_reading import read_notebook, without_outputs
from lmc_utils.classroom.stored_outputs import remove_stored_outputs

TEXT = SOURCE.read_text(encoding="utf-8")


def with_output(output: str) -> bytes:
    """A solved sheet whose stored outputs are a JSON text."""
    return nbformat.writes(solved()).replace('"outputs": []', f'"outputs": {output}', 1).encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_are_detected(encoding: str) -> None:
    assert read_notebook(TEXT.encode(encoding)) == read_notebook(TEXT.encode())


def test_format_3_is_converted() -> None:
    old = nbformat.writes(nbformat.convert(copy.deepcopy(solved()), 3), version=3)
    converted = read_notebook(old.encode())
    assert [(cell.cell_type, cell.source) for cell in converted.cells] == [
        (cell.cell_type, cell.source) for cell in solved().cells
    ]
    assert [cell.metadata.get("nbgrader") for cell in converted.cells] == [
        cell.metadata.get("nbgrader") for cell in solved().cells
    ]


HUGE = {
    "deep": "[" * 2_000_000 + "]" * 2_000_000,
    "wide": "[" + "[]," * 700_000 + "[]]",
    "long": f'["{"x" * 55_000_000}"]',
}


@pytest.mark.parametrize("output", [pytest.param(value, id=name) for name, value in HUGE.items()])
def test_stored_outputs_cost_neither_points_nor_memory(output: str) -> None:
    content = with_output(output)
    tracemalloc.start()
    try:
        notebook = read_notebook(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in solved().cells]
    assert peak < 2 * len(content) + 20e6


@pytest.mark.parametrize("value", ['"}"', r'"\\"', r'"\"]"', "1", "null", '{"outputs": [1]}', '[{"a": "]"}, "\\\\"]'])
def test_only_the_outputs_of_cells_are_removed(value: str) -> None:
    notebook = (
        f'{{"outputs": {value}, "cells": [{{"a": {value}, "outputs": [{value}], "metadata": {{"outputs": {value}}}}}]}}'
    )
    raw = json.loads(notebook)
    raw["cells"][0]["outputs"] = []
    assert json.loads(remove_stored_outputs(notebook.encode(), 100)) == raw


def test_only_the_widget_state_of_the_notebook_is_removed() -> None:
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"a": {"}": ["]"]}}}}
    cell = {"outputs": [], "metadata": {"widgets": state}, "widgets": state}
    raw = {"cells": [cell], "metadata": {"kernelspec": {"widgets": state}, "widgets": state}, "widgets": state}
    left = json.loads(remove_stored_outputs(json.dumps(raw).encode(), 100))
    assert left == raw | {"metadata": {"kernelspec": {"widgets": state}, "widgets": {}}}


def test_a_notebook_with_much_widget_state_is_read() -> None:
    notebook = solved()
    notebook.metadata["widgets"] = {"state": [{}] * 600_000}
    read = read_notebook(json.dumps(notebook).encode())
    assert [cell.source for cell in read.cells] == [cell.source for cell in solved().cells]
    assert read.metadata["widgets"] == {}


STRINGS = {
    "quote": rb'"\""',
    "backslash": rb'"\\"',
    "both": rb'"\\\""',
    "line": rb'"line\n"',
    "many escapes": b'"' + rb"\n" * 101 + b'"',
    "brackets": rb'"]}[{"',
    "object": b'"a":{"b":"c"}',
}


@pytest.mark.parametrize("string", [pytest.param(value, id=name) for name, value in STRINGS.items()])
def test_strings_that_are_skipped_together_end_where_json_says(string: bytes) -> None:
    notebook = b'{"cells": [{"outputs": %b, "source": "]"}]}'
    assert remove_stored_outputs(notebook % (b"[" + b",".join([string] * 1500) + b"]"), 100) == notebook % b"[]"


LONG = {
    "strings": b'"",' * 1_000_000 + b'""',
    "lines": rb'"line\n",' * 400_000 + b'""',
    "quotes": b'"' + rb"\"" * 2_000_000 + b'"',
    "backslashes": b'"' + rb"\\" * 2_000_000 + b'"',
}


@pytest.mark.parametrize("output", [pytest.param(value, id=name) for name, value in LONG.items()])
def test_many_strings_and_escapes_are_skipped_fast(output: bytes) -> None:
    begun = time.process_time()
    remove_stored_outputs(b'{"cells": [{"outputs": [' + output + b"]}]}", 100)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("before", [b'{"cells": [', b'{"cells": [{"outputs": ['])
def test_the_number_of_strings_is_limited(before: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_outputs, "_MAX_TOKENS", 5000)
    with pytest.raises(ValueError, match="more than 5,000 strings, arrays and objects"):
        remove_stored_outputs(before + b'["",[]],' * 5000, 100_000)


@pytest.mark.parametrize(
    "text", ["", "[", '{"cells": [{"outputs": [', '{"cells": [{"outputs": ["', "]]}}", '"\\', '"outputs":']
)
def test_truncated_text_stays_text(text: str) -> None:
    remove_stored_outputs(text.encode(), 100)
    with pytest.raises(ValueError, match="not a notebook"):
        read_notebook(text.encode())


def test_limits_apply_to_what_is_left() -> None:
    with pytest.raises(ValueError, match="more than 500,000 arrays and objects"):
        without_outputs(b'{"cells": [' + b"{}," * 510_000)
    with pytest.raises(ValueError, match="more than 50 MiB without outputs"):
        without_outputs(b'{"cells": [{"source": "' + b"x" * 53_000_000 + b'"}]}')
