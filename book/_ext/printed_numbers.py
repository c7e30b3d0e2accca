"""Sphinx extension: quoted numbers are printed with minus signs and powers of ten."""

from __future__ import annotations

from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx

from lmc_utils.running.quoted_numbers import typeset


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", print_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def print_numbers(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Typeset every number that a page takes from a run."""
    for quoted in doctree.findall(nodes.inline):
        if "pasted-text" in quoted["classes"]:
            text = quoted.astext()
            quoted.clear()
            quoted += nodes.Text(typeset(text))
