from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import writes
from nbformat.v4 import new_code_cell, new_notebook, new_output

from lmc_utils.publishing import stated_comparisons
from lmc_utils.publishing.site import Site
from lmc_utils.settings import ParameterError

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
PAGES = [*CHAPTERS, *sorted(path.stem for path in (ROOT / "book").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_every_comparison_of_quoted_numbers_has_its_condition(page: str) -> None:
    path = ROOT / "book" / "comparisons" / f"{page}.yml"
    parts = list(stated_comparisons.read(path)) if path.is_file() else []
    said = stated_comparisons.comparing(stated_comparisons.prose_of(ROOT, page))
    without = [sentence for sentence in said if not any(part in sentence for part in parts)]
    assert not without, "\n".join(without)


def test_conditions_are_judged_on_numbers_as_they_are_printed() -> None:
    prose = "The first, {glue:text}`a:.1f`, is above {glue:text}`b:.1f`."
    conditions = {"The first": "a > b"}
    assert stated_comparisons.unmet(prose, conditions, {"a": 0.34, "b": 0.24}) == []
    assert stated_comparisons.unmet(prose, conditions, {"a": 0.34, "b": 0.31}) == [
        "'The first': a > b does not hold (a = 0.3, b = 0.3)"
    ]
    assert stated_comparisons.unmet(prose, {"The first": "a > c"}, {"a": 1.0}) == [
        "'The first': a > c cannot be evaluated: name 'c' is not defined"
    ]


def test_a_condition_needs_exactly_one_sentence() -> None:
    prose = "It falls to {glue:text}`a`. It rises again.\n\n```python\nIt = falls\n```"
    assert stated_comparisons.unmet(prose, {"It falls": "a < 2"}, {"a": 1.0}) == []
    assert stated_comparisons.unmet(prose, {"It": "a < 2"}, {"a": 1.0}) == [
        "'It' is in 2 sentences, and must be in one"
    ]


def test_sentences_in_admonitions_and_lists_count_and_those_in_code_do_not() -> None:
    markdown = (
        "```{note}\nOne {glue:text}`a` is more.\n```\n- two\n- three\n\n```bash\nfour\n```\n| five |\n\n$x$ is six."
    )
    assert list(stated_comparisons.sentences(markdown)) == [
        "One {glue:text}`a` is more.", "- two", "- three", "$x$ is six."
    ]  # fmt: skip


def test_pages_compare_numbers_of_several_chapters(tmp_path: Path) -> None:
    for name, number in (("01_one", 1.0), ("02_two", 2.0)):
        glued = {
            "metadata": {"scrapbook": {"name": "x"}}, "data": {"application/papermill.record/text/plain": str(number)}
        }  # fmt: skip
        cells = [new_code_cell(outputs=[new_output("display_data", **glued)])]
        path = tmp_path / "book" / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(writes(new_notebook(cells=cells)))
    quoted = [f"{{glue:text}}`notebooks/{name}.ipynb::x:.0f`" for name in ("01_one", "02_two")]
    (tmp_path / "book" / "page.md").write_text(f"{quoted[0]} is less than {quoted[1]}.")
    conditions = tmp_path / "book" / "comparisons" / "page.yml"
    conditions.parent.mkdir()
    for condition, found in (("c01_x < c02_x", 0), ("c01_x > c02_x", 1)):
        conditions.write_text(f'"is less than": {condition}\n')
        assert len(stated_comparisons.unmet_of_book(Site(tmp_path))) == found


def test_a_file_of_another_form_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "page.yml"
    path.write_text("- one\n")
    with pytest.raises(ParameterError, match=r"page\.yml must map parts of sentences to conditions"):
        stated_comparisons.read(path)
