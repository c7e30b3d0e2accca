"""Sphinx extension: the figures of notebooks on dark pages have the page's paper and light ink."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from lmc_utils.figures.dark_colours import with_dark_colours

_SVG = "image/svg+xml"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", add_dark_colours)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_dark_colours(app: Sphinx, docname: str, source: list[str]) -> None:
    """Let the drawn figures of a notebook that is about to be read follow the page that shows them."""
    if Path(app.env.doc2path(docname)).suffix != ".ipynb":
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if _SVG in output.get("data", {}):
                output["data"][_SVG] = with_dark_colours("".join(output["data"][_SVG]))
    source[0] = json.dumps(notebook)
