"""Commentary on the book's run is told from explanation, and folded."""

from __future__ import annotations

import pytest

from lmc_utils.running.commentary import SUMMARY, fold

SEEN = "**What we see.** {glue:text}`a:.0f` units.\n\n| fork | b |\n| --- | --- |\n| 0 | {glue:text}`b` |\n\nSo it is."


def open_and_folded(text: str, *, a: float = 1, other_parameters: bool = True) -> tuple[str, list[str]]:
    """What is open, and each folded part."""
    parts = fold(text, {"a": a}, {"a": 2, "c": 3}, other_parameters=other_parameters).split("<details")
    folded = [part.partition("</summary>")[2].partition("</details>") for part in parts[1:]]
    return "".join([parts[0], *(after for *_, after in folded)]).strip(), [inside.strip() for inside, *_ in folded]


@pytest.mark.parametrize("rest", ["## Next\n\nThe idea.", "Now all. **What to\nlook for.** Dots?", "# a\nb"])
def test_commentary_ends_at_a_heading_and_at_a_question(rest: str) -> None:
    shown, (folded,) = open_and_folded(f"The idea.\n\n{SEEN}\n\n{rest}")
    assert shown.split() == f"The idea. {rest}".split()
    assert folded.startswith("**What we see.** 2 units.")
    assert "| 0 | – |\n\nSo it is.\n\n*–: not recorded in the book's run.*" in folded


def test_without_the_books_numbers_the_commentary_says_so() -> None:
    said = fold(SEEN, {"a": 1}, {}, other_parameters=True)
    assert "*–: no numbers are stored of the book's run.*" in said


def test_a_mark_begins_commentary_that_quotes_nothing() -> None:
    assert open_and_folded("## A\n\n<!-- commentary -->\n\nIt is so.") == ("## A", ["<!-- commentary -->\n\nIt is so."])


def test_a_fence_is_not_divided() -> None:
    fence = "```{admonition} Mind\n# {glue:text}`a`\n\n**What we see.** x\n```"
    assert open_and_folded(f"A.\n\n{fence}\n\nB.") == ("A.\n\n\n\nB.", [fence.replace("{glue:text}`a`", "2")])


def test_explanation_is_folded_only_where_its_numbers_read_differently() -> None:
    text = "With {glue:text}`a:.0f` parents.\n\nAs before."
    assert open_and_folded(text, a=2.1) == ("With 2 parents.\n\nAs before.", [])
    assert open_and_folded(text, a=7) == ("As before.", ["With 2 parents."])


def test_with_the_books_parameters_commentary_is_open_as_a_whole_or_not_at_all() -> None:
    text = "**What we see.** {glue:text}`a:.0f`.\n\nSo it is."
    assert open_and_folded(text, a=2.1, other_parameters=False) == ("**What we see.** 2.\n\nSo it is.", [])
    assert open_and_folded(text, a=7, other_parameters=False) == ("", ["**What we see.** 2.\n\nSo it is."])
    assert SUMMARY in fold(text, {}, {"a": 2}, other_parameters=False)
