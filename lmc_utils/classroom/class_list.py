"""The list of a class: who gets exercises with numbers of their own, and in which folder."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from lmc_utils.classroom.exercise_lookup import exercise_numbers, find_exercise
from lmc_utils.classroom.individual_numbers import normalised_name
from lmc_utils.settings import ParameterError, require

COLUMN = "student"


def student_folders(table: Path) -> dict[str, str]:
    """The students of a table, in its order, and a name of a folder for each.

    Args:
        table: comma-separated values with a head; the column `student` holds names or matriculation numbers.

    Raises:
        ParameterError: there is no such file or column, nobody in it, one without a name, or two who are called alike.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            named = list(rows.fieldnames or [])
            require(COLUMN in named, "for", f"a column named '{COLUMN}' in '{table}'", named)
            names = [" ".join((row[COLUMN] or "").split()) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(f"for: expected a table of students, got '{table}' ({error})") from error
    require(bool(names), "for", f"at least one student in '{table}'", len(names))
    found: dict[str, str] = {}
    for line, name in enumerate(names, 2):
        require(name.isprintable() and bool(name), "for", f"a name in line {line} of '{table}'", name)
        place = safe_file_name(normalised_name(name))
        alike = [other for other, taken in found.items() if taken == place]
        require(bool(place) and not alike, "for", f"students whose names differ in '{table}'", [*alike, name])
        found[name] = place
    return found


def safe_file_name(student: str) -> str:
    """A name of a file or folder for any name of a student, on any system; empty where nothing is left of it.

    >>> safe_file_name("../Ann Lee")
    'Ann_Lee'
    """
    return re.sub(r"[^\w.@+-]+", "_", student).strip("._")[:100]


def equal_answers(students: Sequence[str], exercises: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The exercises in which students of a class have the same answer by chance, with their names."""
    for exercise in exercises:
        if exercise_numbers(exercise):
            found = {name: find_exercise(exercise, name) for name in students}
            truths = {name: each.evaluate(each.solution) for name, each in found.items()}
            within = find_exercise(exercise).tolerance
            same = [
                both
                for both in combinations(students, 2)
                if abs(truths[both[0]] - truths[both[1]]) <= within * abs(truths[both[1]])
            ]
            for both in same:
                yield exercise, list(both)
