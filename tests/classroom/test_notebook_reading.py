"""Notebooks are read whatever their encoding, format and stored outputs, with bounded memory."""

from __future__ import annotations

import copy
import json
import tracemalloc

import nbformat
import pytest
from example_submissions import SOURCE, solved

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


@pytest.mark.parametrize(
    "text", ["", "[", '{"cells": [{"outputs": [', '{"cells": [{"outputs": ["', "]]}}", '"\\', '"outputs":']
)
def test_truncated_text_stays_text(text: str) -> None:
    remove_stored_outputs(text.encode(), 100)
    with pytest.raises(ValueError, match="not a notebook"):
        read_notebook(text.encode())


def test_limits_apply_to_what_is_left() -> None:
    with pytest.raises(ValueError, match="more than 500000 arrays and objects"):
        without_outputs(b'{"cells": [' + b"{}," * 510_000)
    with pytest.raises(ValueError, match="more than 52428800 bytes"):
        without_outputs(b'{"cells": [{"source": "' + b"x" * 53_000_000 + b'"}]}')
