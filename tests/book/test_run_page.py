"""`lmc page`: a run as one file, opened from disk while all hosts are blocked."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from book_site import CHAPTERS, Visit, settled, visit_one
from playwright.sync_api import Browser
from small_project import lmc

MEGABYTE = 2**20
SHOWN = ".widget-subarea > :not(:empty)"


@pytest.fixture(scope="module")
def pages(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of the first two chapters, executed by papermill, in a separate folder."""
    folder = tmp_path_factory.mktemp("pages")
    root = site.parents[1]
    for name in CHAPTERS[:2]:
        run, page = root / "book" / f"{name}.ipynb", folder / f"{Path(name).name}.html"
        done = lmc("page", run, "-o", page, "--root", root, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


in_one_process = pytest.mark.xdist_group("run pages")  # the pages are written once


@pytest.fixture(scope="module", params=[pytest.param(Path(name).name, marks=in_one_process) for name in CHAPTERS[:2]])
def run_page(request: pytest.FixtureRequest, browser: Browser, pages: Path) -> Iterator[Visit]:
    for visit in visit_one(browser, pages.as_uri(), request.param):
        visit.page.wait_for_function("!document.querySelector('script[data-lmc], img[data-lmc]')")
        yield settled(visit)


def test_a_page_is_self_contained(run_page: Visit, pages: Path) -> None:
    run_page.page.wait_for_load_state("networkidle")
    assert [answer.url for answer in run_page.answers if not answer.url.startswith(("data:", "blob:"))] == [
        run_page.page.url
    ]
    assert (run_page.outside, run_page.missing, run_page.script_errors) == ([], [], [])
    assert (pages / f"{run_page.name}.html").stat().st_size < 5 * MEGABYTE


def test_equations_and_figures_are_drawn(run_page: Visit) -> None:
    equations = run_page.page.locator("article .math")
    assert equations.filter(has=run_page.page.locator("mjx-container > svg")).count() == equations.count() > 0
    assert run_page.page.locator("[data-mjx-error]").count() == 0
    figures = run_page.page.locator("article .cell_output > img").filter(visible=True)
    for figure in figures.all():
        figure.evaluate("image => image.decode()")
        assert figure.evaluate("image => image.naturalWidth") > 0
        assert " " in (figure.get_attribute("alt") or "")


def test_widgets_work(run_page: Visit) -> None:
    views = run_page.page.locator('script[type="application/vnd.jupyter.widget-view+json"]').count()
    shown = run_page.page.locator(SHOWN)
    shown.nth(views - 1).wait_for()
    assert shown.count() == views > 0
    assert run_page.page.locator(".widget-missing:visible").count() == 0


def test_prose_has_no_leftover_markup(run_page: Visit) -> None:
    prose = "\n".join(run_page.texts("article :is(p, li, th, td)"))
    assert re.findall(r"\{[a-z:]+\}`|\$.+\$|\\tag", prose) == []
    assert "Rerun of" in prose
    assert "smoke" not in prose or "parents" in prose, "which parameters differ is told"
    (title,) = run_page.texts("article h1")
    assert title.strip("# \n").endswith("?")


def test_a_run_page_can_be_moved(run_page: Visit, browser: Browser, pages: Path, tmp_path: Path) -> None:
    shutil.copy(pages / f"{run_page.name}.html", tmp_path / "elsewhere.html")
    for visit in visit_one(browser, tmp_path.as_uri(), "elsewhere"):
        visit.page.locator(SHOWN).first.wait_for()
        assert (visit.outside, visit.missing, visit.script_errors) == ([], [], [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "none.ipynb"}, "no such file: none.ipynb"),
        ({"out": "page.txt"}, "out must be a file name ending in .html"),
        ({"root": "nowhere"}, "is not a checkout of the book"),
    ],
)
def test_mistakes_are_one_line_errors(site: Path, tmp_path: Path, change: dict[str, str], said: str) -> None:
    root = site.parents[1]
    named = {"name": str(root / "book" / f"{CHAPTERS[1]}.ipynb"), "out": str(tmp_path / "p.html"), "root": str(root)}
    named |= change
    done = lmc("page", named["name"], "-o", named["out"], "--root", named["root"], cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_notebook_that_was_not_executed_is_rejected(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "notebooks" / "01_toy_landscapes.ipynb"
    assert "papermill" not in json.loads(source.read_text())["metadata"]
    done = lmc("page", source, "-o", tmp_path / "p.html", "--root", source.parents[1], cwd=tmp_path)
    assert done.returncode == 2
    assert "is not an executed notebook; execute it by `lmc run`" in done.stderr
