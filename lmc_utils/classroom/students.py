"""The student of each submission: one person's files come together, and two people's never do."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

from lmc_utils.classroom.resubmissions import file_name, has_own_numbers, submission_author, submission_owner
from lmc_utils.classroom.student_names import may_be_name, name_words
from lmc_utils.classroom.submissions import Submission

_WORDS = """
answer answers assignment chapter ex exercise exercises homework hw lab my notebook problem problems sheet solution
solutions submission task week abgabe aufgabe aufgaben blatt lösung lösungen übung übungen woche
"""
_ASSIGNMENT_WORDS = frozenset(_WORDS.split())
_NUMBERED_WORD = re.compile(r"([^\W\d_]*)\d{0,2}")  # longer numbers may be a student's


def students_of(submissions: Sequence[Submission]) -> list[str]:
    """The student of each submission: by the individual numbers in it, else by the names of folder and file.

    The order of words, capitals and Unicode forms do not distinguish students, nor do parts of the path such as
    `week1` or `hw2`. But two files that answer the same notebook, and both count, always belong to two students.

    >>> from pathlib import Path
    >>> def named(name, notebook="01_toy"):
    ...     return Submission(name, Path(name), b"", notebook, "")
    >>> students_of([named("Lee, Ann/01_toy.ipynb"), named("ann_lee_02_fork.ipynb", "02_fork"), named("ben.ipynb")])
    ['Lee, Ann', 'Lee, Ann', 'ben']
    >>> students_of([named("week1/ann.ipynb"), named("week2/ann.ipynb", "02_fork"), named("week1/ben.ipynb")])
    ['ann', 'ann', 'ben']
    """
    latest = [each for each in submissions if not each.later]
    names = _names(latest)
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        groups[_name_key(name)].append(row)
    students: dict[str, str] = {}
    for rows in groups.values():
        students |= _label_group([latest[row] for row in rows], [names[row] for row in rows])
    students = _distinct_labels(latest, students)
    return [students.get(each.later or each.name, submission_author(each)) for each in submissions]


def _names(submissions: Sequence[Submission]) -> list[str]:
    """The name of each submission's student, as its numbers claim or as folder and file name it.

    A file whose claim differs from the name of folder and file may be copied. The claim counts only if nothing
    contradicts it: no other file of the notebook belongs to this student or claims to, no file of another notebook is
    known to be the student's, and folder and file do not name another student.
    """
    claims = Counter(
        (name_words(each.student), str(each.notebook)) for each in submissions if each.notebook and each.student
    )
    owners: dict[str | None, Counter[str]] = defaultdict(Counter)
    for each in submissions:
        owners[each.notebook][submission_owner(each)[0]] += 1

    def is_contested(each: Submission, student: str) -> bool:
        if claims[name_words(student), str(each.notebook)] > 1:
            return True
        own = submission_owner(each)[0]
        others = owners[each.notebook] - Counter([own])
        return any(may_be_name(other, student) for other in others)

    def certain_name(each: Submission) -> str:
        """The name of the student; empty if the claim is to be decided by the names of the other students."""
        if each.notebook is None:  # another file in a student's folder
            folder = file_name(each).folder
            is_students = not each.named and not all(map(_is_assignment, folder.split("/")))
            return folder if folder and is_students else submission_author(each)
        if not each.student or has_own_numbers(each):
            return submission_owner(each)[0]
        if is_contested(each, each.student) or (
            file_name(each).platform and not may_be_name(submission_author(each), each.student)
        ):
            return submission_author(each)
        return ""

    certain = [certain_name(each) for each in submissions]
    known = {_name_key(name) for name in certain if name}

    def name(each: Submission, certain: str) -> str:
        if certain or not each.student:
            return certain
        author = submission_author(each)
        claimed = _name_key(each.student)
        if known & ({_name_key(author), *map(_name_key, author.split("/"))} - {claimed}):
            return author
        return author if claimed in known and not may_be_name(author, each.student) else each.student

    return [name(*each) for each in zip(submissions, certain, strict=True)]


def _label_group(submissions: Sequence[Submission], names: Sequence[str]) -> dict[str, str]:
    """The students of submissions with equal names, by the names of the submissions.

    They are one student unless two files for the same notebook count, or two users of Canvas submitted them. Moodle's
    numbers do not decide, as they differ between the assignments of one student.
    """
    identifiers = [file_name(each).identifier for each in submissions]
    users = {file_name(each).identifier for each in submissions if file_name(each).platform == "canvas"}
    if len(users) <= 1 and not _has_duplicates(each.notebook for each in submissions if each.notebook):
        return dict.fromkeys((each.name for each in submissions), "/".join(_name_parts(names[0])))
    labels = [f"{name} ({number})" if number else name for name, number in zip(names, identifiers, strict=True)]
    return dict(zip((each.name for each in submissions), labels, strict=True))


def _distinct_labels(submissions: Sequence[Submission], students: dict[str, str]) -> dict[str, str]:
    """Students with the file added where two files for the same notebook would have the same one."""
    counts = Counter((students[each.name], each.notebook) for each in submissions if each.notebook)
    result, taken = dict(students), set[tuple[str, str]]()
    for each in submissions:
        if each.notebook:
            if counts[students[each.name], each.notebook] > 1:
                result[each.name] += f" ({each.name})"
            while (result[each.name], each.notebook) in taken:
                result[each.name] += "'"
            taken.add((result[each.name], each.notebook))
    return result


def _name_key(name: str) -> Hashable:
    """What equal names have in common: the words of each part, without parts such as `week1`."""
    return tuple(name_words(part) or part for part in _name_parts(name))


def _name_parts(name: str) -> list[str]:
    """The parts of a name, without those that name an assignment, unless all do."""
    parts = [part for part in name.split("/") if part] or [name]
    return [part for part in parts if not _is_assignment(part)] or parts


def _is_assignment(part: str) -> bool:
    """Whether a part of a path names an assignment, not a student: words such as `week` with short numbers."""
    matches = [_NUMBERED_WORD.fullmatch(word) for word in name_words(part)]
    words = {match[1] if match else None for match in matches} - {""}
    return bool(words) and words <= _ASSIGNMENT_WORDS


def _has_duplicates(values: Iterable[Hashable]) -> bool:
    return max(Counter(values).values(), default=0) > 1
