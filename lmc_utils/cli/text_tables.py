"""Tables as text for the terminal, and as CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from lmc_utils.provenance import write_whole


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """A table as text: the columns at some positions to the left, the others to the right.

    >>> print(aligned([["layer", "rise"], ["a", "0.5"], ["bc", "12"]]))
    layer  rise
    a       0.5
    bc       12
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pad = [str.ljust if place in left else str.rjust for place in range(len(widths))]
    lines = (zip(pad, row, widths, strict=True) for row in rows)
    return "\n".join("  ".join(align(cell, width) for align, cell, width in line).rstrip() for line in lines)


def write_table(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as a CSV file; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_whole(path, text.getvalue().encode())
