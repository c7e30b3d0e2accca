"""Executed notebooks of any origin become pages, with a title first and what was run next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_project import write_notebook

from lmc_utils.publishing.run_page import prepare_notebook
from lmc_utils.settings import ParameterError


def sources(path: Path, root: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in prepare_notebook(path, root).cells]


def as_if_executed(path: Path, change: Any = lambda notebook: None) -> Path:
    notebook = json.loads(path.read_text())
    for number, cell in enumerate(each for each in notebook["cells"] if each["cell_type"] == "code"):
        cell["execution_count"] = number + 1
    change(notebook)
    path.write_text(json.dumps(notebook))
    return path


def test_parameters_edited_in_jupyter_are_told(tmp_path: Path) -> None:
    write_notebook(tmp_path / "notebooks" / "a.ipynb", "print(count)")
    run = as_if_executed(write_notebook(tmp_path / "a.ipynb", "print(count)"))
    assert "All parameters are as in the book." in sources(run, tmp_path)[1]
    run.write_text(run.read_text().replace("rate = 0.5", "rate = 0.25"))
    title, summary, *_ = sources(run, tmp_path)
    assert title == "# a"
    assert "| `rate` | `0.5` | `0.25` |" in summary
    assert "UTC" not in summary, "Jupyter does not say when"


def test_a_notebook_of_another_project_without_ids_title_or_kernel_is_read(tmp_path: Path) -> None:
    def colab(notebook: dict[str, Any]) -> None:
        notebook |= {"metadata": {"colab": {"provenance": []}}, "nbformat_minor": 0}
        notebook["cells"] = [{key: cell[key] for key in cell if key != "id"} for cell in notebook["cells"][2:]]

    run = as_if_executed(write_notebook(tmp_path / "elsewhere.ipynb", "print(1)"), colab)
    assert sources(run, tmp_path) == ["# elsewhere", "**Run of `elsewhere`**.", "print(1)"]


def test_a_notebook_that_was_not_executed_is_rejected(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "print(1)")
    with pytest.raises(ParameterError, match=r"a\.ipynb' is not an executed notebook; execute it by `lmc run`$"):
        prepare_notebook(path, tmp_path)
