"""Individual numbers of a student are the same in tasks and tests, and on every machine."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import nbformat
import pytest
from exercise_groups import grouped_by_chapter
from small_project import lmc

from lmc_utils.classroom import assignments, check
from lmc_utils.classroom.class_list import equal_answers, student_folders
from lmc_utils.classroom.exercise_lookup import CHAPTERS, chapter_exercises, exercise_numbers, find_exercise
from lmc_utils.settings import ParameterError

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb"))
OWN = [name for chapter in CHAPTERS for name in chapter_exercises(chapter) if exercise_numbers(name)]
CLASS = [f"student {number}" for number in range(40)]

every = pytest.mark.parametrize("name", [grouped_by_chapter(name, name) for name in OWN])


def source_of(name: str) -> Path:
    (source,) = [path for path in SOURCES if name in assignments.exercise_names([path])]
    return source


def cells(name: str, student: str | None) -> dict[str, str]:
    notebook = assignments.student_version(source_of(name), student)
    return {assignments.grade_id(cell): cell.source for cell in notebook.cells}


@every
def test_a_task_names_the_numbers_that_its_check_has(name: str) -> None:
    task = cells(name, "ann")[f"{name}-task"]
    assert "<<" not in task
    for value in exercise_numbers(name, "ann").values():
        assert re.search(rf"(?<![\d.]){re.escape(f'{value:g}')}(?!\d)", task)
    assert task != cells(name, None)[f"{name}-task"]


@every
def test_a_students_check_contains_the_name(name: str) -> None:
    mine, theirs = cells(name, "o'neill"), cells(name, None)
    assert mine[f"{name}-test"] == theirs[f"{name}-test"].replace(")", ', student="o\'neill")')
    source = assignments.with_hidden_tests(source_of(name), "o'neill")
    hidden = next(cell.source for cell in source.cells if assignments.grade_id(cell) == f"{name}-test")
    assert 'student="o\'neill")' in hidden
    compile(hidden, name, "exec")


@every
def test_answers_of_other_students_are_usually_wrong(name: str) -> None:
    exercises = {student: find_exercise(name, student) for student in CLASS}
    truths = {student: exercise.evaluate(exercise.solution) for student, exercise in exercises.items()}
    assert all(check(name, truth, student) for student, truth in truths.items())
    pairs = list(combinations(CLASS, 2))
    by_chance = [pair for pair in pairs if check(name, truths[pair[0]], pair[1])]
    assert len(by_chance) / len(pairs) < 0.04
    assert {frozenset(pair) for pair in by_chance} == {frozenset(pair) for _, pair in equal_answers(CLASS, [name])}
    book = find_exercise(name)
    own = book.evaluate(book.solution)
    assert not any(check(name, own, student) for student in CLASS), "the book's own is drawn by nobody"


@every
def test_no_mistake_leads_to_the_right_answer(name: str) -> None:
    for student in CLASS:
        exercise = find_exercise(name, student)
        wrong = [exercise.evaluate(stated) for stated in exercise.mistakes.values()]
        assert not any(check(name, answer, student) for answer in wrong)


def test_shared_content_is_unchanged() -> None:
    mine, theirs = (cells("toy-2", student) for student in ("ann", None))
    assert [name for name in theirs if mine[name] != theirs[name]] == ["toy-2-task", "toy-2-test"]


def test_the_books_version_has_no_individual_numbers() -> None:
    for source in SOURCES:
        text = nbformat.writes(assignments.student_version(source))
        assert "<<" not in text
        assert "student=" not in text


def test_numbers_depend_on_the_name_alone() -> None:
    assert exercise_numbers("toy-2", "Ann Lee") == exercise_numbers("toy-2", " ann  lee ") == {"half": 1.62}


def table(folder: Path, text: str) -> Path:
    path = folder / "class.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_student_has_a_folder(tmp_path: Path) -> None:
    listed = table(tmp_path, "mail,student\na@b,Ann Lee\nb@c,Ben Öz\n,1234567\n")
    assert student_folders(listed) == {"Ann Lee": "ann_lee", "Ben Öz": "ben_öz", "1234567": "1234567"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nAnn\n", "has no column named 'student'"),
        ("", "has no column named 'student'"),
        ("student\n", "lists no students"),
        ("student,mail\nAnn,a\n,b\n", "line 3: the name must not be empty"),
        ("student\nAnn\n ann\n", "has names that cannot be told apart as folders"),
        ("student\n../\n", "has names that cannot be told apart as folders"),
    ],
)
def test_an_invalid_class_list_is_rejected(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=re.escape(said)):
        student_folders(table(tmp_path, text))


def test_handouts_for_a_class(tmp_path: Path) -> None:
    listed = table(tmp_path, "student\nAnn\nBen\n")
    done = lmc("assign", "01_toy_exercises", "--for", listed, "-o", "handout", "--root", ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ann, ben = (tmp_path / "handout" / name / "01_toy_exercises.ipynb" for name in ("ann", "ben"))
    assert json.loads(ann.read_text())["metadata"]["lmc"]["student"] == "Ann"
    assert ann.read_text() != ben.read_text()
    none = lmc("assign", "--for", "nobody.csv", "--root", ROOT, cwd=tmp_path)
    assert (none.returncode, none.stderr.count("\n")) == (2, 1)
    assert none.stderr.startswith("lmc: no such file: nobody.csv")
