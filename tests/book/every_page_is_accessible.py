"""As `test_accessibility.py`, for every page; part of `make robustness`."""

from __future__ import annotations

from pathlib import Path

from accessibility import serious_findings
from book_site import settled, visit_one
from playwright.sync_api import Browser


def test_axe_finds_nothing_serious_on_any_page(browser: Browser, host: str, site: Path) -> None:
    names = [str(path.relative_to(site).with_suffix("")) for path in sorted(site.rglob("*.html"))]
    found = {
        name: findings
        for name in names
        if name != "index"  # which leads to the intro
        for visit in visit_one(browser, host, name)
        if (findings := serious_findings(settled(visit).page, site.parent / "vendor"))
    }
    assert found == {}
