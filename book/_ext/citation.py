"""Sphinx extension: every page says at its foot how to cite it, with the version and the date of the book."""

from __future__ import annotations

import html
import subprocess
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_config_value("edition", "", "html")  # pages are written again where it changes
    app.connect("config-inited", find_edition)
    app.connect("html-page-context", say_how_to_cite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def find_edition(app: Sphinx, config: Config) -> None:
    """Version, commit and date of the book; outside a clone the day of the build."""
    config.edition = f"version {version('lmc-utils')}, {_commit(Path(app.srcdir)) or date.today().isoformat()}"


def say_how_to_cite(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put title, book, version, date and address into the foot of a page."""
    if doctree is None:  # search, index
        return
    title, book = context.get("title", ""), f"<cite>{html.escape(app.config.html_title)}</cite>"
    parts = [html.escape(app.config.author), book if page == app.config.root_doc else f"“{title}”, in {book}"]
    parts += [html.escape(app.config.edition), html.escape(app.config.myst_substitutions.get("repository", ""))]
    said = f"Cite this page as: {', '.join(filter(None, parts))}."
    context["theme_extra_footer"] = f"<p>{said}</p><p>{context.get('theme_extra_footer', '')}</p>"


def _commit(folder: Path) -> str:
    command = ["git", "log", "-1", "--format=commit %h of %cs"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):  # no git
        return ""
    return done.stdout.strip()
