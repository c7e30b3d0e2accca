"""Sphinx extension: the search shows each term of the glossary and each function once, by its name.

By default it finds terms through Sphinx's index, whose entries it shows by nothing but the title of their page: a dozen
times "Glossary". So they are found as functions are, and the index is left out.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    StandardDomain.object_types["term"].attrs["searchprio"] = 0  # as important as a function; below zero is not found
    app.connect("doctree-resolved", drop_index_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def drop_index_entries(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Remove the entries of Sphinx's index from a page before the search reads it."""
    for entry in list(doctree.findall(addnodes.index)):
        entry.parent.remove(entry)
