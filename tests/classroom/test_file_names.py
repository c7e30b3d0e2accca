"""Author, time stamp and copy number are parsed from file names; names of students are compared by words."""

from __future__ import annotations

import unicodedata
from datetime import datetime

import pytest

from lmc_utils.classroom.file_names import parse_file_name
from lmc_utils.classroom.student_names import may_be_name, name_words

STEM = "01_toy_exercises"


@pytest.mark.parametrize(
    ("path", "author", "identifier"),
    [
        (f"Ann Lee_123456_assignsubmission_file/{STEM}.ipynb", "Ann Lee", "123456"),
        (f"Ann Lee_123456_assignsubmission_file_/{STEM}.ipynb", "Ann Lee", "123456"),
        (f"Ann Lee_123456_assignsubmission_file_{STEM}.ipynb", "Ann Lee", "123456"),
        (f"Ann Lee_123456_assignsubmission_file/homework.zip/x/{STEM}.ipynb", "Ann Lee", "123456"),
        (f"leeann_12345_67890_{STEM}.ipynb", "leeann", "12345"),
        (f"leeann_LATE_12345_67890_{STEM}-1.ipynb", "leeann", "12345"),
        (f"{STEM}_ann_attempt_2026-11-30-12-00-00_{STEM}.ipynb", "ann", ""),
        (f"Homework 1_ann_attempt_2026-11-30-12-00-00_{STEM}.ipynb", "ann", ""),
        (f"{STEM}/ann.ipynb", "ann", ""),
        (f"ann.zip/{STEM}.ipynb", "ann", ""),
        (f"ann.zip/Ann/{STEM}.ipynb", "ann", ""),
        (f"Ann Lee - {STEM}.ipynb", "Ann Lee", ""),
        (f"student_7_{STEM}.ipynb", "student_7", ""),
        (f"20261130/{STEM}.ipynb", "20261130", ""),
        (f"ann_20261130_{STEM}.ipynb", "ann_20261130", ""),  # a number of a student may look like this
        ("student-1.ipynb", "student-1", ""),
        ("lab_3_2_ann.ipynb", "lab_3_2_ann", ""),
        (f"hw_01_2026_ann_{STEM}.ipynb", "hw_01_2026_ann", ""),
        (f"term_2026_2027_ann_{STEM}.ipynb", "term_2026_2027_ann", ""),
        (f"tutorial_1_2_mon/ann_{STEM}.ipynb", "tutorial_1_2_mon/ann", ""),
        (f"room_12345_67890_mon/ann_{STEM}.ipynb", "room_12345_67890_mon/ann", ""),
        (f"leeann_12345_67890_homework.zip/{STEM}.ipynb", "leeann", "12345"),
        (f"ann/ann_{STEM}.ipynb", "ann", ""),
        (f"ann_ben/ann_{STEM}.ipynb", "ann_ben/ann", ""),
        (f"ann_ben/ben_{STEM}.ipynb", "ann_ben/ben", ""),
        (f"ann/ben/ann_{STEM}.ipynb", "ann/ben/ann", ""),
        ("1 2/1.ipynb", "1 2/1", ""),
        ("s202311051230.ipynb", "s202311051230", ""),
        ("s20231105123045.ipynb", "s20231105123045", ""),
    ],
)
def test_authors(path: str, author: str, identifier: str) -> None:
    found = parse_file_name(path, STEM)
    assert (found.author, found.identifier) == (author, identifier)


@pytest.mark.parametrize(
    ("name", "copy"),
    [
        (f"{STEM}.ipynb", 0),
        (f"Copy of {STEM}.ipynb", 1),
        (f"Copy of Copy of {STEM}.ipynb", 1),
        (f"{STEM}-1.ipynb", 1),
        (f"{STEM} - Copy.ipynb", 1),
        (f"{STEM} - Copy (2).ipynb", 2),
        (f"{STEM} (3).ipynb", 3),
        (f"{STEM}(3).ipynb", 3),
        (f"{STEM}-Copy4.ipynb", 4),
        (f"{STEM} copy 2.ipynb", 2),
        (f"{STEM} 2.ipynb", 2),
        (f"{STEM}_v5.ipynb", 5),
    ],
)
def test_marks_of_copies(name: str, copy: int) -> None:
    found = parse_file_name(f"ann/{name}", STEM)
    assert (found.author, found.copy, found.stamp) == ("ann", copy, None)


@pytest.mark.parametrize(
    ("mark", "time"),
    [
        ("_2026-11-30-12-00-05", datetime(2026, 11, 30, 12, 0, 5)),
        ("-20261130T120005", datetime(2026, 11, 30, 12, 0, 5)),
        (" 2026-11-30 at 12.00.05", datetime(2026, 11, 30, 12, 0, 5)),
        ("_20261130_1200", datetime(2026, 11, 30, 12, 0)),
        ("_2026_11_30", datetime(2026, 11, 30)),
        (" 2026.11.30 (1)", datetime(2026, 11, 30)),
    ],
)
def test_time_stamps(mark: str, time: datetime) -> None:
    for name in (f"ann_{STEM}{mark}.ipynb", f"{STEM}_ann{mark}.ipynb"):
        found = parse_file_name(name, STEM)
        assert (found.author, found.stamp) == ("ann", time.timestamp())


@pytest.mark.parametrize("number", ["202311051230", "20231105", "20231105123045"])
def test_a_student_number_is_no_time_stamp(number: str) -> None:
    for name in (f"s{number}.ipynb", f"{number}_{STEM}.ipynb", f"{STEM}_{number}.ipynb"):
        assert parse_file_name(name, STEM).stamp is None


def test_a_date_that_does_not_exist_is_no_time_stamp() -> None:
    assert parse_file_name(f"ann/{STEM}_2026-02-30.ipynb", STEM).stamp is None


@pytest.mark.parametrize(
    "text",
    ["Ann Lee/x", "Lee, Ann/x", "ann_lee_01.ipynb", "LEE-ANN", "leeann_1_2_x.ipynb", "AnnLee01_toy", "Ann-Marie Lee/x"],
)
def test_a_name_is_found_in_any_order_and_spelling(text: str) -> None:
    assert may_be_name(text, "Ann Lee")
    assert not may_be_name(text, "Ben Öz")


@pytest.mark.parametrize(
    ("text", "student"),
    [("17", "7"), ("group7", "7"), ("alan", "Al"), ("alanah", "Alan"), ("joanne_lee", "Anne Le"), ("2/1", "21")],
)
def test_a_part_of_a_word_is_no_name(text: str, student: str) -> None:
    assert not may_be_name(text, student)


@pytest.mark.parametrize(("text", "student"), [("leeann2", "Ann Lee"), ("Ann-Lee_x", "annlee"), ("ann01", "Ann 01")])
def test_joined_words_are_a_name(text: str, student: str) -> None:
    assert may_be_name(text, student)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_unicode_forms_are_equal(form: str) -> None:
    written = unicodedata.normalize(form, "Zoë Müller")  # type: ignore[arg-type]
    assert name_words(written) == {"zoë", "müller"}
    assert may_be_name(f"{written}_1_assignsubmission_file/x.ipynb", "Zoë Müller")
    assert may_be_name("mullerzoe_1_2_x.ipynb", written)
