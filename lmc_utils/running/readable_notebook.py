"""An executed notebook as something to read: first what was run and found, then its text in plain Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lmc_utils.provenance import write_whole
from lmc_utils.running import (
    book_numbers,
    commentary,
    notebook_files,
    plain_markdown,
    recorded_numbers,
    run_summary,
)
from lmc_utils.running.chapter_box import BOX, with_box
from lmc_utils.running.notebooks import Notebook
from lmc_utils.running.quoted_numbers import fill_in_numbers
from lmc_utils.settings import ParameterError

_BAR = re.compile(r"\d+%\||\d+(?:\.\d+)?(?:it|s|point|batch|epoch)s?/(?:s|it)\b")
_SUMMARY = "lmc-what-was-run"


def make_readable(
    executed: dict[str, Any],
    parameters: Mapping[str, Any],
    *,
    book: Mapping[str, Any],
    source: Path,
    just_run: bool = True,
) -> dict[str, Any]:
    """Rewrite a notebook in plain Markdown, with a first cell that says what was run and found.

    What the text says of the book's run is folded, see `commentary`. What a cell said before stands in its metadata as
    `lmc.template`, see `original`.

    Args:
        executed: the notebook as papermill wrote it.
        parameters: the parameters that were given.
        book: all parameters as they are in the source.
        source: the notebook's source; the works that it cites are in `book/references.bib` beside its folder, and the
            numbers of the book's run in `results/book_numbers`.
        just_run: whether it was executed here and now. Else the versions of packages are not known, and what an earlier
            first cell said of the run is kept.
    """
    recorded = recorded_numbers.recorded_texts(executed)
    numbers = {name: number for name, text in recorded if (number := _number(text)) is not None}
    changed = {name: value for name, value in parameters.items() if value != book.get(name)}
    books = book_numbers.read(source)
    if books is None:
        books = {} if changed else numbers
    before = original(executed)
    equations = _equations(before, source)
    works = plain_markdown.read_bibliography(source.parent.parent / "book" / "references.bib")

    def rewritten(text: str) -> str:
        text = commentary.fold(text, numbers, books, other_parameters=bool(changed))
        return plain_markdown.to_plain_markdown(text, equations, works)

    def filled_in(text: str) -> str:
        return plain_markdown.to_plain_markdown(fill_in_numbers(text, numbers), equations, works)

    boxed = with_box(before, dict(book) | dict(parameters))["cells"]
    cells = [_cell(cell, filled_in if cell.get("id") == BOX else rewritten) for cell in boxed]
    earlier = [cell for cell in executed["cells"] if cell.get("id") == _SUMMARY]
    if earlier and not just_run:
        return {**executed, "cells": [earlier[0], *cells]}
    said = run_summary.summarise(executed, numbers, changed=changed, book=book, source=source, just_run=just_run)
    summary = {"cell_type": "markdown", "metadata": {"lmc": {"written": True}}, "source": said}
    if (executed["nbformat"], executed["nbformat_minor"]) >= (4, 5):
        summary["id"] = _SUMMARY
    return {**executed, "cells": [summary, *cells]}


def rewrite(path: Path, parameters: Mapping[str, Any], source: Notebook) -> None:
    """Make a notebook that was executed here and now something to read, in place; arguments as of `make_readable`."""
    readable = make_readable(notebook_files.read(path), parameters, book=source.defaults, source=source.path)
    write_whole(path, json.dumps(readable, indent=1, ensure_ascii=False).encode())


def original(notebook: dict[str, Any]) -> dict[str, Any]:
    """Undo `make_readable`: the notebook with the cells that it had before."""
    cells = []
    for cell in notebook["cells"]:
        about = _own_metadata(cell)
        if about.pop("written", False):
            continue
        before = about.pop("template", None)
        if before is not None:
            metadata = {key: value for key, value in cell["metadata"].items() if key != "lmc"}
            cell = {**cell, "source": before, "metadata": metadata | ({"lmc": about} if about else {})}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _cell(cell: dict[str, Any], rewritten: Callable[[str], str]) -> dict[str, Any]:
    if cell["cell_type"] == "code":
        return {**cell, "outputs": [each for each in cell["outputs"] if not _is_progress_bar(each)]}
    before = "".join(cell["source"])
    said = rewritten(before)
    if said == before:
        return cell
    about = _own_metadata(cell)
    return {**cell, "source": said, "metadata": {**cell["metadata"], "lmc": {**about, "template": before}}}


def _own_metadata(cell: Mapping[str, Any]) -> dict[str, Any]:
    """What a cell's metadata say of it to this package; others may have put anything there."""
    about = cell["metadata"].get("lmc")
    return dict(about) if isinstance(about, dict) else {}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # notebooks of others record more than numbers
        return None


def _is_progress_bar(output: Mapping[str, Any]) -> bool:
    """Whether an output is nothing but what a progress bar wrote."""
    if output.get("output_type") != "stream" or output.get("name") != "stderr":
        return False
    lines = re.split(r"[\r\n]", "".join(output["text"]))
    return all(not line.strip() or _BAR.search(line) for line in lines)


def _equations(executed: Mapping[str, Any], source: Path) -> dict[str, str]:
    """What each equation is called: its chapter's place in the book and its own in it; of other chapters as well."""
    result: dict[str, str] = {}
    chapters = sorted(path for path in {*source.parent.glob("*.ipynb"), source} if path.stem[:1].isdigit())
    for path in [*chapters, *({source} - set(chapters))]:
        chapter = f"{chapters.index(path) + 1}." if path in chapters else ""
        with suppress(ParameterError):  # another file beside the source need not be a notebook
            cells = (executed if path == source else notebook_files.read(path))["cells"]
            prose = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
            labels = [label for text in prose for label in plain_markdown.equation_labels(text)]
            result |= {label: f"{chapter}{number}" for number, label in enumerate(labels, 1)}
    return result
