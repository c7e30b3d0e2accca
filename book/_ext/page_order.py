"""Sphinx extension: a chapter's page opens with its picture and a box, and what few readers need is folded.

A notebook has its parameters at the top, where papermill and a rerunner look for them. On the page they belong to how
to rerun the chapter, near the end. A part of the text whose heading has `lmc.fold` in its cell's metadata can be
unfolded; it ends before the next cell that begins with a heading.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from lmc_utils.running import comparison
from lmc_utils.running.chapter_box import with_box
from lmc_utils.running.opening_figure import with_opening_figure
from lmc_utils.running.parameter_cells import MARK

Cell = dict[str, Any]

_PARAMETERS = {"parameters", "injected-parameters"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", arrange)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def arrange(app: Sphinx, name: str, content: list[str]) -> None:
    """Put the cells of a chapter into the order of its page."""
    path = Path(app.env.doc2path(name))
    if path.suffix != ".ipynb":
        return
    notebook = with_box(with_opening_figure(json.loads(content[0])), comparison.parameters(path))
    content[0] = json.dumps(notebook | {"cells": folded(merged(parameters_last(notebook["cells"])))})


def parameters_last(cells: list[Cell]) -> list[Cell]:
    """The cells with those of parameters behind the table of parameters, where there is one."""
    tables = [cell for cell in cells if "".join(cell["source"]).startswith(MARK)]
    if not tables:
        return cells
    moved = [_shown(cell) for cell in cells if _tags(cell) & _PARAMETERS]
    rest = [cell for cell in cells if not _tags(cell) & _PARAMETERS]
    at = 1 + rest.index(tables[-1])
    return [*rest[:at], *moved, *rest[at:]]


def merged(cells: list[Cell]) -> list[Cell]:
    """The cells with neighbours of hidden code that put out nothing as one, so that one line unfolds them."""
    found: list[Cell] = []
    for cell in cells:
        if found and all(_is_silent_and_hidden(each) for each in (found[-1], cell)):
            source = "\n\n".join("".join(each["source"]) for each in (found.pop(), cell))
            cell = cell | {"source": source}
        found.append(cell)
    return found


def folded(cells: list[Cell]) -> list[Cell]:
    """The cells with each part that can be unfolded between two cells that open and close it."""
    found: list[Cell] = []
    unfolds = ""
    for cell in cells:
        source = "".join(cell["source"])
        if unfolds and cell["cell_type"] == "markdown" and source.startswith("#"):
            found.append(_raw(f"{unfolds}-end", "</details>"))
            unfolds = ""
        if cell["metadata"].get("lmc", {}).get("fold"):
            heading, _, rest = source.partition("\n")
            unfolds = cell["id"]
            title = html.escape(heading.lstrip("# "))
            found.append(_raw(f"{unfolds}-start", f'<details class="lmc-fold"><summary>{title}</summary>'))
            cell = cell | {"source": rest.strip()}
        found.append(cell)
    return [*found, _raw(f"{unfolds}-end", "</details>")] if unfolds else found


def _is_silent_and_hidden(cell: Cell) -> bool:
    return cell["cell_type"] == "code" and "hide-input" in _tags(cell) and not cell["outputs"]


def _tags(cell: Cell) -> set[str]:
    return set(cell["metadata"].get("tags", ()))


def _shown(cell: Cell) -> Cell:
    """The cell without a fold of its own; it stands in one."""
    return cell | {"metadata": cell["metadata"] | {"tags": sorted(_tags(cell) - {"hide-input"})}}


def _raw(identity: str, text: str) -> Cell:
    return {"cell_type": "markdown", "id": identity, "metadata": {}, "source": f"```{{raw}} html\n{text}\n```"}
