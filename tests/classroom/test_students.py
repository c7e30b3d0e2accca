"""Files of one student come into one row, and those of two never do; nobody is accused for the spelling of a name."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from example_submissions import hand_in, solved

from lmc_utils.classroom.grade_table import files_as_csv, students_as_csv
from lmc_utils.classroom.resubmissions import supersede_earlier_versions
from lmc_utils.classroom.students import students_of
from lmc_utils.classroom.submission_marks import Marks
from lmc_utils.classroom.submissions import Submission, add_identity_remarks, read_notebook, student_name

TOY, FORK = "01_toy_exercises", "02_fork_exercises"


def submitted(name: str, notebook: str | None = TOY, student: str | None = None, when: float = 0.0) -> Submission:
    named = next((stem for stem in (TOY, FORK) if stem in name), "")
    return Submission(name, Path(name), b"", notebook, "", student, named=named, modified=when)


@pytest.mark.parametrize(
    "other",
    [
        f"Ann Lee/{FORK}.ipynb",
        f"Lee, Ann/{FORK}.ipynb",
        f"ann_lee_{FORK}.ipynb",
        "Ann Lee_77_assignsubmission_file/x.ipynb",
    ],
)
def test_two_notebooks_of_a_student_are_one_row(other: str) -> None:
    assert students_of([submitted(f"Ann Lee/{TOY}.ipynb"), submitted(other, FORK)]) == ["Ann Lee"] * 2


def test_two_students_of_one_name_have_two_rows() -> None:
    names = [f"Ann Lee_{number}_assignsubmission_file/{TOY}.ipynb" for number in (1, 2)]
    found = supersede_earlier_versions([submitted(name) for name in names])
    assert [each.notebook for each in found] == [TOY, TOY]
    assert students_of(found) == ["Ann Lee (1)", "Ann Lee (2)"]
    spellings = [submitted(f"Ann Lee/{TOY}.ipynb"), submitted(f"lee_ann/{TOY}.ipynb")]
    assert students_of(spellings) == ["Ann Lee", "lee_ann"]


def test_the_name_with_individual_numbers_is_the_students() -> None:
    assert students_of([submitted("homework 3.ipynb", student="Ann Lee")]) == ["Ann Lee"]
    assert students_of([submitted("leeann_12_34_x.ipynb", student="Ann Lee")]) == ["Ann Lee"]


def test_nobody_gets_a_row_by_naming_another_student() -> None:
    ben, copied = submitted(f"ben/{TOY}.ipynb", student="ben"), submitted(f"cleo/{TOY}.ipynb", student="ben", when=9)
    both = supersede_earlier_versions(add_identity_remarks([ben, copied]))
    assert students_of(both) == ["ben", "cleo"]
    assert [each.remark for each in both] == ["", "it has the numbers of 'ben'"]
    assert students_of([copied, submitted(f"dan/{TOY}.ipynb", student="ben")]) == ["cleo", "dan"]


def test_the_work_of_a_student_is_not_superseded_by_a_copy_that_another_handed_in() -> None:
    ann = submitted(f"Ann Lee_1_assignsubmission_file/{TOY}.ipynb", student="Ann Lee")
    for folder, row in (("Cleo W_3_assignsubmission_file", "Cleo W"), ("cleo", "cleo/ann_lee")):
        copied = submitted(f"{folder}/ann_lee_{TOY}.ipynb", student="Ann Lee", when=9)
        both = supersede_earlier_versions(add_identity_remarks([ann, copied]))
        assert [each.notebook for each in both] == [TOY, TOY]
        assert students_of(both) == ["Ann Lee", row]
    (copied,) = add_identity_remarks(
        [submitted(f"Cleo W_3_assignsubmission_file/ann_lee_{TOY}.ipynb", student="Ann Lee")]
    )
    assert copied.remark == "it has the numbers of 'Ann Lee'"


def test_a_file_that_names_nobody_is_the_students_whose_numbers_it_has() -> None:
    first, second = (
        submitted(f"{TOY}{mark}.ipynb", student="Ann Lee", when=when) for mark, when in (("", 1), (" (1)", 2))
    )
    found = supersede_earlier_versions(add_identity_remarks([first, second]))
    assert [(each.notebook, each.remark) for each in found] == [
        (None, f"an earlier version: '{TOY} (1).ipynb' counts"),
        (TOY, ""),
    ]
    assert students_of(found) == ["Ann Lee", "Ann Lee"]


def test_other_files_belong_to_the_folder() -> None:
    files = [submitted(f"ann/{TOY}.ipynb"), submitted("ann/letter.docx", None), submitted(f"ben/{TOY}.ipynb", None)]
    assert students_of(files) == ["ann", "ann", "ben"]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (f"ann/{TOY}.ipynb", f"ann/Copy of {TOY}.ipynb"),
        (f"ann/{TOY} - Copy.ipynb", f"ann/{TOY} - Copy (2).ipynb"),
        (f"leeann_12345_67890_{TOY}.ipynb", f"leeann_LATE_12345_67899_{TOY}-1.ipynb"),
        (f"x_ann_attempt_2026-11-29-12-00-00_{TOY}.ipynb", f"x_ann_attempt_2026-11-30-08-00-00_{TOY}.ipynb"),
        (f"ann_{TOY}_20261130_0900.ipynb", f"ann_{TOY}_20261130_1000 (1).ipynb"),
    ],
)
def test_the_latest_copy_counts_and_the_row_names_the_other(earlier: str, later: str) -> None:
    found = supersede_earlier_versions([submitted(later), submitted(earlier)])
    assert [each.notebook for each in found] == [TOY, None]
    assert len(set(students_of(found))) == 1
    marks = [Marks({"toy-1": 1.0}, {"toy-1": 1.0}), Marks()]
    (row,) = csv.DictReader(io.StringIO(students_as_csv(found, marks)))
    assert (row[TOY], row["remarks"]) == ("1", f"'{earlier}': an earlier version: '{later}' counts")


def test_a_time_stamp_decides_before_the_time_of_the_file() -> None:
    late, early = (f"ann/{TOY}_2026-11-{day}.ipynb" for day in (30, 29))
    found = supersede_earlier_versions([submitted(late, when=1), submitted(early, when=2)])
    assert [each.notebook for each in found] == [TOY, None]


@pytest.mark.parametrize("name", ["Zoë Müller", "Müller, Zoë", "müller_zoë", "Muller Zoe", "mullerzoe_1_2"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_spelling_of_a_name_accuses_nobody(name: str, form: str) -> None:
    written = unicodedata.normalize(form, name)  # type: ignore[arg-type]
    (found,) = add_identity_remarks([submitted(f"{written}_{TOY}.ipynb", student="Zoë Müller")])
    assert found.remark == ""
    (found,) = add_identity_remarks([submitted(f"{written}_{TOY}.ipynb", student="Ann Lee")])
    assert found.remark == "it has the numbers of 'Ann Lee'"


@pytest.mark.parametrize("student", ["Ann Lee", "O'Neill", 'the "boss"', "back\\slash", "Zoë"])
def test_the_name_is_found_in_the_checks_where_the_metadata_is_lost(student: str, tmp_path: Path) -> None:
    notebook = solved([], student=student)
    del notebook.metadata["lmc"]
    assert student_name(read_notebook(hand_in(notebook, tmp_path / "x.ipynb").read_bytes())) == student
    assert student_name(solved([])) is None


def test_the_table_of_students_adds_up() -> None:
    files = [submitted(f"ann/{TOY}.ipynb"), submitted(f"ann/{FORK}.ipynb", FORK), submitted(f"ben/{TOY}.ipynb")]
    toy = [Marks({"toy-1": points}, {"toy-1": 2.0}) for points in (2.0, 1.5)]
    marks = [toy[0], Marks({"fork-1": 0.0}, {"fork-1": 3.0}, ["fork-1: Not answered yet."]), toy[1]]
    assert students_as_csv(files, marks).splitlines() == [
        f"student,{TOY},{FORK},total,out_of,remarks",
        "ann,2,0,2,5,fork-1: Not answered yet.",
        "ben,1.5,,1.5,5,",
    ]
    assert files_as_csv(files, marks).count("\n") == 4
    assert students_as_csv([submitted("=1+1.docx", None)], [Marks()]).splitlines()[1] == "'=1+1,0,,"
