"""Pages of the built book, open in a browser that reaches no other host."""

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
IMPATIENT = ".widget-missing { animation: none !important; }"  # notes keep still for five seconds otherwise
DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


def each_page(names: Iterable[str]) -> list[Any]:
    """Parameters of tests, grouped so that one worker opens a page for all of its tests."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(f"page {name}")) for name in names]


def copy_sources(root: Path) -> None:
    """What a book is built from, in a folder of its own."""
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("notebooks", "modules", "__pycache__"))


@dataclass
class Visit:
    """A page of the book, open in the browser, and what went wrong on the way.

    Attributes:
        name: of the page, without its ending.
        page: in the browser.
        host: where the book is: http://address or file://folder.
        script_errors: what scripts threw or wrote to the console as an error.
        missing: requests within the book that were not answered.
        outside: requests to other hosts; they are stopped.
        answers: all that came for the page, over an empty cache.
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
        """As `texts`, also of what is folded."""
        return self.page.locator(selector).all_text_contents()

    def links(self, selector: str) -> list[str]:
        found: list[str] = self.page.locator(selector).evaluate_all("links => links.map(link => link.href)")
        return found

    def _stay_here(self, route: Route) -> None:
        """Other hosts are not reached, whatever the network allows."""
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
    """With its mathematics drawn, and notes that do not wait."""
    visit.page.evaluate("window.MathJax?.startup?.promise")
    visit.page.add_style_tag(content=IMPATIENT)
    return visit


def new_visit(browser: Browser, host: str, name: str) -> Visit:
    """A page, opened."""
    return Visit(name, browser.new_page(viewport=DESKTOP), host).open()


def visit_one(browser: Browser, host: str, name: str) -> Iterator[Visit]:
    """A page, opened for one test, and closed after it."""
    visit = new_visit(browser, host, name)
    yield visit
    visit.page.close()
