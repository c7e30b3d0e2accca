"""What was handed in is found, and recognised by what is in it rather than by its name."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from handed_in import SOURCE, hand_in, solved, without

from lmc_utils.settings import ParameterError
from lmc_utils.submissions import collect

SOURCES = {path.stem: path for path in sorted(SOURCE.parent.glob("*.ipynb"))}
STEM = SOURCE.stem


def test_files_are_found_at_any_depth_and_named_by_their_place(tmp_path: Path) -> None:
    for name in ("bob/b/01_toy_exercises.ipynb", "ann.ipynb", ".ipynb_checkpoints/ann.ipynb", "cat/.hidden.ipynb"):
        hand_in(solved([]), tmp_path / name)
    (tmp_path / "dan").mkdir()
    found = collect([tmp_path], SOURCES)
    assert [each.name for each in found] == ["ann.ipynb", "bob/b/01_toy_exercises.ipynb", "dan/"]
    assert [each.remark for each in found][1:] == ["", "nothing was handed in"]


@pytest.mark.parametrize("name", [f"{STEM}.ipynb", f"ann_{STEM}.ipynb", f"{STEM} (1).ipynb"])
def test_a_file_may_carry_more_than_its_name(name: str, tmp_path: Path) -> None:
    (found,) = collect([hand_in(solved([]), tmp_path / name)], SOURCES)
    assert (found.notebook, found.remark) == (STEM, "")


def test_a_renamed_file_is_recognised_by_its_cells(tmp_path: Path) -> None:
    (found,) = collect([hand_in(solved([]), tmp_path / "02_fork_exercises.ipynb")], SOURCES)
    assert (found.notebook, found.remark) == (STEM, f"the file was renamed: by its cells it is {STEM}")


def test_a_notebook_that_has_lost_all_its_cells_is_recognised_by_what_it_says_of_itself(tmp_path: Path) -> None:
    emptied = without(solved([]), lambda name: True)
    (found,) = collect([hand_in(emptied, tmp_path / "homework.ipynb")], SOURCES)
    assert found.notebook == STEM
    (found,) = collect([hand_in(nbformat.v4.new_notebook(), tmp_path / f"{STEM}.ipynb")], SOURCES)
    assert found.notebook == STEM


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04\xff", "not a notebook"),
        (b'{"cells": [', "not a notebook"),
        (b"[1, 2]", "not a notebook"),
        (b'{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "not a notebook"),
        (b'{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "not one of the exercise notebooks"),
    ],
)
def test_what_is_no_exercise_notebook_is_told(content: bytes, remark: str, tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_bytes(content)
    (found,) = collect([tmp_path], SOURCES)
    assert found.notebook is None
    assert found.remark.startswith(remark)


def test_a_path_that_does_not_exist_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "submissions").mkdir()
    with pytest.raises(ParameterError, match="submission: 'submisions' is not known; did you mean 'submissions'"):
        collect([tmp_path / "submisions"], SOURCES)
    with pytest.raises(ParameterError, match=r"submission: expected files to mark, got '.*submissions'"):
        collect([tmp_path / "submissions"], SOURCES)


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        hand_in(solved([]), tmp_path / folder / "x.ipynb")
    found = collect([tmp_path / "a", tmp_path / "b", tmp_path / "a"], SOURCES)
    assert len({each.path for each in found}) == len(found) == 2
