"""Sphinx extension: a notebook's download button hands out what `lmc run` writes.

Sphinx keeps a copy of each executed notebook for download, whose text has the roles of the book in it: only here are
they references and numbers. Anywhere else they are raw text, so readers get plain Markdown with the numbers filled in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from lmc_utils.running import notebook_files
from lmc_utils.running.notebooks import Notebook
from lmc_utils.running.readable_notebook import make_readable


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("build-finished", hand_out_readable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def hand_out_readable(app: Sphinx, exception: Exception | None) -> None:
    """Put the readable form of an executed notebook in place of its copy under `_sources`."""
    for name in app.env.found_docs if exception is None else ():
        copy = Path(app.outdir, "_sources", f"{name}.ipynb")
        if copy.exists():
            executed = notebook_files.read(Path(app.env.doc2path(name)))
            given = executed["metadata"].get("papermill", {}).get("parameters", {})
            source = Notebook(Path(app.srcdir).parent / f"{name}.ipynb")
            book = source.defaults
            readable = make_readable(executed, book | given, book=book, source=source.path, just_run=False)
            copy.write_text(json.dumps(readable, indent=1, ensure_ascii=False), encoding="utf-8")
