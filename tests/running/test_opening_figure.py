"""The opening picture is a copy of one of the notebook's own figures."""

from __future__ import annotations

from typing import Any

from lmc_utils.running.opening_figure import with_opening_figure


def notebook(outputs: list[dict[str, Any]], **picture: Any) -> dict[str, Any]:
    cells = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Why?"},
        {
            "cell_type": "code",
            "id": "draw",
            "metadata": {"mystnb": {"image": {"alt": "a hill"}}, "tags": ["hide-input"]},
            "source": "draw()",
            "execution_count": 1,
            "outputs": outputs,
        },
    ]
    return {"cells": cells, "metadata": {"lmc": {"picture": picture}} if picture else {}, "nbformat": 4}


FIGURE = {"output_type": "execute_result", "data": {"image/svg+xml": "<svg/>"}, "metadata": {}, "execution_count": 1}
WORDS = {"output_type": "stream", "name": "stdout", "text": "done"}


def test_the_opening_figure_is_the_last_output_of_its_cell() -> None:
    other = {**FIGURE, "data": {"image/png": "first"}}
    opened = with_opening_figure(notebook([other, FIGURE, WORDS], cell="draw", caption="Low is dark."))
    _, picture, caption, drawn = opened["cells"]
    assert [each["data"] for each in picture["outputs"]] == [FIGURE["data"]]
    assert picture["metadata"]["mystnb"] == {"image": {"alt": "a hill"}}
    assert picture["metadata"]["tags"] == ["remove-input"]
    assert caption["source"] == "Low is dark."
    assert drawn["outputs"] == [other, FIGURE, WORDS]


def test_a_figure_at_the_top_is_not_repeated() -> None:
    before = notebook([FIGURE], cell="draw", caption="", moved=True)
    assert [cell["id"] for cell in with_opening_figure(before)["cells"]] == ["title", "lmc-picture", "lmc-caption"]


def test_a_notebook_without_an_opening_figure_is_unchanged() -> None:
    for before in (
        notebook([FIGURE]),
        notebook([WORDS], cell="draw", caption="x"),
        notebook([], cell="draw", caption="x"),
        notebook([FIGURE], cell="elsewhere", caption="x"),
    ):
        assert with_opening_figure(before) == before


def test_foreign_metadata_is_ignored() -> None:
    for about in (None, 3, {"picture": 3}):
        before = {**notebook([FIGURE]), "metadata": {"lmc": about}}
        assert with_opening_figure(before) == before
