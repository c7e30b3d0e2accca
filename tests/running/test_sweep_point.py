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
    return sweep_point.execute(path.read_bytes(), "one", {"count": 4}, **FIXED, **more)  # type: ignore[arg-type]


def test_an_executed_notebook_is_returned(tmp_path: Path) -> None:
    source = (
        "import os\nfrom lmc_utils.running import record\nrecord(twice=2 * count, said=os.environ['LMC_SAID'] == 'x')"
    )
    outcome = run(tmp_path, source)
    assert outcome.error is None
    assert recorded_numbers.recorded(json.loads(outcome.notebook)) == {"twice": 8.0, "said": 1.0}
    assert json.loads(outcome.notebook)["metadata"]["lmc"]["digest"] == "of its code"


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
