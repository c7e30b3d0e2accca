"""Sphinx extension: a widget of an executed notebook, alive on a page that is no notebook.

`<!-- live NOTEBOOK CELL -->`, on a line of its own, becomes the widget that the cell of this id has shown.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from offline import VIEW
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

_LIVE = re.compile(r"^<!-- live (\S+) (\S+) -->$", re.MULTILINE)
_STATE = "application/vnd.jupyter.widget-state+json"
_SHOWN = "application/vnd.jupyter.widget-view+json"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", bring_widgets)
    app.connect("html-page-context", bring_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def bring_widgets(app: Sphinx, name: str, content: list[str]) -> None:
    """Put widgets into the page that asks for them."""

    def widget(asked: re.Match[str]) -> str:
        path = Path(app.srcdir, f"{asked[1]}.ipynb")
        app.env.note_dependency(str(path))
        return live(json.loads(path.read_text(encoding="utf-8")), asked[2])

    content[0] = _LIVE.sub(widget, content[0])


def live(executed: dict[str, Any], cell: str) -> str:
    """The widget that a cell has shown, with its state, in MyST.

    Raises:
        ExtensionError: there is no such cell, or it shows no widget.
    """
    outputs = [each for some in executed["cells"] if some.get("id") == cell for each in some.get("outputs", [])]
    views = [each["data"][_SHOWN] for each in outputs if _SHOWN in each.get("data", {})]
    state = executed["metadata"].get("widgets", {}).get(_STATE)
    if not views or not state:
        raise ExtensionError(f"live picture: expected a widget in the cell '{cell}', found none")
    scripts = (f'<script type="{_STATE}">{_text(state)}</script>', f"{VIEW}{_text(views[-1])}</script>")
    return "\n\n".join(f"```{{raw}} html\n{script}\n```" for script in scripts)


def bring_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let a page with such a widget load what a notebook's page would."""
    if VIEW in context.get("body", "") and not str(app.env.doc2path(page)).endswith(".ipynb"):
        for path, attributes in app.config.nb_ipywidgets_js.items():
            app.add_js_file(path, **attributes)


def _text(value: Any) -> str:
    return json.dumps(value).replace("</", "<\\/")  # which would end the script
