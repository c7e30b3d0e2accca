"""Pages that all can read: axe-core finds nothing serious, in the light and in the dark, with nothing folded."""

from __future__ import annotations

from pathlib import Path

import pytest
from accessibility import serious_findings
from book_site import CHAPTERS, MODULE, TOC, each_page, settled, visit_one
from playwright.sync_api import Browser

# One of each kind; `every_page_is_accessible.py` visits all.
KINDS = [TOC["root"], CHAPTERS[1], "glossary", "teaching", MODULE]


@pytest.mark.parametrize("name", each_page(KINDS))
def test_axe_finds_nothing_serious(browser: Browser, host: str, site: Path, name: str) -> None:
    for visit in visit_one(browser, host, name):
        assert serious_findings(settled(visit).page, site.parent / "vendor") == []
