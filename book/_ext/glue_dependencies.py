"""Sphinx extension: a page that quotes a number of another notebook is read again when that notebook is.

MyST-NB fills in such a number when the page is written, and Sphinx writes only pages that have changed, so that without
this a page would go on quoting the run before.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-read", note_dependencies)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def note_dependencies(app: Sphinx, doctree: nodes.document) -> None:
    """Let the page that is being read depend on every notebook that it quotes."""
    for quoted in doctree.findall(PendingGlueReference):
        app.env.note_dependency(str(app.env.doc2path(quoted.refdoc)))
