"""Feedback: each student gets their own work without hidden tests, the teacher a summary."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lmc_utils.classroom.grading import GradedSubmission
from lmc_utils.classroom.submission_marks import Marks
from lmc_utils.classroom.submissions import Submission
from lmc_utils.publishing import feedback, markdown_html

STEM = "01_toy_exercises"
MARKS = Marks({"toy-1": 1.0, "toy-2": 0.0}, {"toy-1": 1.0, "toy-2": 2.0}, ["toy-2: Mind the <chord> *squared*."])

TASK = "## toy-2 · Further apart\n\nHow *high* is $f(x)$ at `x`? (2 points)"


def graded(name: str, marks: Marks = MARKS, executed: Path | None = None, **more: str) -> GradedSubmission:
    notebook = None if more.get("remark") else STEM
    return GradedSubmission(
        Submission(name, Path(name), b"", notebook, more.get("remark", ""), later=more.get("later", "")),
        marks,
        executed,
    )


def executed(folder: Path) -> Path:
    def cell(name: str, source: str) -> dict[str, object]:
        said = [{"output_type": "stream", "name": "stdout", "text": "### BEGIN HIDDEN TESTS"}]
        return {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": name}}, "source": source, "outputs": said}

    cells = [
        {**cell("toy-2-task", TASK), "cell_type": "markdown"},
        cell("toy-2", "answer = '<b>'"),
        cell("toy-2-test", "secret()"),
        cell("", "mine()"),
    ]
    (folder / "done.ipynb").write_text(json.dumps({"cells": cells}))
    return folder / "done.ipynb"


def test_a_page_has_points_hint_and_answer_but_no_hidden_tests(tmp_path: Path) -> None:
    (page,) = feedback.write(tmp_path / "pages", [graded(f"ann/{STEM}.ipynb", executed=executed(tmp_path))])
    text = page.read_text()
    assert page.name == "ann.html"
    assert "1 of 3 points" in text
    assert "<h3>toy-1 (1 of 1 points)</h3></section>" in text, "no hint for a correct answer"
    _, _, toy_2 = text.partition("<h3>toy-2 · Further apart (0 of 2 points)</h3><p>How <em>high</em> is ")
    task, _, rest = toy_2.partition("</p>")
    assert task.startswith('<svg role="img" aria-label="f(x)" ')
    assert task.endswith("</svg> at <code>x</code>?")
    assert rest.strip().startswith(
        "<pre><code>answer = &#x27;&lt;b&gt;&#x27;</code></pre>"
        "<p><b>Hint:</b> Mind the &lt;chord&gt; <em>squared</em>.</p>"
    )
    assert "secret" not in text
    assert "HIDDEN" not in text


UNTRUSTED = "<img src=x onerror=alert(1)> [a](javascript:alert(1)) ![b](http://c.d/e.png) <http://f.g> $x$ `<i>`"


def test_text_of_a_student_is_shown_and_not_interpreted(tmp_path: Path) -> None:
    marks = Marks(
        {"toy-1": 0.0}, {"toy-1": 1.0}, [f"toy-1: {UNTRUSTED}", f"Your function fails: ValueError: __a__ {UNTRUSTED}"]
    )
    (page,) = feedback.write(tmp_path, [graded("ann/a.ipynb", marks)])
    text = page.read_text()
    assert not re.search(r"<(?:img|a|svg|i|strong)\b", text)
    assert text.count("[a](javascript:alert(1)) ![b](http://c.d/e.png) &lt;http://f.g&gt; $x$") == 2
    assert "ValueError: __a__ &lt;img" in text


def test_markdown_of_a_task_is_limited_too() -> None:
    shown = markdown_html.block_html(f"{UNTRUSTED} [h](https://i.j)\n\n<script>alert(1)</script>")
    assert set(re.findall(r"<(\w+)", shown)) == {"p", "a", "svg", "path", "code"}
    assert set(re.findall(r'href="(.*?)"', shown)) == {"http://c.d/e.png", "http://f.g", "https://i.j"}


def test_equations_of_all_tasks_are_drawn() -> None:
    for source in (Path(__file__).parents[2] / "notebooks" / "exercises").glob("*.ipynb"):
        for cell in json.loads(source.read_text())["cells"]:
            if cell["cell_type"] == "markdown" and "nbgrader" in cell["metadata"]:
                shown = markdown_html.block_html("".join(cell["source"]))
                assert "$" not in shown
                assert "<code>\\" not in shown, "an equation that could not be drawn"


def test_some_points_come_with_a_hint(tmp_path: Path) -> None:
    marks = Marks(
        {"toy-3": 1.0}, {"toy-3": 2.0}, ["toy-3: 1 of 2 parts right (✓ a number, ✗ an array). Mind the axis."]
    )
    (page,) = feedback.write(tmp_path, [graded("ann/a.ipynb", marks)])
    assert (
        "toy-3 (1 of 2 points)</h3><p><b>Hint:</b> 1 of 2 parts right (✓ a number, ✗ an array). Mind"
        in page.read_text()
    )


def test_each_student_has_one_page_for_all_notebooks(tmp_path: Path) -> None:
    names = [f"ann/{STEM}.ipynb", "ann/02 more.ipynb", "a b.ipynb", "a_b.ipynb", "group/ann.ipynb", "group/ben.ipynb"]
    pages = feedback.write(tmp_path, [graded(name) for name in names])
    assert sorted(page.name for page in pages) == [
        *("a_b.html", "a_b_.html", "ann.html", "ann_02_more.html", "group_ann.html", "group_ben.html"),
    ]
    assert len({page.read_text() for page in pages}) == len(pages)


def test_no_page_replaces_another_where_capitals_are_equal(tmp_path: Path) -> None:
    for _ in range(2):  # pages of the same names are replaced
        pages = feedback.write(tmp_path, [graded("Ann O'Hara/x.ipynb"), graded("ann o'hara/x.ipynb")])
        assert len({page.name.casefold() for page in pages}) == len(list(tmp_path.iterdir())) == 2


def test_names_cannot_escape_the_folder(tmp_path: Path) -> None:
    names = ["../../x.ipynb", "..ipynb", "<script>/a.ipynb", f"{'long' * 90}.ipynb"]
    pages = feedback.write(tmp_path / "pages", [graded(name) for name in names])
    assert {page.parent for page in pages} == {tmp_path / "pages"}
    assert not any("<script" in page.read_text() for page in pages)


def test_unreadable_submissions_are_listed_and_earlier_versions_are_not(tmp_path: Path) -> None:
    wrong = graded("ben/letter.docx", Marks(), remark="not a notebook")
    earlier = graded("ann/old (1).ipynb", Marks(), remark="an earlier version", later="ann/old.ipynb")
    all_of_them = [graded("ann/old.ipynb"), earlier, wrong]
    pages = feedback.write(tmp_path / "pages", all_of_them)
    assert [page.name for page in pages] == ["ann_old.html", "ben.html"]
    assert "not a notebook" in pages[1].read_text()
    feedback.write_summary(tmp_path / "class.html", all_of_them)
    text = (tmp_path / "class.html").read_text()
    assert "1 submissions were marked, 1 files could not be" in text
    assert "<td>toy-2</td><td>0</td><td>1</td><td>0</td><td>1 × Mind the &lt;chord&gt; *squared*.</td>" in text
