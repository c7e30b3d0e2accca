"""The summary box at the start of a chapter: data, network, training, parents, forks and run time of this run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from lmc_utils.running.notebooks import load_record

BOX = "lmc-box"
"""The id of the cell with the box; its numbers are always those of the run."""


def with_box(executed: dict[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Insert the summary box after the opening picture of an executed notebook, or after its first cell without one.

    The box shows the `overview`s of the records named in its metadata, and the run time. Without any overview, nothing
    changes.

    Args:
        executed: the notebook; only its metadata are used.
        parameters: the parameters of the run.
    """
    about = executed["metadata"].get("lmc")
    names: Sequence[str] = about.get("settings", ()) if isinstance(about, dict) else ()
    rows = _overview(names, parameters)
    if not rows:
        return executed
    if seconds := (executed["metadata"].get("papermill") or {}).get("duration"):
        rows["run time"] = f"{_duration(seconds)}; networks that an earlier chapter trained are not trained again"
    cells = executed["cells"]
    after = next((place for place, cell in enumerate(cells, 1) if cell.get("id") == "lmc-caption"), 1)
    return {**executed, "cells": [*cells[:after], _box(rows), *cells[after:]]}


def _overview(names: Sequence[str], given: Mapping[str, Any]) -> dict[str, str]:
    rows: dict[str, str] = {}
    for name in names:
        kind = load_record(name)
        rows |= kind(**{each.name: given[each.name] for each in fields(kind) if each.name in given}).overview()
    return rows


def _duration(seconds: float) -> str:
    """A duration in words.

    >>> _duration(7.6), _duration(185.0)
    ('8 seconds', '3.1 minutes')
    """
    return f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.1f} minutes"


def _box(rows: Mapping[str, str]) -> dict[str, Any]:
    table = ["| setting | this run |", "| --- | --- |", *(f"| {name} | {said} |" for name, said in rows.items())]
    source = "\n".join(['<div class="lmc-box">', "", *table, "", "</div>"])
    return {"cell_type": "markdown", "id": BOX, "metadata": {"lmc": {"written": True}}, "source": source}
