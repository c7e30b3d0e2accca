"""A throw-away project of tiny notebooks, for the tests of running and publishing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat

PARAMETERS = "count = 3  # how many\nrate = 0.5  # how fast\nword = 'a'  # which"


def write_notebook(path: Path, *cells: str, settings: tuple[str, ...] = ()) -> Path:
    """A notebook with the parameters `count`, `rate` and `word`, then these code cells."""
    notebook = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "lmc": {"settings": list(settings)},
        }
    )
    title = nbformat.v4.new_markdown_cell(f"# {path.stem}")
    parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook.cells = [title, parameters, *(nbformat.v4.new_code_cell(source) for source in cells)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def write_book(root: Path, **notebooks: str) -> None:
    """Write a book with a page for each notebook, given by its stem and its one code cell."""
    for stem, source in notebooks.items():
        write_notebook(root / "notebooks" / f"{stem}.ipynb", source)
    (root / "book").mkdir(parents=True, exist_ok=True)
    (root / "book" / "intro.md").write_text("# Intro\n")
    chapters = "".join(f"- file: notebooks/{stem}\n" for stem in notebooks)
    (root / "book" / "_toc.yml").write_text(f"format: jb-book\nroot: intro\nchapters:\n{chapters}")
    (root / "_config.yml").write_text(
        "title: t\nauthor: a\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"
    )


def lmc(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the `lmc` command as a user would."""
    command = [sys.executable, "-m", "lmc_utils.cli", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=900, env=environment)


def outputs(path: Path) -> str:
    """The printed output of an executed notebook."""
    cells = json.loads(path.read_text())["cells"]
    return "".join("".join(output.get("text", [])) for cell in cells for output in cell.get("outputs", []))
