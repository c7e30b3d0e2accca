"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

Preset = Annotated[str, Option(help="Parameter values: smoke (seconds), default (the book), paper (a GPU).")]
Root = Annotated[Path, Option(help="The checkout to work on.")]
CellTimeout = Annotated[int, Option(min=1, help="Seconds a single cell may take.")]
AsJson = Annotated[bool, Option("--json", help="As one JSON object; what is missing or not finite is null.")]
