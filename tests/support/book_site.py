"""Pages of the built book in a browser that is blocked from other hosts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, Route

ROOT = Path(__file__).parents[2]
TOC: dict[str, Any] = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
ENTRIES = [
    entry for part in TOC["parts"] for chapter in part["chapters"] for entry in (chapter, *chapter.get("sections", ()))
]
FILES = [entry["file"] for entry in ENTRIES]
MODULE = "api/modules/lmc_utils.measure.lines"  # one of the pages that are generated
PAGES = [TOC["root"], *FILES, MODULE]
CHAPTERS = [page for page in FILES if page.startswith("notebooks/")]
IMPATIENT = ".widget-missing { animation: none !important; }"  # otherwise notes appear only after five seconds
DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


def each_page(names: Iterable[str]) -> list[Any]:
    """Parameters of tests, grouped so that one worker opens a page for all of its tests."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(f"page {name}")) for name in names]


def copy_sources(root: Path) -> None:
    """Copy the sources of a book to a separate folder."""
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("notebooks", "modules", "__pycache__"))


@dataclass
class Visit:
    """A page of the book, open in the browser, with the errors while loading it.

    Attributes:
        name: name of the page, without its suffix.
        page: the browser's page.
        host: base URL of the book: http://address or file://folder.
        script_errors: exceptions in scripts, and errors on the console.
        missing: requests within the book that were not answered.
        outside: requests to other hosts, which are blocked.
        answers: all responses for the page, with an empty cache.
    """

    name: str
    page: Page
    host: str
    script_errors: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def open(self) -> Visit:
        self.page.route(re.compile(f"^(?!{re.escape(self.host)}|data:|blob:)"), self._stay_here)
        self.page.on("pageerror", lambda error: self.script_errors.append(str(error)))
        self.page.on("console", self._listen)
        self.page.on("response", self._keep)
        self.page.on("requestfailed", lambda request: self._note(request.url, True))
        self.page.goto(f"{self.host}/{self.name}.html", wait_until="load")
        return self

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def contents(self, selector: str) -> list[str]:
        """As `texts`, including collapsed elements."""
        return self.page.locator(selector).all_text_contents()

    def links(self, selector: str) -> list[str]:
        found: list[str] = self.page.locator(selector).evaluate_all("links => links.map(link => link.href)")
        return found

    def _stay_here(self, route: Route) -> None:
        """Block other hosts."""
        self.outside.append(route.request.url)
        route.abort()

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.script_errors.append(message.text)

    def _keep(self, answer: Response) -> None:
        self.answers.append(answer)
        self._note(answer.url, answer.status >= 400)

    def _note(self, url: str, failed: bool) -> None:
        if failed and url.startswith(self.host):
            self.missing.append(url)


def settled(visit: Visit) -> Visit:
    """Wait until equations are rendered, and show notes at once."""
    visit.page.evaluate("window.MathJax?.startup?.promise")
    visit.page.add_style_tag(content=IMPATIENT)
    return visit


def new_visit(browser: Browser, host: str, name: str) -> Visit:
    """Open a page."""
    return Visit(name, browser.new_page(viewport=DESKTOP), host).open()


def visit_one(browser: Browser, host: str, name: str) -> Iterator[Visit]:
    """Open a page for one test, and close it afterwards."""
    visit = new_visit(browser, host, name)
    yield visit
    visit.page.close()
