"""The numbers of the book's run: kept with their origin, and all that a chapter quotes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from small_project import lmc, write_notebook

from lmc_utils.provenance import CHECKOUT
from lmc_utils.running import book_numbers, notebook_files, notebooks, quoted_numbers
from lmc_utils.settings import ParameterError

CELL = "from lmc_utils.running import record\nrecord(count=count, undefined=float('nan'))"
KEPT = sorted((CHECKOUT / book_numbers.FOLDER).glob("*.json"))


def test_numbers_of_the_default_run_are_kept_with_their_origin(tmp_path: Path) -> None:
    source = write_notebook(tmp_path / "notebooks" / "a.ipynb", CELL)
    assert book_numbers.read(source) is None
    out = tmp_path / "a.ipynb"
    assert lmc("run", source, "-o", out, cwd=tmp_path).returncode == 0
    book_numbers.write([out], tmp_path / book_numbers.FOLDER)
    kept = book_numbers.read(source)
    assert kept is not None
    assert kept["count"] == 3
    assert math.isnan(kept["undefined"])
    about = json.loads((tmp_path / book_numbers.FOLDER / "a.json").read_text())
    assert {"date", "commit", "versions", "machine"} < about.keys()
    assert lmc("run", source, "-p", "count", "4", "-o", out, cwd=tmp_path).returncode == 0
    with pytest.raises(ParameterError, match="expected the book's parameters"):
        book_numbers.write([out], tmp_path / book_numbers.FOLDER)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"numbers": 3}', '{"numbers": {"a": "x"}}', '{"numbers": {"a": []}}']
)
def test_a_file_of_another_kind_is_no_numbers(tmp_path: Path, content: str) -> None:
    (tmp_path / book_numbers.FOLDER).mkdir(parents=True)
    (tmp_path / book_numbers.FOLDER / "a.json").write_text(content)
    assert book_numbers.read(tmp_path / "notebooks" / "a.ipynb") is None


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_all_that_a_chapter_quotes_is_kept(path: Path) -> None:
    source = notebooks.find(path.stem, CHECKOUT / "notebooks").path
    cells = notebook_files.read(source)["cells"]
    quoted = {
        name
        for cell in cells
        if cell["cell_type"] == "markdown"
        for name in quoted_numbers.quoted_names("".join(cell["source"]))
    }
    assert quoted - (book_numbers.read(source) or {}).keys() == set(), "make book-numbers"
