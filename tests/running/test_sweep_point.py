"""A point returns its notebook or a one-line error, and ends if it is no longer wanted."""

from __future__ import annotations

import json
import time
from pathlib import Path

from small_project import write_notebook

from lmc_utils.running import recorded_numbers, sweep_point

FIXED = {"digest": "of its code", "timeout": 60, "variables": {"LMC_SAID": "x"}}


def run(folder: Path, source: str, **more: object) -> sweep_point.Outcome:
    path = write_notebook(folder / "one.ipynb", source)
    more = {"started_in": folder} | more
    return sweep_point.execute(path.read_bytes(), "one", {"count": 4}, **FIXED, **more)  # type: ignore[arg-type]


def test_an_executed_notebook_is_returned(tmp_path: Path) -> None:
    source = (
        "import os\nfrom lmc_utils.running import record\nrecord(twice=2 * count, said=os.environ['LMC_SAID'] == 'x')"
    )
    outcome = run(tmp_path, source)
    assert outcome.error is None
    assert recorded_numbers.recorded(json.loads(outcome.notebook)) == {"twice": 8.0, "said": 1.0}
    assert json.loads(outcome.notebook)["metadata"]["lmc"]["digest"] == "of its code"


def test_local_modules_and_data_are_found_where_the_sweep_was_started(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.txt").write_text("7")
    (tmp_path / "mine.py").write_text("def read(path): return int(open(path).read())")
    source = "import mine\nfrom lmc_utils.running import record\nrecord(found=mine.read('data/x.txt'))"
    outcome = run(tmp_path, source)
    assert outcome.error is None
    assert recorded_numbers.recorded(json.loads(outcome.notebook)) == {"found": 7.0}
    elsewhere = run(tmp_path, "import os; print(sorted(os.listdir()))", started_in=tmp_path / "not here")
    assert elsewhere.error is None, "on another machine"


def test_a_failure_returns_one_line_and_the_partial_notebook(tmp_path: Path) -> None:
    outcome = run(tmp_path, "print('so far')\n1 / 0")
    assert outcome.error is not None
    assert "ZeroDivisionError" in outcome.error
    assert "lmc-" not in outcome.error, "the folder of a try is gone"
    assert b"so far" in outcome.notebook


def test_a_cancelled_point_is_stopped(tmp_path: Path) -> None:
    since = time.monotonic()
    mark = tmp_path / "mark"
    source = f"from pathlib import Path\nimport time\nmark = Path({str(mark)!r})\n"
    source += "mark.touch()\ntime.sleep(60)\nmark.unlink()"
    outcome = run(tmp_path, source, still_wanted=lambda: not mark.exists())
    assert outcome.error is not None
    assert time.monotonic() - since < 50
    assert mark.exists()
