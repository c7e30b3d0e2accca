"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

Preset = Annotated[str, Option(help="Parameter values: smoke (seconds), default (the book) or paper (needs a GPU).")]
Root = Annotated[Path, Option(help="Clone of the book's repository.")]
CellTimeout = Annotated[int, Option(min=1, help="Time limit per cell, in seconds.")]
AsJson = Annotated[bool, Option("--json", help="Print JSON (missing and non-finite values as null).")]
