"""The page of the playground shows the playground, and quotes its stored runs."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from playground_page import TABLE, bring_playground, replaced
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from lmc_utils.provenance import CHECKOUT
from lmc_utils.widgets import Playground

STORED = json.loads(TABLE.read_text(encoding="utf-8"))
MADE: dict[str, Any] = {
    "command": "python -m somewhere",
    "date": "2026-03-05",
    "node": "v20.1.0",
    "seeds": [7, 8, 9],
    "runs": {"default": {"0": {"barrier": [1.0, 2.0, 6.3], "error": [4.0, 5.0, 6.0]}}},
}


def test_marks_are_replaced_by_the_numbers_of_the_table() -> None:
    assert replaced(MADE, "over", "default", "0") == "1 of 3"
    assert replaced(MADE, "row", "default", "0") == "1 of 3 | 3.1 | 5.0"
    assert replaced(MADE, "source", None, None) == (
        "seeds 7 to 9, measured on 5 March 2026 with Node 20.1.0 by `python -m somewhere`"
    )
    assert replaced(MADE, "table", None, None).splitlines()[2:] == ["| 0 | 1 of 3 | 3.1 | 5.0 |"]


@pytest.mark.parametrize("mark", [("over", "default", "7"), ("over", "squares", "0"), ("least", "default", "0")])
def test_an_unknown_mark_fails_the_build(mark: tuple[str, str, str]) -> None:
    with pytest.raises(ExtensionError, match=" ".join(mark)):
        replaced(MADE, *mark)


def test_the_page_holds_the_playground_with_a_still_picture_and_no_mark_is_left() -> None:
    files: list[str] = []
    app = SimpleNamespace(env=SimpleNamespace(note_dependency=files.append))
    content = [(CHECKOUT / "book" / "playground.md").read_text(encoding="utf-8")]
    bring_playground(cast("Sphinx", app), "playground", content)
    assert "<!-- playground" not in content[0]
    assert '<img alt="Above, what two copies' in content[0]
    assert "\nfunction playground(" in content[0]
    assert str(TABLE) in files
    assert {name.rpartition(".")[2] for name in files} >= {"js", "css", "html", "py", "json"}


def test_the_stored_runs_are_of_the_present_default_settings() -> None:
    assert STORED["settings"]["default"] == Playground().settings


def test_an_early_fork_has_a_barrier_and_a_late_one_has_none_in_nine_of_ten_seeds() -> None:
    forks = STORED["runs"]["default"]
    assert sum(barrier > 2 for barrier in forks["0"]["barrier"]) >= 9
    assert sum(barrier <= 2 for barrier in forks["40"]["barrier"]) >= 9
    assert min(STORED["runs"]["rate_high"]["0"]["error"]) > 40, (
        "the page says that a very large rate fails in another way"
    )
    assert len(forks["0"]["barrier"]) == len(forks["40"]["barrier"]) == 10
