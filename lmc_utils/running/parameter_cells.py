"""Generate a notebook's parameters cell and parameter table from the records in its metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from lmc_utils.provenance import write_whole
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError, Settings, describe, describe_allowed

MARK = "<!-- parameters -->"
_ONE_LINE_EACH = "# fmt: off"  # else the formatter breaks long lines


def parameters_cell(records: Sequence[type[Settings]]) -> str:
    """The parameters cell: a line for each parameter with its default, and its meaning and choices as a comment."""
    lines = (
        f"{each.name} = {_literal(each.default)}  # {describe(each)}{_choices(each)}" for each in _parameters(records)
    )
    return "\n".join([_ONE_LINE_EACH, *lines])


def parameters_table(records: Sequence[type[Settings]]) -> str:
    """The table of parameters, in Markdown: name, default, meaning and allowed values."""
    rows = [
        f"| `{each.name}` | `{_literal(each.default)}` | {describe(each)} | {describe_allowed(each)} |"
        for each in _parameters(records)
    ]
    return "\n".join([MARK, "", "| parameter | default | meaning | allowed |", "| --- | --- | --- | --- |", *rows])


def updated_text(path: Path) -> str:
    """The text of a notebook with its parameters cell and table regenerated from its records.

    Raises:
        ParameterError: it has no cell with the tag `parameters`, or none that begins with the marker of the table.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    records = Notebook(path).settings
    found = {"parameters cell": 0, "table": 0}
    for each in notebook["cells"]:
        if "parameters" in each["metadata"].get("tags", ()):
            each["source"] = parameters_cell(records).splitlines(keepends=True)
            found["parameters cell"] += 1
        elif "".join(each["source"]).startswith(MARK):
            each["source"] = parameters_table(records).splitlines(keepends=True)
            found["table"] += 1
    for name, count in found.items():
        if count != 1:
            raise ParameterError(f"'{path}' must have one {name} (it has {count})")
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def update(path: Path) -> bool:
    """Update a notebook's parameters cell and table; return whether anything changed."""
    text = updated_text(path)
    if path.read_text(encoding="utf-8") == text:
        return False
    write_whole(path, text.encode())
    return True


def _parameters(records: Sequence[type[Settings]]) -> Iterator[Field[Any]]:
    return (each for record in records for each in fields(record))


def _choices(each: Field[Any]) -> str:
    allowed = each.metadata.get("allowed")
    return f": {allowed}" if allowed and allowed.choices is not None else ""


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(list(value) if isinstance(value, tuple) else value)
