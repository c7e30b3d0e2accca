"""The numbers of the book's run: kept with their origin, and all that a chapter quotes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lmc_utils.provenance import CHECKOUT
from lmc_utils.running import book_numbers, notebook_files, notebooks, quoted_numbers
from lmc_utils.settings import ParameterError

CHAPTERS = notebooks.notebook_paths(CHECKOUT / "notebooks")


def executed(path: Path, parameters: dict[str, Any], **recorded: float) -> Path:
    """A notebook as papermill writes it."""
    outputs = [
        nbformat.v4.new_output(
            "display_data",
            {"application/papermill.record/text/plain": repr(number)},
            metadata={"scrapbook": {"name": name}},
        )
        for name, number in recorded.items()
    ]
    about = {"papermill": {"parameters": parameters, "end_time": "2026-01-02T03:04:05"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=outputs)], metadata=about)
    nbformat.write(notebook, path)
    return path


def test_numbers_are_kept_with_their_origin(tmp_path: Path) -> None:
    source = tmp_path / "notebooks" / "a.ipynb"
    assert book_numbers.read(source) is None
    run = executed(tmp_path / "a.ipynb", {}, count=3, undefined=math.nan)
    book_numbers.write([run], tmp_path / book_numbers.FOLDER)
    kept = book_numbers.read(source)
    assert kept is not None
    assert kept["count"] == 3
    assert math.isnan(kept["undefined"])
    about = json.loads((tmp_path / book_numbers.FOLDER / "a.json").read_text())
    assert about["date"] == "2026-01-02T03:04"
    assert {"commit", "versions", "machine"} < about.keys()


def test_a_run_with_other_parameters_is_not_the_books(tmp_path: Path) -> None:
    run = executed(tmp_path / "a.ipynb", {"count": 4}, count=4)
    with pytest.raises(ParameterError, match=r"was not executed with the book's parameters \(got .*count"):
        book_numbers.write([run], tmp_path / book_numbers.FOLDER)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"numbers": 3}', '{"numbers": {"a": "x"}}', '{"numbers": {"a": []}}']
)
def test_a_file_of_another_kind_is_no_numbers(tmp_path: Path, content: str) -> None:
    (tmp_path / book_numbers.FOLDER).mkdir(parents=True)
    (tmp_path / book_numbers.FOLDER / "a.json").write_text(content)
    assert book_numbers.read(tmp_path / "notebooks" / "a.ipynb") is None


@pytest.mark.skipif(not (CHECKOUT / book_numbers.FOLDER).is_dir(), reason="make book-numbers has not been run")
@pytest.mark.parametrize("source", CHAPTERS, ids=lambda path: path.stem)
def test_all_that_a_chapter_quotes_is_kept(source: Path) -> None:
    cells = notebook_files.read(source)["cells"]
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    quoted = {name for text in prose for name in quoted_numbers.quoted_names(text)}
    assert quoted - (book_numbers.read(source) or {}).keys() == set(), "make book-numbers"
