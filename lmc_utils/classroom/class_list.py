"""The list of a class: students with individual numbers, and the folder of each."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from lmc_utils.classroom.exercise_lookup import exercise_numbers, find_exercise
from lmc_utils.classroom.individual_numbers import normalised_name
from lmc_utils.settings import ParameterError, require

_COLUMN = "student"


def student_folders(table: Path) -> dict[str, str]:
    """Read the students of a CSV file, in its order, with a folder name for each.

    Args:
        table: has a header; the column `student` holds names or matriculation numbers.

    Raises:
        ParameterError: the file or column is missing, there is no student, or names are empty or not distinct.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = list(rows.fieldnames or [])
            require(_COLUMN in columns, "for", f"a column named '{_COLUMN}' in '{table}'", columns)
            names = [" ".join((row[_COLUMN] or "").split()) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(f"for: expected a table of students, got '{table}' ({error})") from error
    require(bool(names), "for", f"at least one student in '{table}'", len(names))
    result: dict[str, str] = {}
    for line, name in enumerate(names, 2):
        require(name.isprintable() and bool(name), "for", f"a name in line {line} of '{table}'", name)
        folder = safe_file_name(normalised_name(name))
        same = [other for other, taken in result.items() if taken == folder]
        require(bool(folder) and not same, "for", f"students whose names differ in '{table}'", [*same, name])
        result[name] = folder
    return result


def safe_file_name(student: str) -> str:
    """A student's name as a file name that is valid on any system; empty where no valid character is left.

    >>> safe_file_name("../Ann Lee")
    'Ann_Lee'
    """
    return re.sub(r"[^\w.@+-]+", "_", student).strip("._")[:100]


def equal_answers(students: Sequence[str], exercises: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Find exercises in which two students of a class happen to have the same correct answer, with their names."""
    for exercise in filter(exercise_numbers, exercises):
        found = {name: find_exercise(exercise, name) for name in students}
        solutions = {name: each.evaluate(each.solution) for name, each in found.items()}
        tolerance = find_exercise(exercise).tolerance
        for one, other in combinations(students, 2):
            if abs(solutions[one] - solutions[other]) <= tolerance * abs(solutions[other]):
                yield exercise, [one, other]
