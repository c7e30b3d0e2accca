"""Sphinx extension: a page tells of the forks that its notebooks have, whatever forks its text was written for.

Tables get a row for each of them; a number of a fork that a run does not have reads as a dash, with the reason. Any
other number that no notebook has is a fault of the text and fails the build, as before.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from lmc_utils.running import prose, results

_OF_A_FORK = re.compile(r"_fork_(\d+)$")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", tell_own_forks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def tell_own_forks(app: Sphinx, docname: str, source: list[str]) -> None:
    """Change the text of a page that is about to be read."""
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".ipynb":
        source[0] = _told(source[0], path)
        return
    notebook = json.loads(source[0])
    forks = _forks(_numbers(path))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            cell["source"] = _told(prose.with_forks(text, forks) if forks else text, path)
    source[0] = json.dumps(notebook)


def _told(text: str, page: Path) -> str:
    def has(quoted: str) -> bool:
        place, _, name = quoted.rpartition("::")
        fork, numbers = _OF_A_FORK.search(name), _numbers(page.parent / place if place else page)
        if not fork or not numbers or name in numbers:
            return True
        series = {_OF_A_FORK.sub("", known) for known in numbers if _OF_A_FORK.search(known)}
        return int(fork[1]) in _forks(numbers) and _OF_A_FORK.sub("", name) not in series

    return prose.without_missing(text, has)


def _numbers(path: Path) -> dict[str, float]:
    try:
        return results.read(path)
    except ValueError:  # no notebook, or one that records nothing
        return {}


def _forks(numbers: dict[str, float]) -> list[int]:
    return sorted({int(found[1]) for name in numbers if (found := _OF_A_FORK.search(name))})
