"""Sphinx extension: how long each notebook took when this book was built, as a table on the page that asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_TIMES = "<!-- run times -->"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", tell_run_times)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def tell_run_times(app: Sphinx, name: str, content: list[str]) -> None:
    """Put a table of how long each notebook took into the page that asks for it."""
    if _TIMES not in content[0]:
        return
    folder = Path(app.srcdir, "notebooks")
    rows = ["| lesson | chapter | seconds | exercises | seconds |", "| ---: | --- | ---: | --- | ---: |"]
    for chapter in sorted(folder.glob("*.ipynb")):
        number = chapter.stem.partition("_")[0]
        both = [chapter, *folder.glob(f"exercises/{number}_*.ipynb")]
        for path in both:
            app.env.note_dependency(str(path))
        rows.append(f"| {int(number)} | " + " | ".join(f"`{path.stem}` | {_seconds(path)}" for path in both) + " |")
    content[0] = content[0].replace(_TIMES, "\n".join(rows))


def _seconds(executed: Path) -> str:
    taken = json.loads(executed.read_text(encoding="utf-8"))["metadata"].get("papermill", {}).get("duration")
    return f"{taken:.0f}" if taken else "?"
