"""Files of one student come into one row, and those of two never do; nobody is accused for the spelling of a name."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path
from random import Random

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
    moodle = [submitted(name, student="Ann Lee") for name in names]
    assert students_of(supersede_earlier_versions(moodle)) == ["Ann Lee (1)", "Ann Lee (2)"]
    spellings = [submitted(f"Ann Lee/{TOY}.ipynb"), submitted(f"lee_ann/{TOY}.ipynb")]
    assert students_of(spellings) == ["Ann Lee", "lee_ann"]


def test_the_name_with_individual_numbers_is_the_students() -> None:
    assert students_of([submitted("homework 3.ipynb", student="Ann Lee")]) == ["Ann Lee"]
    assert students_of([submitted("leeann_12345_67890_x.ipynb", student="Ann Lee")]) == ["Ann Lee"]


def test_nobody_gets_a_row_by_naming_another_student() -> None:
    ben, copied = submitted(f"ben/{TOY}.ipynb", student="ben"), submitted(f"cleo/{TOY}.ipynb", student="ben", when=9)
    both = supersede_earlier_versions(add_identity_remarks([ben, copied]))
    assert students_of(both) == ["ben", "cleo"]
    assert [each.remark for each in both] == ["", "it has the numbers of 'ben'"]
    assert students_of([copied, submitted(f"dan/{TOY}.ipynb", student="ben")]) == ["cleo", "dan"]


def points_by_student(submissions: list[Submission], points: list[float]) -> dict[str, str]:
    counted = supersede_earlier_versions(add_identity_remarks(submissions))
    marks = [
        Marks({"toy-1": each}, {"toy-1": 2.0}) if of.notebook else Marks()
        for of, each in zip(counted, points, strict=True)
    ]
    return {row["student"]: row["total"] for row in csv.DictReader(io.StringIO(students_as_csv(counted, marks)))}


def test_nobody_changes_the_points_of_a_student_by_claiming_the_name() -> None:
    ann = submitted(f"ann/{TOY}.ipynb")  # with the book's numbers
    for name in (f"zoe/{TOY}.ipynb", f"zoe_{TOY}.ipynb", f"week1/zoe_{TOY}.ipynb"):
        assert points_by_student([ann, submitted(name, student="ann", when=9)], [2, 0]) == {"ann": "2", "zoe": "0"}
    unnamed = submitted(f"{TOY}.ipynb", student="ann", when=9)
    assert points_by_student([ann, unnamed], [2, 0]) == {f"ann (ann/{TOY}.ipynb)": "2", f"ann ({TOY}.ipynb)": "0"}
    tutorial = submitted(f"tutorial/ann_{TOY}.ipynb")
    assert points_by_student([tutorial, submitted("zoe.ipynb", student="ann")], [2, 0]) == {
        "tutorial/ann": "2",
        "zoe": "0",
    }


@pytest.mark.parametrize(
    ("others", "copied", "row"),
    [
        ([submitted(f"zoe/{TOY}.ipynb", student="Zoe")], f"zoe/{FORK}.ipynb", "Zoe"),
        ([submitted(f"zoe_{TOY}.ipynb")], f"zoe/hw2_{FORK}.ipynb", "zoe"),
        ([submitted("zoe/letter.docx", None)], f"zoe/{FORK}.ipynb", "zoe"),
        ([submitted(f"Ann/{TOY}.ipynb", student="Ann")], f"zoe/{FORK}.ipynb", "zoe"),
        ([], f"Zoe W_3_assignsubmission_file/{FORK}.ipynb", "Zoe W"),
        ([], f"wzoe_12345_67890_{FORK}.ipynb", "wzoe"),
    ],
)
def test_a_copied_file_gives_no_points_to_the_student_it_was_copied_from(
    others: list[Submission], copied: str, row: str
) -> None:
    files = add_identity_remarks([*others, submitted(copied, FORK, student="Ann")])
    assert students_of(files)[-1] == row
    assert files[-1].remark == "it has the numbers of 'Ann'"


@pytest.mark.parametrize(
    "names",
    [
        ("week1/ann.ipynb", "week2/ann.ipynb"),
        ("week 1/Ann Lee.ipynb", "Week 2/lee_ann.ipynb"),
        ("ann/hw1.ipynb", "ann/hw2.ipynb"),
        ("ann/my homework 01.ipynb", "ann/hw_2.ipynb"),
        ("tutorial/ann/sheet1.ipynb", "tutorial/ann/sheet2.ipynb"),
        ("Blatt 1/ann/x.ipynb", "Blatt 2/ann/x.ipynb"),
        (f"ann/{TOY}.ipynb", "ann/hw2.ipynb"),
        ("Ann Lee_1_assignsubmission_file/a.ipynb", "Ann Lee_2_assignsubmission_file/b.ipynb"),
        ("annlee_11111_10001_a.ipynb", "annlee_11111_10002_b.ipynb"),
    ],
)
def test_layouts_of_one_student(names: tuple[str, str]) -> None:
    found = students_of([submitted(names[0]), submitted(names[1], FORK)])
    assert found[0] == found[1]
    other = [submitted(name.replace("ann", "ben").replace("Ann Lee", "Ben"), TOY) for name in names[:1]]
    assert students_of([submitted(names[0]), submitted(names[1], FORK), *other])[:2] == found


@pytest.mark.parametrize(
    "names",
    [
        ("group/ann.ipynb", "group/ben.ipynb"),
        (f"ann_ben/ann_{TOY}.ipynb", f"ann_ben/ben_{FORK}.ipynb"),
        ("1 2/1.ipynb", "1 2/2.ipynb"),
        ("lab_3_2_ann.ipynb", "lab_3_2_ben.ipynb"),
        ("tutorial/homework_1234567.ipynb", "tutorial/homework_7654321.ipynb"),
        ("tutorial 1/ann.ipynb", "tutorial 2/ann.ipynb"),
        ("week1/ann.ipynb", "week2/ben.ipynb"),
        ("annlee_11111_10001_a.ipynb", "annlee_22222_20002_b.ipynb"),
    ],
)
def test_layouts_of_two_students(names: tuple[str, str]) -> None:
    for notebooks in ((TOY, FORK), (TOY, TOY)):
        files = [submitted(name, notebook) for name, notebook in zip(names, notebooks, strict=True)]
        found = supersede_earlier_versions(files)
        assert all(each.notebook for each in found)
        assert len(set(students_of(found))) == 2


def test_users_of_canvas_with_equal_names_are_distinguished_by_their_numbers() -> None:
    files = [submitted("annlee_11111_10001_a.ipynb"), submitted("annlee_22222_20002_b.ipynb", FORK)]
    assert students_of(files) == ["annlee (11111)", "annlee (22222)"]


def test_unread_files_in_the_folder_of_a_week_are_not_one_student() -> None:
    assert students_of([submitted(f"week1/{name}.docx", None) for name in ("ann", "ben")]) == ["ann", "ben"]


def test_two_counting_files_of_a_notebook_are_always_two_rows() -> None:
    random = Random(0)
    parts = [
        "ann",
        "Ann",
        "ben_ann",
        "week1",
        "hw2",
        "1",
        "Ann Lee_7_assignsubmission_file",
        "annlee_12345_67890_x",
        TOY,
    ]
    claims = [None, None, "ann", "Ann Lee", "ben", "ann (ann.ipynb)", "ann/hw2"]
    for _ in range(500):
        names = {"/".join(random.choices(parts, k=random.randint(1, 3))) + ".ipynb" for _ in range(6)}
        files = [submitted(each, random.choice([TOY, FORK, None]), random.choice(claims)) for each in sorted(names)]
        found = supersede_earlier_versions(add_identity_remarks(files))
        rows = [(row, each.notebook) for row, each in zip(students_of(found), found, strict=True) if each.notebook]
        assert len(set(rows)) == len(rows)
        latest = [each for each in found if not each.later]  # of which feedback pages are written
        both = zip(students_of(found), found, strict=True)
        assert students_of(latest) == [row for row, each in both if not each.later]


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
