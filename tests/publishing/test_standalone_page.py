"""Self-contained pages."""

from pathlib import Path

from lmc_utils.publishing import standalone_page


def test_a_page_holds_its_title_as_text_and_its_picture(tmp_path: Path) -> None:
    page = tmp_path / "x.html"
    standalone_page.write(page, "a < b", "<p>of a</p>")
    text = page.read_text()
    assert "<h1>a &lt; b</h1>" in text
    assert "<p>of a</p>" in text
    assert "<script" not in text
