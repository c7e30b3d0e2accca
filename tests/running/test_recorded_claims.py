"""Claims are read back from an executed notebook, and other outputs are skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_project import lmc, write_notebook

from lmc_utils.running import recorded_claims
from lmc_utils.settings import ParameterError

CELL = """
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Rule
ClaimTable((Claim("It is small.", ((Rule("below", 2.0), (Cases("counts", (float(count),)),)),)),))
"""


def test_claims_are_read_from_an_executed_notebook(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", CELL)
    for count, outcome in ((1, "holds"), (2, "fails")):
        assert lmc("run", "a.ipynb", "-p", "count", str(count), "-o", "out.ipynb", cwd=tmp_path).returncode == 0
        (claim,) = recorded_claims.read(tmp_path / "out.ipynb")
        assert (claim.statement, claim.outcome) == ("It is small.", outcome)
        assert claim.evidence[0]["values"] == [count]


def test_a_notebook_without_claims_is_a_one_line_error(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"no claims recorded in .* was it executed\?"):
        recorded_claims.read(write_notebook(tmp_path / "a.ipynb", "1"))
    with pytest.raises(ParameterError, match=r"no such file: .*"):
        recorded_claims.read(tmp_path / "missing.ipynb")


OF_OTHER_TYPES = {"statement": 1, "outcome": None, "reason": [], "evidence": 2}


@pytest.mark.parametrize(
    "said",
    [None, 3, {}, "x", [1], [{"statement": "x"}], [{"statement": "x", "other": 1}], [OF_OTHER_TYPES]],
)
def test_other_outputs_are_ignored(said: Any) -> None:
    assert recorded_claims.recorded({"cells": [{"outputs": [{"data": {recorded_claims.MIME: said}}, {}]}]}) == []
