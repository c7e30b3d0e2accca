"""Writing unfinished notebooks takes a small fraction of the time, and the final notebook is complete."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from papermill import engines
from small_project import outputs, write_notebook

from lmc_utils.running import notebooks, papermill_engine


@pytest.mark.parametrize("takes", [0.01, 1.0, 30.0])
def test_the_engine_adds_little_run_time(takes: float) -> None:
    clock, spent = [0.0], [0.0]

    def act() -> None:
        clock[0] += takes
        spent[0] += takes

    acted = papermill_engine.throttled(act, 0.05, lambda: clock[0])
    for _ in range(10_000):
        clock[0] += 0.1
        acted()
        assert spent[0] <= 0.05 * clock[0] + takes
    assert spent[0] >= 0.04 * clock[0], "and is done where there is time for it"


def test_markdown_cells_are_not_saved_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print('all of it')")
    notebook = json.loads(path.read_text())
    notebook["cells"][-1:-1] = [json.loads(json.dumps(nbformat.v4.new_markdown_cell("a line"))) for _ in range(150)]
    path.write_text(json.dumps(notebook))
    written, write = list[int](), engines.write_ipynb

    def slowly(content: Any, place: str) -> None:
        written.append(1)
        time.sleep(0.05)
        write(content, place)

    monkeypatch.setattr(engines, "write_ipynb", slowly)
    notebooks.execute(notebooks.Notebook(path), {}, tmp_path / "b.ipynb")
    assert len(written) < 20, "by itself papermill writes it twice for every cell"
    assert outputs(tmp_path / "b.ipynb") == "all of it\n"
