"""The summary of a rerun: its numbers and the outcomes of its claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmc_utils.running import recorded_claims
from lmc_utils.running.run_summary import number_tables, summarise


def test_a_fork_that_a_quantity_lacks_is_a_dash() -> None:
    assert number_tables({"a_b_fork_3": 2e-5, "c_fork_0": 1e4}).split("\n") == [
        "| number | fork 0 | fork 3 |",
        "| --- | ---: | ---: |",
        "| a b | – | 2 × 10⁻⁵ |",
        "| c | 10,000 | – |",
    ]


def test_undefined_numbers_and_names_with_bars_fit_into_a_table() -> None:
    assert number_tables({"a|b": float("nan"), "c": float("inf")}).split("\n")[2:] == [
        r"| a\|b | not defined |",
        "| c | inf |",
    ]


def test_only_a_number_with_both_ends_has_an_interval() -> None:
    told = number_tables({"r": 0.5, "r_low": -0.25, "r_high": 0.75, "s": 1, "s_low": 0})
    assert told.split("\n")[2:] == ["| r | 0.5 [−0.25, 0.75] |", "| s | 1 |", "| s low | 0 |"]


@pytest.mark.parametrize(
    ("source", "changed", "title"),
    [
        ("notebooks/02_x.ipynb", {"seed": 1}, "**Rerun of chapter 2** (`02_x`);"),
        ("notebooks/02_x.ipynb", {}, "**Run of chapter 2** (`02_x`);"),
        ("mine/02_x.ipynb", {"seed": 1}, "**Rerun of `02_x`**;"),
    ],
)
def test_outcomes_of_claims_are_those_of_the_run(source: str, changed: dict[str, int], title: str) -> None:
    claims = [{"statement": "It rains.", "outcome": "fails", "reason": "0 of 3", "evidence": []}]
    executed = {"cells": [{"outputs": [{"data": {recorded_claims.MIME: claims}}]}], "metadata": {}}
    told = summarise(executed, {}, changed=changed, book={}, source=Path(source))
    assert told.startswith(title)
    assert "| It rains. | **fails** |" in told
