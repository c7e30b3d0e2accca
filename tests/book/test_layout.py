"""Page layout, measured in a real browser at desktop and phone width."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

import pytest
from book_site import CHAPTERS, DESKTOP, PHONE, TOC, Visit, each_page, visit_one
from playwright.sync_api import Browser

FIGURES = "article img, article .widget-subarea"
TOPS = "all => all.map(one => one.getBoundingClientRect().top + scrollY)"
SIDEWAYS = """all => all.filter((one) => one.scrollWidth > one.clientWidth + 1)
                        .map((one) => one.textContent.trim().slice(0, 60))"""
UNFOLD, FOLD = (f"all => all.forEach((one) => (one.open = {which}))" for which in ("true", "false"))


@pytest.fixture(params=each_page([TOC["root"], *CHAPTERS]))
def opening(request: pytest.FixtureRequest, open_page: Callable[[str], Visit]) -> Visit:
    """The intro, and every chapter in turn."""
    return open_page(request.param)


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def unfolded(request: pytest.FixtureRequest, opening: Visit) -> Iterator[Visit]:
    """At both widths, with all sections expanded."""
    opening.page.set_viewport_size(request.param)
    opening.page.locator("article details").evaluate_all(UNFOLD)
    yield opening
    opening.page.locator("article details").evaluate_all(FOLD)


def test_a_page_opens_with_its_picture(opening: Visit) -> None:
    """Before its first section, also on a phone."""
    picture = opening.page.locator(FIGURES).first
    picture.wait_for()  # a widget is drawn when its script has come
    for size in (DESKTOP, PHONE):
        opening.page.set_viewport_size(size)
        (top,) = picture.evaluate_all(TOPS)
        assert top < min(opening.page.locator("article h2").evaluate_all(TOPS), default=math.inf)


def test_equations_do_not_overflow(unfolded: Visit) -> None:
    assert unfolded.page.locator("article div.math, article div.math mjx-container").evaluate_all(SIDEWAYS) == []


def test_code_does_not_overflow_on_a_desktop(opening: Visit) -> None:
    shown = opening.page.locator("article .cell_input pre, article .highlight-bash pre").filter(visible=True)
    assert shown.evaluate_all(SIDEWAYS) == []


def test_the_footer_has_no_authors_or_copyright(opening: Visit) -> None:
    (footer,) = opening.texts("footer.bd-footer-content, footer .bd-footer-content__inner")[:1]
    assert "authors" not in footer
    assert "Copyright" not in footer


def test_recording_cells_are_not_shown(chapter: Visit) -> None:
    code = chapter.contents("article .cell_input pre")
    assert code
    assert [each for each in code if "record(" in each] == []


def test_run_time_and_parameters_are_folded_at_the_end(chapter: Visit) -> None:
    folded = chapter.page.locator("#rerun-this-chapter details.lmc-fold", has_text="Run time and parameters")
    assert folded.count() == 1
    assert folded.get_attribute("open") is None
    said = folded.evaluate("one => one.textContent")
    assert "allowed" in said
    assert "# fmt: off" in said, "the cell of parameters, with their defaults"


def test_a_chapter_opens_with_a_box_of_what_was_run(chapter: Visit) -> None:
    box = chapter.page.locator("article .lmc-box")
    assert box.count() == 1
    assert {"data", "network", "parents", "run time"} <= set(chapter.contents("article .lmc-box td:first-child"))


def test_quoted_numbers_use_minus_signs_and_show_no_python_types(chapter: Visit) -> None:
    assert [number for number in chapter.contents("article .pasted-text") if "-" in number] == []
    assert "np.float64" not in chapter.page.locator("article").evaluate("one => one.textContent")


def test_a_link_into_a_folded_section_unfolds_it(browser: Browser, host: str) -> None:
    for visit in visit_one(browser, host, CHAPTERS[0]):
        inside = "equation-eq-toy-chebyshev"
        part = visit.page.locator(f"details.lmc-fold:has(#{inside})")
        assert part.get_attribute("open") is None
        visit.page.locator(f"a[href='#{inside}']").filter(visible=True).first.click()
        visit.page.wait_for_function("id => document.getElementById(id).closest('details').open", arg=inside)
        assert visit.script_errors == []


def test_a_figure_opens_on_a_phone_at_a_size_that_can_be_read(browser: Browser, host: str) -> None:
    for visit in visit_one(browser, host, CHAPTERS[1]):
        visit.page.set_viewport_size(PHONE)
        opened = visit.page.locator("dialog.lmc-enlarged")
        figures = visit.page.locator("article .cell_output > img").filter(visible=True)
        for figure in figures.all():
            drawn = figure.evaluate("image => fetch(image.src).then((answer) => answer.text())")
            points = 100 * min(map(float, re.findall(r"scale\(([\d.]+) -", drawn)))
            paper = re.search(r'width="([\d.]+)pt"', drawn)
            figure.press("Enter")
            width = opened.locator("img").evaluate("image => image.getBoundingClientRect().width")
            assert paper
            assert points * width / float(paper[1]) >= 9, "pixels of the smallest text"
            left, right = opened.evaluate("it => (({ left, right }) => [left, right])(it.getBoundingClientRect())")
            assert 0 <= left < right <= PHONE["width"]
            visit.page.keyboard.press("Escape")
            opened.wait_for(state="hidden")
            assert figure.evaluate("image => image === document.activeElement"), "the reader is back where they were"
        figures.first.click()
        opened.wait_for()
        opened.get_by_role("button", name="Close").click()
        opened.wait_for(state="hidden")
        assert visit.script_errors == []


def test_the_intro_animation_responds_to_its_slider(browser: Browser, host: str) -> None:
    for visit in visit_one(browser, host, TOC["root"]):
        frame = visit.page.locator(".widget-subarea img").filter(visible=True)
        last = frame.get_attribute("alt")
        visit.page.get_by_role("slider", name="epoch").press("ArrowLeft")
        shown = "[...document.querySelectorAll('.widget-subarea img')].find((one) => one.offsetHeight)"
        visit.page.wait_for_function(f"last => {shown} && {shown}.alt !== last", arg=last)
        assert visit.script_errors == []
