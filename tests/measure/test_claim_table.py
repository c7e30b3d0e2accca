"""A table of claims is shown as Markdown and text, and its data can be read back from the notebook."""

from __future__ import annotations

import json

from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Interval, Rule
from lmc_utils.running.recorded_claims import recorded

NAN = float("nan")
CLAIMS = (
    Claim("Late siblings are stable.", ((Rule("below", 2.0), (Interval("fork 4", 0.5, 0.25, 0.75, "points"),)),)),
    Claim("a | b", ((Rule("above", 0.0), (Cases("flanks", (1.0, NAN)), Interval("fork 0", 1.0, NAN, NAN)),),)),
)  # fmt: skip


def test_the_table_has_a_row_for_each_claim() -> None:
    said = ClaimTable(CLAIMS)._repr_mimebundle_(include=None, exclude=None)
    heading, _, first, second = said["text/markdown"].split("\n")
    assert heading == "| | statement | outcome | reason |"
    assert first == (
        "| 1 | Late siblings are stable. | **holds** "
        "| fork 4: 0.500 points [0.250, 0.750]. Required: the 95 % interval below 2.0 points. |"
    )
    assert second.startswith(r"| 2 | a \| b | **cannot tell** |")
    assert said["text/plain"].startswith("1. Late siblings are stable. holds: fork 4: 0.500 points")


def test_the_data_come_back_out_of_a_notebook() -> None:
    said = json.loads(json.dumps(ClaimTable(CLAIMS)._repr_mimebundle_(), allow_nan=False))
    late, other = recorded({"cells": [{"cell_type": "markdown"}, {"outputs": [{}, {"data": said}]}]})
    assert (late.statement, late.outcome, late.reason) == (CLAIMS[0].statement, "holds", CLAIMS[0].reason)
    assert late.evidence == [
        {"label": "fork 4", "estimate": 0.5, "low": 0.25, "high": 0.75, "unit": "points",
         "rule": "below", "bound": 2.0, "outcome": "holds"}
    ]  # fmt: skip
    assert [each.get("values", each.get("low")) for each in other.evidence] == [[1.0, None], None]
