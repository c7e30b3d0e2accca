"""Versions of a submission are recognised by name, and never confused with another student's work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lmc_utils.classroom.resubmissions import submission_author, supersede_earlier_versions
from lmc_utils.classroom.submissions import Submission

STEM = "01_toy_exercises"


def handed_in(folder: Path, name: str, when: float, notebook: str | None = STEM) -> Submission:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    os.utime(path, (when, when))
    return Submission(name, path, b"{}", notebook, "")


def counting(*submissions: Submission) -> list[str]:
    return [each.name for each in supersede_earlier_versions(submissions) if each.notebook]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"ann/{STEM}.ipynb", f"ann/{STEM} (1).ipynb"),
        (f"ann_{STEM}.ipynb", f"ann_{STEM}-Copy1.ipynb"),
        ("ann v1.ipynb", "ann_v2.ipynb"),
    ],
)
def test_the_latest_version_counts(tmp_path: Path, first: str, second: str) -> None:
    one, two = handed_in(tmp_path, first, 1_000), handed_in(tmp_path, second, 2_000)
    assert counting(one, two) == [second]
    os.utime(one.path, (3_000, 3_000))
    assert counting(one, two) == [first]


def test_of_equally_old_versions_the_higher_number_counts(tmp_path: Path) -> None:
    names = [f"ann/{STEM}{mark}.ipynb" for mark in ("", " (2)", " (10)")]
    assert counting(*(handed_in(tmp_path, name, 1_000) for name in names)) == [names[2]]


@pytest.mark.parametrize(
    "names",
    [
        ("group/ann.ipynb", "group/ben.ipynb"),
        (f"ann/{STEM}.ipynb", f"ben/{STEM}.ipynb"),
        (f"ann/{STEM}.ipynb", "ann/my answers.ipynb"),
        (f"{STEM}.ipynb", f"{STEM} (1).ipynb"),
    ],
)
def test_files_that_may_belong_to_two_students_both_count(tmp_path: Path, names: tuple[str, str]) -> None:
    assert counting(*(handed_in(tmp_path, name, when) for when, name in enumerate(names, 1))) == list(names)


def test_other_notebooks_and_files_are_no_versions(tmp_path: Path) -> None:
    one = handed_in(tmp_path, f"ann/{STEM}.ipynb", 1)
    two = handed_in(tmp_path, "ann/02_fork_exercises.ipynb", 2, "02_fork_exercises")
    letter = handed_in(tmp_path, "ann/letter.txt", 3, None)
    assert supersede_earlier_versions([one, two, letter]) == [one, two, letter]


def test_a_student_has_one_name_in_all_notebooks(tmp_path: Path) -> None:
    names = (f"ann/{STEM}.ipynb", f"ann/{STEM}-Copy3.ipynb")
    assert {submission_author(handed_in(tmp_path, name, 1)) for name in names} == {"ann"}
