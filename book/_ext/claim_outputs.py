"""Sphinx extension: of a table of claims, pages take what is read, not the data beside it, and can link to it.

MyST-NB warns of every output of a type that it cannot draw, even where others of the same output can be.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from lmc_utils.running.recorded_claims import MIME


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", label_and_drop_data)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def label_of(path: Path) -> str:
    """What a link to the claims of an executed notebook names."""
    return f"claims-{path.stem}"


def label_and_drop_data(app: Sphinx, docname: str, source: list[str]) -> None:
    """Take the data of claims out of a notebook that is about to be read, and let links lead to the first of them."""
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".ipynb":
        return
    notebook = json.loads(source[0])
    cells = []
    label = {"cell_type": "markdown", "id": "lmc-claims", "metadata": {}, "source": f"({label_of(path)})="}
    for cell in notebook["cells"]:
        data = [output.get("data", {}).pop(MIME, None) for output in cell.get("outputs", [])]
        if any(data) and label not in cells:
            cells.append(label)
        cells.append(cell)
    source[0] = json.dumps(notebook | {"cells": cells})
