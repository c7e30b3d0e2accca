"""Sphinx extension: the search shows each term and each function once, by its name.

It finds them as what they are. Sphinx puts them into its index as well, whose entries the search shows by nothing but
the title of the page: a dozen times "Glossary".
"""

from __future__ import annotations

from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx import addnodes
from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", drop_index_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def drop_index_entries(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Remove the entries of Sphinx's index from a page before the search reads it."""
    for entry in list(doctree.findall(addnodes.index)):
        entry.parent.remove(entry)
