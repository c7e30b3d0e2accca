"""Sphinx extension: of a table of claims, pages take what is read, not the data beside it.

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
    app.connect("source-read", drop_data)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def drop_data(app: Sphinx, docname: str, source: list[str]) -> None:
    """Take the data of claims out of a notebook that is about to be read."""
    if Path(app.env.doc2path(docname)).suffix != ".ipynb":
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(MIME, None)
    source[0] = json.dumps(notebook)
