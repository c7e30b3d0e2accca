"""Sphinx extension: what screen readers hear of a page is what it shows."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

REPLACED = {
    "<dl>\n<dd>": '<dl role="none">\n<dd>',  # a signature over several lines is no list of definitions
    '<summary aria-label="Toggle hidden content">': "<summary>",  # it has a text of its own
    '<th class="head"><p></p></th>': '<td class="head"></td>',  # the corner of a table heads nothing
    'role="doc-biblioentry"': 'role="listitem"',  # of the list that it is in
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("html-page-context", mark_up)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mark_up(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Replace what Sphinx and MyST-NB write."""
    for written, wanted in REPLACED.items():
        context["body"] = context.get("body", "").replace(written, wanted)
