"""The PDF has the outline and text of every page and rendered equations; failures give one line."""

from __future__ import annotations

from pathlib import Path

import pypdf
import pytest
from small_project import lmc, write_book, write_notebook

from lmc_utils.publishing import pdf
from lmc_utils.settings import ParameterError


def titles(outline: list[object]) -> list[str]:
    found: list[str] = []
    for entry in outline:
        found += titles(entry) if isinstance(entry, list) else [str(entry.title)]  # type: ignore[attr-defined]
    return found


@pytest.mark.usefixtures("browser_program")
def test_the_book_is_printed_with_its_outline(tmp_path: Path) -> None:
    write_book(tmp_path, first="print(6 * 7)", second="count")
    (tmp_path / "book" / "intro.md").write_text("# Welcome\n\n$$ x^2 + y^2 = z^2 $$\n\n## A part\n")
    assert lmc("build", cwd=tmp_path).returncode == 0
    done = lmc("pdf", "-o", "sub/my.pdf", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "sub/my.pdf"
    book = pypdf.PdfReader(tmp_path / "sub" / "my.pdf")
    text = "".join(page.extract_text() for page in book.pages)
    assert "Welcome" in text
    assert "42" in text
    names = titles(book.outline)
    assert all(any(word in name for name in names) for word in ("Welcome", "A part", "first", "second"))


def test_missing_executed_notebooks_are_a_one_line_error(tmp_path: Path) -> None:
    write_book(tmp_path, first="1")
    done = lmc("pdf", cwd=tmp_path)
    assert done.returncode == 2
    assert "run `lmc build` first" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_output_path_without_pdf_suffix_is_rejected(tmp_path: Path) -> None:
    done = lmc("pdf", "-o", "book.html", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "lmc: out must be a file name ending in .pdf (got 'book.html')\n")


def test_a_missing_browser_is_reported_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_notebook(tmp_path / "book" / "notebooks" / "first.ipynb")
    monkeypatch.setattr("lmc_utils.publishing.browser.find", lambda: None)
    with pytest.raises(ParameterError, match=r"^no Chromium, Chrome or Edge found; try `apt-get install"):
        pdf.write(tmp_path, tmp_path / "book.pdf")
    assert not (tmp_path / "_build").exists()
