"""The cells of a chapter in the order of its page."""

from __future__ import annotations

from typing import Any

from page_order import merged


def code(source: str, *tags: str, outputs: tuple[Any, ...] = ()) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"tags": [*tags]}, "source": source, "outputs": [*outputs]}


def test_neighbours_of_hidden_code_without_outputs_are_one_cell() -> None:
    shown, text = code("c"), {"cell_type": "markdown", "metadata": {}, "source": "d"}
    cells = [code("a", "hide-input"), code("b", "hide-input"), shown, text, code("e", "hide-input")]
    assert [cell["source"] for cell in merged(cells)] == ["a\n\nb", "c", "d", "e"]


def test_hidden_code_with_outputs_stays_by_itself() -> None:
    cells = [code("a", "hide-input"), code("b", "hide-input", outputs=({"output_type": "stream"},))]
    assert merged(cells) == cells
