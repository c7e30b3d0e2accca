"""Pages work without network and server: all other hosts are blocked.

Each page is opened as served, and from a disk the chapters and one page of every other kind.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from book_site import CHAPTERS, IMPATIENT, MODULE, TOC, Visit, each_page, settled, visit_one
from playwright.sync_api import Browser, Response

MEGABYTE = 2**20
VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]'


_sizes: dict[str, int] = {}  # of files that were transferred compressed, by address, as pages share most of them


def compressed_size(answer: Response) -> int:
    if answer.url not in _sizes:
        _sizes[answer.url] = len(gzip.compress(answer.body()))
    return _sizes[answer.url]


class Offline:
    """Checks of every page, however it is opened."""

    def test_a_page_requests_nothing_from_other_hosts(self, visit: Visit) -> None:
        visit.page.wait_for_load_state("networkidle")
        assert visit.outside == []
        assert visit.missing == []
        assert visit.script_errors == []

    def test_every_equation_is_drawn(self, visit: Visit) -> None:
        equations = visit.page.locator("article .math")
        drawn = equations.filter(has=visit.page.locator("mjx-container > svg"))
        assert drawn.count() == equations.count()
        assert visit.page.locator("[data-mjx-error]").count() == 0
        sizes = drawn.locator("mjx-container > svg").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().height)"
        )
        assert all(size > 0 for size in sizes)

    def test_every_widget_is_drawn(self, visit: Visit) -> None:
        views = visit.page.locator(VIEW).count()
        shown = visit.page.locator(".widget-subarea > :not(:empty)")
        if views:
            shown.nth(views - 1).wait_for()
        assert shown.count() == views
        assert visit.page.locator(".jupyter-widgets-error-widget").count() == 0
        assert visit.page.locator(".widget-missing:visible").count() == 0
        assert visit.page.locator("article .lmc-note:visible").count() == 0

    def test_icons_are_drawn(self, visit: Visit) -> None:
        icons = visit.page.locator("button svg[data-icon]")
        heights = icons.evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect().height).filter((each) => each > 0)"
        )
        assert len(heights) >= 4, "sidebar, source, full screen, theme"
        assert visit.page.locator("button:not(.jupyter-button) i[class*=fa-]").count() == 0, "all are drawings by now"
        if visit.page.locator(".jupyter-button i").count():  # glyphs of a font beside the widgets' script
            states = "document.fonts.ready.then((all) => [...all].filter(({ family }) => /Awesome/.test(family)))"
            assert "loaded" in visit.page.evaluate(f"{states}.then((some) => some.map(({{ status }}) => status))")


class TestServed(Offline):
    def test_a_first_visit_transfers_less_than_five_megabytes(self, visit: Visit) -> None:
        """The transfer size of one page, with an empty cache and gzipped responses."""
        visit.page.wait_for_load_state("networkidle")
        weights = {answer.url: compressed_size(answer) for answer in visit.answers if answer.ok}
        assert sum(weights.values()) < 5 * MEGABYTE, weights


class TestOpenedFromDisk(Offline):
    @pytest.fixture(scope="module", params=each_page([TOC["root"], "playground", "findings", MODULE, *CHAPTERS]))
    def visit(self, request: pytest.FixtureRequest, browser: Browser, site: Path) -> Iterator[Visit]:
        yield from map(settled, visit_one(browser, site.as_uri(), request.param))


def with_widgets(site: Path) -> list[str]:
    return [name for name in CHAPTERS if "widget-view+json" in (site / f"{name}.html").read_text()]


@pytest.mark.parametrize("lost", ["require.js", "embed-amd.js", "offline.js", "anywidget.js"])
def test_a_missing_script_is_reported_in_place_of_the_widget(
    browser: Browser, host: str, site: Path, lost: str
) -> None:
    name = with_widgets(site)[0]
    page = browser.new_page()
    page.route(f"**/{lost}*", lambda route: route.abort())
    page.goto(f"{host}/{name}.html")
    page.add_style_tag(content=IMPATIENT)
    page.wait_for_timeout(1_000)  # in case a widget appears after all
    note = page.locator(".widget-missing").filter(visible=True).first
    note.wait_for(timeout=15_000)
    assert "did not load" in note.inner_text()
    assert page.locator("article img").count() > 0
    page.close()


def test_missing_data_is_reported_in_place_of_the_widget(browser: Browser, host: str, site: Path) -> None:
    name = with_widgets(site)[0]
    page = browser.new_page()
    state = '<script type="application/vnd.jupyter.widget-state+json">'
    body = (site / f"{name}.html").read_text().replace(state, state.replace("state", "lost"))
    page.route(f"**/{name}.html", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(f"{host}/{name}.html")
    page.add_style_tag(content=IMPATIENT)
    notes = page.locator(".widget-missing")
    notes.filter(visible=True).nth(notes.count() - 1).wait_for(timeout=15_000)
    page.close()


def test_without_javascript_each_widget_is_replaced_by_a_note(browser: Browser, host: str, site: Path) -> None:
    name = with_widgets(site)[0]
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{host}/{name}.html")
        notes = page.locator(".widget-missing")
        page.wait_for_timeout(6_000)  # they appear after five seconds
        assert notes.count() == page.locator(VIEW).count() == notes.filter(visible=True).count()


def test_the_flip_book_turns_by_slider_and_by_play(browser: Browser, site: Path) -> None:
    for visit in visit_one(browser, site.as_uri(), "notebooks/02_sibling_forking"):
        book = visit.page.locator(".widget-subarea", has=visit.page.locator(".widget-play"))
        frame = book.locator("img")
        last = frame.get_attribute("alt")
        book.get_by_role("slider", name="epoch").press("ArrowLeft")
        visit.page.wait_for_function("last => document.querySelector('.widget-subarea img')?.alt !== last", arg=last)
        book.get_by_role("slider", name="epoch").press("End")
        visit.page.wait_for_function("last => document.querySelector('.widget-subarea img')?.alt === last", arg=last)
        book.get_by_role("button", name="Play or pause").click()
        visit.page.wait_for_function("document.querySelector('.widget-subarea img')?.alt.includes('Epoch 2.')")
        assert frame.evaluate("image => image.naturalWidth") > 400
        assert visit.script_errors == []
