"""The opening picture of a page: a copy of one of its notebook's figures, below the title."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHOWN = ("application/vnd.jupyter.widget-view+json", "image/svg+xml", "image/png")


def with_opening_figure(notebook: dict[str, Any]) -> dict[str, Any]:
    """Insert the picture named in a notebook's metadata, with its caption, after the first cell.

    The metadata entry `lmc.picture` has `cell`, the id of the cell that draws it; `caption`; and `moved`, if it is
    drawn so early that it need not be shown twice; then that cell is removed. Without such an entry or figure, nothing
    changes.

    >>> drawn = {"cell_type": "code", "id": "map", "metadata": {}, "source": "draw()", "execution_count": 1,
    ...          "outputs": [{"output_type": "display_data", "data": {"image/png": "…"}, "metadata": {}}]}
    >>> title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A map"}
    >>> metadata = {"lmc": {"picture": {"cell": "map", "caption": "Low is dark."}}}
    >>> [each["id"] for each in with_opening_figure({"cells": [title, drawn], "metadata": metadata})["cells"]]
    ['title', 'lmc-picture', 'lmc-caption', 'map']
    """
    about = notebook["metadata"].get("lmc")
    picture = about.get("picture") if isinstance(about, dict) else None
    if not isinstance(picture, dict):
        return notebook
    drawn = [_copy(cell) for cell in notebook["cells"] if cell.get("id") == picture.get("cell")]
    if not drawn or not drawn[0]["outputs"]:
        return notebook
    caption = {
        "cell_type": "markdown",
        "id": "lmc-caption",
        "metadata": {},
        "source": str(picture.get("caption", "")),
    }
    first, *rest = [cell for cell in notebook["cells"] if not picture.get("moved") or cell["id"] != picture["cell"]]
    return {**notebook, "cells": [first, drawn[0], caption, *rest]}


def _copy(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a cell with its figures but without its code."""
    drawn = [each["data"] for each in cell.get("outputs", []) if any(kind in each.get("data", {}) for kind in _SHOWN)]
    metadata = {key: value for key, value in cell["metadata"].items() if key == "mystnb"}
    return {
        "cell_type": "code",
        "id": "lmc-picture",
        "metadata": metadata | {"tags": ["remove-input"]},
        "source": "# drawn below",  # a cell without source is not shown on a page
        "execution_count": None,
        "outputs": [{"output_type": "display_data", "data": data, "metadata": {}} for data in drawn[-1:]],
    }
