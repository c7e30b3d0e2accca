"""Read a submitted notebook of any encoding and format, with bounded memory, without outputs and widget state."""

from __future__ import annotations

import json
import warnings
from typing import Any

import nbformat
from nbformat import NotebookNode

from lmc_utils.classroom.assignments import grade_id
from lmc_utils.classroom.stored_outputs import remove_stored_outputs

_MAX_CELLS = 2000  # cells of a notebook
_MAX_BYTES = 50 * 2**20  # bytes of a notebook without its outputs
_MAX_BRACKETS = 500_000  # parsing takes far more memory for each than its one byte


def without_outputs(content: bytes) -> bytes:
    """A file that may be a notebook, in UTF-8, without stored outputs and without the saved state of widgets.

    Raises:
        ValueError: it is not text, or too large; the message names the limit.

    >>> without_outputs('{"cells": [{"outputs": [["é"]], "source": "é"}]}'.encode("utf-16")).decode()
    '{"cells": [{"outputs": [], "source": "é"}]}'
    """
    encoding = json.detect_encoding(content)
    if encoding != "utf-8":
        content = content.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    result = remove_stored_outputs(content, _MAX_BRACKETS)
    if len(result) > _MAX_BYTES:
        raise ValueError(f"more than {_MAX_BYTES // 2**20} MiB without outputs")
    return result


def read_notebook(content: bytes) -> NotebookNode:
    """Parse a notebook, without its outputs and widget state; convert older formats, and add missing fields.

    Raises:
        ValueError: it is not a notebook.
    """
    try:
        raw = json.loads(without_outputs(content).decode("utf-8", "surrogatepass"))
        cells = raw["cells"] if "worksheets" not in raw else _cells_of_format_3(raw)
        if len(cells) > _MAX_CELLS:
            raise ValueError(f"more than {_MAX_CELLS} cells")
        for row, cell in enumerate(cells):
            if cell.get("outputs"):
                cell["outputs"] = []
            cell.setdefault("metadata", {})
            cell.setdefault("source", "")
            if (raw["nbformat"], raw["nbformat_minor"]) >= (4, 5):
                cell.setdefault("id", f"cell-{row}")
        text = json.dumps(raw, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one for each duplicated id
            notebook: NotebookNode = nbformat.reads(text, as_version=4)
        str(notebook.metadata), {(grade_id(cell), cell.get("id")) for cell in notebook.cells}
    except Exception as error:  # any file, any kind of error
        raise ValueError(f"not a notebook: {type(error).__name__}") from error
    return notebook


def _cells_of_format_3(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of a notebook of format 3, which are in worksheets; those with code get the fields that they need."""
    raw.setdefault("metadata", {})
    raw.setdefault("nbformat_minor", 0)
    cells = [cell for sheet in raw["worksheets"] for cell in sheet["cells"]]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("input", cell.pop("source", ""))
            cell.setdefault("language", "python")
    return cells
