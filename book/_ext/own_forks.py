"""Sphinx extension: a page lists the forks that its notebooks have, whatever forks its text was written for.

Tables get a row for each of them; a number of a fork that a run does not have reads as a dash, with the reason. So does
one of another label that ends in a number, such as `share_n_10`, where the run has others of its kind. Any other number
that no notebook has is a fault of the text and fails the build.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from lmc_utils.running import quoted_numbers, recorded_numbers

_LABEL = re.compile(r"_([a-z]+)_(\d+)(?=_|$)")
_LAST = re.compile(rf"{_LABEL.pattern}$")


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
            cell["source"] = _told(quoted_numbers.with_fork_rows(text, forks) if forks else text, path)
    source[0] = json.dumps(notebook)


def _told(text: str, page: Path) -> str:
    def has(quoted: str) -> bool:
        place, _, name = quoted.rpartition("::")
        numbers = _numbers(page.parent / place if place else page)
        if not _LAST.search(name) or name in numbers:
            return True
        known = [each.groups() for number in numbers for each in _LABEL.finditer(number)]
        kinds = {kind for kind, _ in known}
        if any(each[1] in kinds and each.groups() not in known for each in _LABEL.finditer(name)):
            return False
        return _LABEL.sub(r"_\1", name) not in {_LABEL.sub(r"_\1", number) for number in numbers}

    return quoted_numbers.mark_missing(text, has)


@cache  # every number in a text asks again, and no notebook changes while pages are read
def _numbers(path: Path) -> dict[str, float]:
    try:
        return recorded_numbers.read(path)
    except ValueError:  # no notebook, or one that records nothing
        return {}


def _forks(numbers: dict[str, float]) -> list[int]:
    return sorted({int(found[2]) for name in numbers if (found := _LAST.search(name)) and found[1] == "fork"})
