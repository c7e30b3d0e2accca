"""Names of recorded numbers are checked against what is known of a notebook."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_project import write_notebook

from lmc_utils.running import notebooks, recorded_names
from lmc_utils.running.recorded_names import require_recorded
from lmc_utils.settings import ParameterError

IMPORT = "from lmc_utils.running import record\n"


def notebook(folder: Path, cell: str) -> notebooks.Notebook:
    return notebooks.Notebook(write_notebook(folder / "one.ipynb", IMPORT + cell))


def test_names_begin_with_the_keywords_of_record(tmp_path: Path) -> None:
    found = notebook(tmp_path, "record(barrier={'fork_0': rate}, width=64)")
    assert require_recorded(["barrier_fork_0", "width"], found, tmp_path)
    with pytest.raises(ParameterError, match=r"^show: unknown recorded number 'barier_fork_0'; did you mean"):
        require_recorded(["barier_fork_0"], found, tmp_path)


@pytest.mark.parametrize("cell", ["record({'x': 1})", "record(**{'x': 1})", "%time record(x=1)", "record(a=1)\n!ls"])
def test_names_may_be_unknown_before_a_point_is_finished(cell: str, tmp_path: Path) -> None:
    assert not require_recorded(["anything"], notebook(tmp_path, cell), tmp_path)


def test_names_are_those_of_a_finished_point_with_any_numbers_in_them(tmp_path: Path) -> None:
    found = notebook(tmp_path, "record({'barrier_fork_0': rate})")
    notebooks.execute(found, {}, tmp_path / "points" / "a.ipynb")
    (tmp_path / "points" / "b.partial.ipynb").write_text("")
    assert require_recorded(["barrier_fork_15"], found, tmp_path)
    with pytest.raises(ParameterError, match=r"^show: unknown recorded number 'barrier'"):
        require_recorded(["barrier"], found, tmp_path)


def test_names_of_a_chapter_are_those_of_the_books_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recorded_names.book_numbers, "read", lambda _: {"width": 1.0})
    with pytest.raises(ParameterError, match=r"^show: unknown recorded number 'barrier'; choose from: width$"):
        require_recorded(["barrier"], notebook(tmp_path, "record(barrier=1)"), tmp_path)
