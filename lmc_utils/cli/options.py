"""Options that several commands share; an option of one name means the same in each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

NotebookName = Annotated[str, Argument(help="Name such as 02_sibling_forking, or just 02, or a path.")]
Preset = Annotated[str, Option(help="Parameter values: smoke (seconds), default (the book) or paper (needs a GPU).")]
Root = Annotated[Path, Option(help="Clone of the book's repository.")]
CellTimeout = Annotated[int, Option("--timeout", min=1, help="Time limit per cell, in seconds.")]
AsJson = Annotated[bool, Option("--json", help="Print JSON (missing and non-finite values as null).")]
CsvFile = Annotated[Path | None, Option("--csv", metavar="FILE", help="Also write the numbers as a CSV table.")]
HtmlFile = Annotated[Path | None, Option("--html", metavar="FILE", help="Also write an HTML page.")]
