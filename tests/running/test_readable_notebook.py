"""Readable notebooks have their own numbers, a description of the run, and no progress bars; templates are kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from small_project import lmc

from lmc_utils.running import (
    book_numbers,
    commentary,
    notebook_files,
    notebooks,
    quoted_numbers,
    readable_notebook,
    recorded_numbers,
    run_summary,
)

ROOT = Path(__file__).parents[2]
RECORD = {"metadata": {"scrapbook": {"name": "width"}}, "data": {"application/papermill.record/text/plain": "64.0"}}


def stream(text: str, name: str = "stderr") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def executed(*prose: str, outputs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": f"m{place}", "metadata": {}, "source": text} for place, text in enumerate(prose)
    ]
    record = {"output_type": "display_data", **RECORD}
    cells.append(
        {
            "cell_type": "code",
            "execution_count": 1,
            "id": "c",
            "metadata": {},
            "outputs": [record, *(outputs or [])],
            "source": "1",
        }
    )
    about = {"papermill": {"end_time": "2026-01-02T03:04:05", "duration": 6.7}}
    return {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def told(notebook: dict[str, Any], given: dict[str, Any], tmp_path: Path) -> list[str]:
    book = {"epochs": 40, "widths": [64]}
    found = readable_notebook.make_readable(notebook, given, book=book, source=tmp_path / "notebooks" / "02_x.ipynb")
    return ["".join(cell["source"]) for cell in found["cells"]]


def test_the_first_cell_says_what_was_run(tmp_path: Path) -> None:
    first = told(executed("# T"), {"epochs": 10, "widths": [64]}, tmp_path)[0]
    assert "finished 2026-01-02 03:04 UTC, 7 seconds" in first
    assert "| `epochs` | `40` | `10` |" in first
    assert "widths" not in first
    same = "All parameters are as in the book."
    assert same not in told(executed("# T"), {"epochs": 40}, tmp_path)[0], "it is no chapter"
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "02_x.ipynb").touch()
    assert same in told(executed("# T"), {"epochs": 40}, tmp_path)[0]


def test_versions_are_shown_only_for_a_fresh_run(tmp_path: Path) -> None:
    source, ran = tmp_path / "notebooks" / "02_x.ipynb", executed("# T")
    now = readable_notebook.make_readable(ran, {}, book={}, source=source)
    assert "torch " in now["cells"][0]["source"]
    assert (
        "torch "
        not in readable_notebook.make_readable(ran, {}, book={}, source=source, just_run=False)["cells"][0]["source"]
    )
    now["cells"][0]["source"] = "**A run**, torch 1.0."
    assert (
        readable_notebook.make_readable(now, {}, book={}, source=source, just_run=False)["cells"][0]["source"]
        == "**A run**, torch 1.0."
    )


def keep_book_numbers(tmp_path: Path, **numbers: float | None) -> None:
    folder = tmp_path / book_numbers.FOLDER
    folder.mkdir(parents=True)
    (folder / "02_x.json").write_text(json.dumps({"numbers": numbers}))


def test_commentary_keeps_the_numbers_of_the_book_in_a_rerun_with_other_parameters(tmp_path: Path) -> None:
    keep_book_numbers(tmp_path, width=8.0)
    first, text = told(executed("**What we see.** {glue:text}`width:.0f` units."), {"epochs": 1}, tmp_path)[:2]
    assert "| width | 64 |" in first
    assert commentary.SUMMARY in text
    assert "8 units" in text


@pytest.mark.parametrize(("width", "folds"), [(64.0, False), (8.0, True), (None, True)])
def test_a_rerun_with_the_books_parameters_folds_only_what_would_read_differently(
    tmp_path: Path, width: float | None, folds: bool
) -> None:
    keep_book_numbers(tmp_path, width=width)
    text = told(executed("**What we see.** {glue:text}`width:.0f` units."), {}, tmp_path)[1]
    assert (commentary.SUMMARY in text) is folds
    assert "64" not in text if folds else text == "**What we see.** 64 units."


def test_a_notebook_without_numbers_of_the_book_quotes_its_own_unless_parameters_differ(tmp_path: Path) -> None:
    same, other = (told(executed("{glue:text}`width:.0f` units."), given, tmp_path)[1] for given in ({}, {"epochs": 1}))
    assert same == "64 units."
    assert "– units." in other


def test_the_box_has_the_numbers_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_box(notebook: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
        box = {"cell_type": "markdown", "id": "lmc-box", "metadata": {}, "source": "{glue:text}`width:.0f` units"}
        return {**notebook, "cells": [*notebook["cells"], box]}

    monkeypatch.setattr(readable_notebook, "with_box", with_box)
    keep_book_numbers(tmp_path, width=8.0)
    assert told(executed("# T"), {"epochs": 10}, tmp_path)[-1] == "64 units"


def test_foreign_records_and_metadata_are_ignored(tmp_path: Path) -> None:
    word = {"output_type": "display_data", "metadata": {"scrapbook": {"name": "w"}}}
    word["data"] = {"application/papermill.record/text/plain": "'a word'"}
    notebook = executed("{glue:text}`w`, {glue:text}`width:.0f`", outputs=[word])
    notebook["cells"][0]["metadata"] = {"lmc": "mine"}
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "references.bib").write_text("@misc{a, author=")
    assert told(notebook, {}, tmp_path)[1] == "–, 64"


def test_only_progress_bars_are_removed(tmp_path: Path) -> None:
    bar = "training:  50%|#####     | 1/2 [00:01<00:01,  1.0s/epoch]\rtraining: 100%|##########| 2/2 [00:02<00:00]\n"
    outputs = [stream(bar), stream("UserWarning: half of it\n"), stream("50%| of it\n", "stdout")]
    found = readable_notebook.make_readable(
        executed("# T", outputs=outputs), {}, book={}, source=tmp_path / "02_x.ipynb"
    )
    assert [each.get("text") for each in found["cells"][-1]["outputs"]] == [
        None,
        outputs[1]["text"],
        outputs[2]["text"],
    ]


def test_the_template_keeps_the_executed_cells(tmp_path: Path) -> None:
    before = executed("# T {cite:p}`a`", "plain", "{glue:text}`width`")
    before["cells"][1]["metadata"] = {"lmc": {"exercises": "x"}}
    once = readable_notebook.make_readable(before, {"epochs": 1}, book={}, source=tmp_path / "02_x.ipynb")
    assert [cell["source"] for cell in readable_notebook.original(once)["cells"]] == [
        cell["source"] for cell in before["cells"]
    ]
    assert [cell["metadata"] for cell in readable_notebook.original(once)["cells"]] == [
        cell["metadata"] for cell in before["cells"]
    ]
    twice = readable_notebook.make_readable(once, {"epochs": 1}, book={}, source=tmp_path / "02_x.ipynb")
    assert twice == once


def test_equations_are_numbered_by_chapter(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    other = executed("```{math}\n:label: eq-far\ny\n```")
    (folder / "01_far.ipynb").write_text(json.dumps(other))
    cells = told(executed("```{math}\n:label: eq-x\nx\n```\n{eq}`eq-x` and {eq}`eq-far`"), {}, tmp_path)
    assert cells[1] == "$$\nx \\tag{2.1}\n$$\n(2.1) and (1.1)"


@pytest.mark.parametrize("path", notebooks.notebook_paths(ROOT / "notebooks"), ids=lambda path: path.stem)
def test_every_chapter_is_readable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = notebook_files.read(path)
    text = "\n".join("".join(cell["source"]) for cell in source["cells"] if cell["cell_type"] == "markdown")
    monkeypatch.setattr(
        recorded_numbers,
        "recorded_texts",
        lambda notebook: [(name, "1.5") for name in quoted_numbers.quoted_names(text)],
    )
    told = readable_notebook.make_readable(source, {}, book={}, source=path)
    cells = ["".join(cell["source"]) for cell in told["cells"] if cell["cell_type"] == "markdown"]
    roles = r"\{[a-z:]+\}`|```\{|\]\([^h#][^)]*\.(?:md|ipynb)|\((?:eq|fig)-"
    assert [found for cell in cells for found in re.findall(roles, cell)] == []


def test_a_chapter_with_other_forks_opens_with_its_own_numbers(tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    source = ROOT / "notebooks" / "02_sibling_forking.ipynb"
    done = lmc("run", source, "--preset", "smoke", "-p", "fork_epochs", "[0, 3]", "-o", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    notebook = notebook_files.read(out)
    first, *text = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert first.startswith("**Rerun of chapter 2** (`02_sibling_forking`), finished")
    own = run_summary.number_tables(recorded_numbers.recorded(notebook))
    assert own in first
    assert "| number | fork 0 | fork 3 |" in own
    assert "{glue" not in "".join(text)
    seen = [each for each in text if "**What we see.**" in each]
    assert seen
    assert all(f"<summary>{commentary.SUMMARY}</summary>\n\n**What we see.**" in each for each in seen)
