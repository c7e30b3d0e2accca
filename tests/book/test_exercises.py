"""Exercises on a page are numbered, with collapsed solutions and a download without solutions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import exercises as extension
import pytest
from book_site import CHAPTERS, Visit, visit_one
from playwright.sync_api import Browser

from lmc_utils.classroom.exercise_lookup import CHAPTERS as PREFIXES
from lmc_utils.classroom.exercise_lookup import chapter_exercises

ROOT = Path(__file__).parent.parent.parent
PREFIX_OF = dict(zip(CHAPTERS, PREFIXES, strict=True))


@pytest.fixture
def names(chapter: Visit) -> list[str]:
    """The exercises of the chapter."""
    return list(chapter_exercises(PREFIX_OF[chapter.name]))


def test_exercises_are_complete_ordered_and_numbered_by_chapter(chapter: Visit, names: list[str]) -> None:
    ids = chapter.page.locator(".exercise").evaluate_all("all => all.map(({ id }) => id)")
    assert ids == [f"exercise-{name}" for name in names]
    number = CHAPTERS.index(chapter.name) + 1
    titles = chapter.texts(".exercise .admonition-title")
    assert [title.partition(" (")[0] for title in titles] == [
        f"Exercise {number}.{row}" for row in range(1, len(names) + 1)
    ]
    assert all(name in text for name, text in zip(names, chapter.texts(".exercise"), strict=True))


@pytest.mark.parametrize("page", CHAPTERS)
def test_every_solution_passes_its_own_check(site: Path, page: str) -> None:
    source = next((ROOT / "notebooks" / "exercises").glob(f"{Path(page).stem[:2]}_*.ipynb"))
    executed = json.loads((site.parents[1] / "book" / "notebooks" / "exercises" / source.name).read_text())
    said = {
        each["metadata"]["nbgrader"]["grade_id"]: "".join(output["data"]["text/plain"])
        for each in executed["cells"]
        for output in each.get("outputs", [])
        if each["metadata"].get("nbgrader", {}).get("grade_id", "").endswith("-test")
    }
    assert len(said) == len(chapter_exercises(PREFIX_OF[page]))
    assert all(line.startswith(f"✓ {name.removesuffix('-test')} · right.") for name, line in said.items()), said


def test_solutions_unfold_by_keyboard_or_mouse(chapter: Visit, names: list[str]) -> None:
    for name in names:
        solution = chapter.page.locator(f"#solution-{name}")
        verdict = solution.locator(".cell_output", has_text=f"✓ {name} · right.")
        assert verdict.count() == 1
        assert not verdict.is_visible()
        fold = solution.get_by_role("button", name="Toggle hidden content")
        if name == names[0]:
            fold.press("Enter")
        else:
            title = solution.locator(".admonition-title").first
            assert title.locator("a").count() == 0, "which would lead away"
            title.click()
        verdict.wait_for(state="visible")
        assert solution.locator(".cell_input").first.is_visible()


def test_hidden_tests_and_solution_markers_are_not_published(chapter: Visit) -> None:
    text = chapter.page.content()
    assert "HIDDEN TESTS" not in text
    assert "require_correct" not in text
    assert "SOLUTION" not in text


def test_the_downloadable_notebook_has_no_solutions(chapter: Visit, names: list[str]) -> None:
    (address,) = [link for link in chapter.links("a.download") if link.endswith("_exercises.ipynb")]
    downloaded = json.loads(chapter.page.request.get(address).body())
    sources = ["".join(cell["source"]) for cell in downloaded["cells"]]
    assert sum("raise NotImplementedError()" in source for source in sources) >= len(names)
    assert "BEGIN" not in json.dumps(downloaded)
    assert all(cell.get("outputs", []) == [] for cell in downloaded["cells"])


def test_the_teaching_page_lists_the_run_time_of_each_notebook(browser: Browser, host: str) -> None:
    for visit in visit_one(browser, host, "teaching"):
        table = visit.page.locator("table", has_text="01_toy_exercises")
        seconds = table.locator("tbody tr td:nth-child(3), tbody tr td:nth-child(5)").all_inner_texts()
        assert len(seconds) == 2 * len(CHAPTERS)
        assert all(text.isdigit() for text in seconds)


def cell(kind: str, source: str, grade_id: str = "", **metadata: Any) -> dict[str, Any]:
    marked = {"nbgrader": {"grade_id": grade_id}} if grade_id else {}
    return {"cell_type": kind, "source": source, "metadata": marked | metadata, "id": grade_id or "x"}


def test_cells_become_exercise_and_solution_directives() -> None:
    cells = [
        cell("markdown", "# Opening"),
        cell("code", "import numpy", "x-setup"),
        cell("markdown", "## x-1 · A title\n\nDo it. (2 points)", "x-1-task"),
        cell("code", "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION", "x-1"),
        cell("code", "### BEGIN HIDDEN TESTS\nassert f()\n### END HIDDEN TESTS\ncheck('x-1', f)", "x-1-test"),
        cell("markdown", "Because.", tags=["explanation"]),
        cell("markdown", "## x-2 · Another\n\n::::{note}\nMind.\n::::\n\nDo. (1 point)", "x-2-task"),
    ]
    assert [each["source"] for each in extension.as_page(cells)] == [
        "import numpy",
        ":::{exercise} A title\n:label: exercise-x-1\n\nDo it. (`x-1`, 2 points)\n:::",
        "```{solution-start} exercise-x-1\n:label: solution-x-1\n:class: dropdown\n```",
        "def f():\n    return 1",
        "check('x-1', f)",
        "Because.",
        "```{solution-end}\n```",
        ":::::{exercise} Another\n:label: exercise-x-2\n\n::::{note}\nMind.\n::::\n\nDo. (`x-2`, 1 point)\n:::::",
        "```{solution-start} exercise-x-2\n:label: solution-x-2\n:class: dropdown\n```",
        "```{solution-end}\n```",
    ]
