"""A book whose notebooks have other forks than its text assumes still builds, and marks missing numbers."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from small_project import lmc, write_book

ROOT = Path(__file__).parents[2]
CELL = """from lmc_utils.running import record
record(barrier={"fork_0": 4.0, "fork_3": 2.0}, wide={"fork_0": 1.0}, width=64, share={"n_12": 0.5})"""
TABLE = """# One

| fork | barrier | wide |
| ---: | ---: | ---: |
| 0 | {glue:text}`barrier_fork_0:.1f` | {glue:text}`wide_fork_0:.1f` |
| 15 | {glue:text}`barrier_fork_15:.1f` |  |

Of {glue:text}`width:.0f` units, in ten dimensions {glue:text}`share_n_10:.0%`."""


@pytest.mark.xdist_group("faults")
def test_tables_follow_the_run_and_missing_numbers_become_dashes(tmp_path: Path) -> None:
    write_book(tmp_path, one=CELL)
    path = tmp_path / "notebooks" / "one.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"].insert(0, {"cell_type": "markdown", "id": "table", "metadata": {}, "source": TABLE})
    path.write_text(json.dumps(notebook))
    for folder in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / folder, tmp_path / "book" / folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "book" / "references.bib", tmp_path / "book")
    shutil.copy(ROOT / "_config.yml", tmp_path)
    (tmp_path / "book" / "intro.md").write_text(
        "# Intro\n\nIt is {glue:text}`notebooks/one.ipynb::barrier_fork_3:.1f`, "
        "later {glue:text}`notebooks/one.ipynb::barrier_fork_15:.1f` points.\n"
    )
    built = lmc("build", cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    html = tmp_path / "_build" / "html"
    page = (html / "notebooks" / "one.html").read_text()
    rows = [re.findall(r"<p>(.*?)</p>", row) for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)]
    told = [[re.sub(r"<.*?>", "", cell) for cell in row] for row in rows]
    assert told == [["fork", "barrier", "wide"], ["0", "4.0", "1.0"], ["3", "2.0", "–"]]
    assert "this run has no number named" in page
    assert "units, in ten dimensions –." in re.sub(r"<.*?>", "", page)
    intro = re.sub(r"<.*?>", "", (html / "intro.html").read_text())
    assert "It is 2.0, later – points." in " ".join(intro.split())
