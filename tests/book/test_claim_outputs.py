"""A table of claims is drawn without a warning, and shows the outcomes that were computed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from small_project import lmc, write_book

from lmc_utils.running import recorded_claims

ROOT = Path(__file__).parents[2]
CELL = """from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Rule
from lmc_utils.running import record
record(a=1.0)
small = Rule("below", 2.0)
ClaimTable(tuple(Claim(f"Claim {n}.", ((small, (Cases("it", (float(n),)),)),)) for n in (1, 2)))"""


@pytest.mark.xdist_group("faults")
def test_a_table_of_claims_is_drawn_as_computed(tmp_path: Path) -> None:
    write_book(tmp_path, one=CELL)
    for folder in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / folder, tmp_path / "book" / folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "book" / "references.bib", tmp_path / "book")
    shutil.copy(ROOT / "_config.yml", tmp_path)
    built = lmc("build", cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "_build" / "html" / "notebooks" / "one.html").read_text()
    rows = [re.findall(r"<p>(.*?)</p>", row) for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)]
    required = "Required: every one below 2.0."
    assert rows[1:] == [
        ["1", "Claim 1.", "<strong>holds</strong>", f"it: 1 of 1 (1.00). {required}"],
        ["2", "Claim 2.", "<strong>fails</strong>", f"it: 0 of 1 (2.00). {required}"],
    ]
    executed = tmp_path / "book" / "notebooks" / "one.ipynb"
    assert [claim.outcome for claim in recorded_claims.read(executed)] == ["holds", "fails"], "the data are kept"
