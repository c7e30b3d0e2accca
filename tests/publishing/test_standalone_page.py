"""A page in one file."""

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
    with pytest.raises(ParameterError, match=r"^html: expected a name that ends in \.html, got 'x\.pdf'$"):
        standalone_page.require_html_name(Path("x.pdf"))
