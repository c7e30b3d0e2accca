"""Find unknown names of recorded numbers before a sweep has executed all its points."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from lmc_utils.running import book_numbers, recorded_numbers
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError, describe_unknown


def require_recorded(names: Iterable[str], notebook: Notebook, out: Path) -> bool:
    """Raise ParameterError if a notebook does not record numbers of these names; return whether this is known.

    Known are the names that finished points in the folder of a sweep have recorded, else those of the book's own run,
    else those that the calls of `record` in the source begin with. Numbers within names, such as fork epochs, depend on
    parameters and are not compared.
    """
    known = _recorded(notebook, out)
    beginnings = None if known else _beginnings(notebook)
    for name in names:
        if known and _pattern(name) not in map(_pattern, known):
            raise ParameterError(f"show: {describe_unknown('recorded number', name, known)}")
        if beginnings and not any(name == each or name.startswith(f"{each}_") for each in beginnings):
            raise ParameterError(f"show: {describe_unknown('recorded number', name, beginnings)}")
    return bool(known or beginnings)


def _recorded(notebook: Notebook, out: Path) -> list[str]:
    """The names in a finished point, else in the book's run; empty if there are neither."""
    finished = (path for path in (out / "points").glob("*.ipynb") if ".partial" not in path.suffixes)
    for path in finished:
        try:
            return list(recorded_numbers.read(path))
        except ParameterError:
            continue
    return list(book_numbers.read(notebook.path) or ())


def _beginnings(notebook: Notebook) -> list[str]:
    """The keywords of all calls of `record` in the source; empty if a call may record other names."""
    found = dict[str, None]()
    for cell in notebook.content["cells"]:
        try:
            nodes = ast.walk(ast.parse("".join(cell["source"]))) if cell["cell_type"] == "code" else ()
        except (SyntaxError, ValueError):
            return []  # magics may call it too
        for node in nodes:
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "record":
                names = [keyword.arg for keyword in node.keywords]
                if node.args or None in names:
                    return []
                found |= dict.fromkeys(name for name in names if name)
    return list(found)


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "0", name)
