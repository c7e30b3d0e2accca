"""Self-contained pages."""

from pathlib import Path

import pytest

from lmc_utils.publishing import standalone_page
from lmc_utils.settings import ParameterError


def test_a_page_holds_its_title_as_text_and_its_picture(tmp_path: Path) -> None:
    page = tmp_path / "x.html"
    standalone_page.write(page, "a < b", "<p>of a</p>")
    text = page.read_text()
    assert "<h1>a &lt; b</h1>" in text
    assert "<p>of a</p>" in text
    assert "<script" not in text


def test_the_output_name_must_end_in_html() -> None:
    standalone_page.require_html_name(None)
    with pytest.raises(ParameterError, match=r"^html must be a file name ending in \.html \(got 'x\.pdf'\)$"):
        standalone_page.require_html_name(Path("x.pdf"))


def test_a_page_that_cannot_be_written_is_rejected_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "old.html").write_text("old")
    standalone_page.require_html_name(tmp_path / "old.html")
    standalone_page.require_html_name(tmp_path / "new.html")
    (tmp_path / "folder.html").mkdir()
    for page, line in (
        (tmp_path / "no" / "x.html", r"html: no such folder: .* create it first"),
        (tmp_path / "folder.html", r"html must be the name of a file, not of a folder \(got .*"),
        (tmp_path / f"{'x' * 250}.html", r"html: cannot write .* File name too long"),
        (Path("/proc/x.html"), r"html: cannot write '/proc/x.html': No such file or directory"),
    ):
        with pytest.raises(ParameterError, match=f"^{line}"):
            standalone_page.require_html_name(page)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder.html", "old.html"]
    assert (tmp_path / "old.html").read_text() == "old"
