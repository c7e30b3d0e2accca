"""The list of a class: students with individual numbers, and the folder of each."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from lmc_utils.classroom.exercise_lookup import exercise_numbers, find_exercise
from lmc_utils.classroom.individual_numbers import normalised_name
from lmc_utils.settings import ParameterError

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
            if _COLUMN not in columns:
                raise ParameterError(
                    f"'{table}' has no column named '{_COLUMN}' (its columns: {', '.join(map(str, columns))})"
                )
            names = [" ".join((row[_COLUMN] or "").split()) for row in rows]
    except FileNotFoundError:
        raise ParameterError(f"no such file: {table}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(f"cannot read the class list '{table}': {error}") from error
    if not names:
        raise ParameterError(f"'{table}' lists no students")
    result: dict[str, str] = {}
    for line, name in enumerate(names, 2):
        if not (name.isprintable() and name):
            raise ParameterError(
                f"'{table}', line {line}: the name must not be empty or have unprintable characters (got {name!r})"
            )
        folder = safe_file_name(normalised_name(name))
        same = [other for other, taken in result.items() if taken == folder]
        if not folder or same:
            raise ParameterError(
                f"'{table}' has names that cannot be told apart as folders: {', '.join([*same, name])}"
            )
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
            if np.abs(solutions[one] - solutions[other]).max() <= tolerance * np.abs(solutions[other]).max():
                yield exercise, [one, other]
