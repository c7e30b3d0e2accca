"""Numbers in prose: rows for a run's own forks, and a dash for missing numbers."""

from __future__ import annotations

import pytest

from lmc_utils.running import quoted_numbers

TABLE = """| fork | a | b |
| --- | --- | --- |
| fork 0 | {glue:text}`a_fork_0:.1f` | {glue:text}`b_fork_0:.1f` |
| fork 15 | {glue:text}`a_fork_15:.2f` | hardly any |

| | statement |
| --- | --- |
| 2 | it holds: {glue:text}`a_fork_0:.1f` |
"""


def test_a_table_with_the_books_forks_is_unchanged() -> None:
    assert quoted_numbers.with_fork_rows(TABLE, [0, 15]) == TABLE


def test_rows_are_made_of_the_row_that_quotes_most_and_statements_stay() -> None:
    told = quoted_numbers.with_fork_rows(TABLE, [10, 15]).split("\n")
    assert told[2] == "| fork 10 | {glue:text}`a_fork_10:.1f` | {glue:text}`b_fork_10:.1f` |"
    assert told[3:] == TABLE.split("\n")[3:]


def test_a_row_of_fork_1_is_not_one_of_fork_15() -> None:
    line = "| 1 | {glue:text}`a_fork_1:.1f` of {glue:text}`a_fork_1` |"
    assert quoted_numbers.with_fork_rows(line, [15]) == "| 15 | {glue:text}`a_fork_15:.1f` of {glue:text}`a_fork_15` |"


def test_at_most_three_missing_numbers_are_named_once() -> None:
    text = " ".join(f"{{glue:text}}`n{number}:.1f`" for number in (1, 1, 2, 3, 4, 5))
    told = quoted_numbers.mark_missing(text, "n5".__eq__)
    assert told.startswith("– – – – – {glue:text}`n5:.1f`\n\n")
    assert told.endswith("no number named `n1`, `n2`, `n3` and 1 more.*")


@pytest.mark.parametrize(
    ("quoted", "said"), [("a:.2f", "0.13"), ("a", "0.125"), ("f.ipynb::a:.0f", "7"), ("b:d", "2.5")]
)
def test_numbers_replace_their_names(quoted: str, said: str) -> None:
    assert (
        quoted_numbers.fill_in_numbers(
            f"{{glue:text}}`{quoted}`", {"a": 0.1250001 if ":" in quoted else 0.125, "f.ipynb::a": 7.0, "b": 2.5}
        )
        == said
    )
