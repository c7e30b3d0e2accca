"""The book as a reader meets it: every page in a real browser, built from notebooks that have just run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Page, Route

ROOT = Path(__file__).parent.parent.parent
TOC: dict[str, Any] = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
FILES = [entry["file"] for part in TOC["parts"] for entry in part["chapters"]]
PAGES = [TOC["root"], *FILES]
CHAPTERS = [page for page in FILES if page.startswith("notebooks/")]
DESKTOP, PHONE = (1280, 800), (390, 844)

pytestmark = pytest.mark.xdist_group("book")  # build it once


@dataclass
class Visit:
    """A page of the book, open in the browser, and what went wrong on the way."""

    name: str
    page: Page
    host: str
    script_errors: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def open(self) -> Visit:
        self.page.route("**/*", self._stay_here)
        self.page.on("pageerror", lambda error: self.script_errors.append(str(error)))
        self.page.on("response", lambda answer: self._note(answer.url, answer.status >= 400))
        self.page.on("requestfailed", lambda request: self._note(request.url, True))
        self.page.goto(f"{self.host}/{self.name}.html", wait_until="load")
        return self

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def links(self, selector: str) -> list[str]:
        found: list[str] = self.page.locator(selector).evaluate_all("links => links.map(link => link.href)")
        return found

    def _stay_here(self, route: Route) -> None:
        """Other hosts are not reached, whatever the network allows."""
        if route.request.url.startswith(self.host):
            route.continue_()
        else:
            route.abort()

    def _note(self, url: str, failed: bool) -> None:
        if failed and url.startswith(self.host):
            self.missing.append(url)


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a copy of the book, built with the smoke preset."""
    root = tmp_path_factory.mktemp("book")
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("notebooks", "__pycache__"))
    command = [sys.executable, "-m", "lmc_utils.cli", "build", "--root", str(root), "--preset", "smoke"]
    environment = os.environ | {"LMC_RUNS": str(root / "_runs")}
    built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr

    handler = partial(Quiet, directory=str(root / "_build" / "html"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """A file server that does not talk."""

    def log_message(self, *args: object) -> None:
        pass


def visit_one(browser: Browser, host: str, name: str) -> Iterator[Visit]:
    page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    yield Visit(name, page, host).open()
    page.close()


@pytest.fixture(scope="module", params=PAGES)
def visit(request: pytest.FixtureRequest, browser: Browser, host: str) -> Iterator[Visit]:
    yield from visit_one(browser, host, request.param)


@pytest.fixture(scope="module", params=CHAPTERS)
def chapter(request: pytest.FixtureRequest, browser: Browser, host: str) -> Iterator[Visit]:
    yield from visit_one(browser, host, request.param)


def test_the_address_alone_leads_to_the_intro(browser: Browser, host: str) -> None:
    for visit in visit_one(browser, host, "index"):
        visit.page.wait_for_url(f"{host}/{TOC['root']}.html")


def test_scripts_run_without_an_error(visit: Visit) -> None:
    assert visit.script_errors == []


def test_nothing_of_the_page_is_missing(visit: Visit) -> None:
    assert visit.missing == []


def test_a_page_has_one_title(visit: Visit) -> None:
    (title,) = visit.texts("article h1")
    assert title.strip("# \n")


def test_links_within_the_book_lead_somewhere(visit: Visit) -> None:
    within = {link.partition("#")[0] for link in visit.links("a[href]") if link.startswith(visit.host)}
    broken = [link for link in within if not visit.page.request.get(link).ok]
    assert broken == []


def test_no_markup_is_left_over(visit: Visit) -> None:
    prose = "\n".join(visit.texts("article :is(p, li, th, td)"))
    assert re.findall(r"\{[a-z:]+\}`|\$.+\$", prose) == []


def test_there_is_one_search_bar(visit: Visit) -> None:
    assert visit.page.locator(".search-button-field:visible").count() == 1


def test_a_phone_shows_the_whole_width(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    try:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    finally:
        visit.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})


def test_figures_are_drawn_and_told_in_words(chapter: Visit) -> None:
    figures = chapter.page.locator("article img")
    assert figures.count() > 0
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        figure.evaluate("image => image.decode()")
        assert figure.evaluate("image => image.naturalWidth") > 0
        assert " " in (figure.get_attribute("alt") or ""), "Sphinx puts the file's name where there is no alt text"


def test_quoted_results_are_numbers(chapter: Visit) -> None:
    quoted = chapter.texts("article .pasted-text")
    assert quoted
    assert [text for text in quoted if not re.fullmatch(r"-?[\d,]*\.?\d+(e[+-]\d+)?%?", text)] == []


def test_equations_are_there_and_numbered(chapter: Visit) -> None:
    equations = chapter.texts("article div.math")
    assert equations
    assert all(re.search(r"\(\d+\.\d+\)", equation) for equation in equations)


def test_the_download_is_the_source_without_outputs(chapter: Visit) -> None:
    (address,) = chapter.links("a.btn-download-source-button")
    downloaded = chapter.page.request.get(address).body()
    assert downloaded == (ROOT / f"{chapter.name}.ipynb").read_bytes()
    assert all(not cell.get("outputs") for cell in json.loads(downloaded)["cells"])


def test_launch_buttons_open_the_source_in_the_repository(chapter: Visit) -> None:
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    owner_and_name, branch = repository["url"].removeprefix("https://github.com/"), repository["branch"]
    assert set(chapter.links(".dropdown-launch-buttons a")) == {
        f"https://mybinder.org/v2/gh/{owner_and_name}/{branch}?urlpath=lab/tree/{chapter.name}.ipynb",
        f"https://colab.research.google.com/github/{owner_and_name}/blob/{branch}/{chapter.name}.ipynb",
    }


def test_the_search_finds_a_word_of_a_chapter(browser: Browser, host: str) -> None:
    for visit in visit_one(browser, host, "search"):
        visit.page.goto(f"{host}/search.html?q=barrier")
        visit.page.locator("#search-results li a", has_text="barriers arise").first.wait_for()
        assert visit.script_errors == []
