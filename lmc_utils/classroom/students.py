"""The student of each submission: one person's files come together, and two people's never do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from lmc_utils.classroom.resubmissions import file_name, has_own_numbers, submission_author, submission_owner
from lmc_utils.classroom.student_names import name_words
from lmc_utils.classroom.submissions import Submission


def students_of(submissions: Sequence[Submission]) -> list[str]:
    """The student of each submission: by the individual numbers in it, else by the names of folder and file.

    The order of words, capitals and Unicode forms do not distinguish students. But two files that answer the same
    notebook, and both count, always belong to two students.

    >>> from pathlib import Path
    >>> def named(name, notebook="01_toy"):
    ...     return Submission(name, Path(name), b"", notebook, "")
    >>> students_of([named("Lee, Ann/01_toy.ipynb"), named("ann_lee_02_fork.ipynb", "02_fork"), named("ben.ipynb")])
    ['Lee, Ann', 'Lee, Ann', 'ben']
    """
    owners = _owners(submissions)
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for row, (name, _) in enumerate(owners):
        groups[name_words(name) or name].append(row)
    result = [name for name, _ in owners]
    for rows in groups.values():
        counting = Counter(submissions[row].notebook for row in rows if submissions[row].notebook)
        distinct = max(counting.values(), default=1) > 1
        for row in rows:
            name, identifier = owners[row]
            result[row] = f"{name} ({identifier})" if distinct and identifier else name if distinct else result[rows[0]]
    by_name = {each.name: student for each, student in zip(submissions, result, strict=True)}
    return [by_name.get(each.later, student) for each, student in zip(submissions, result, strict=True)]


def _owners(submissions: Sequence[Submission]) -> list[tuple[str, str]]:
    """The name of each submission's student, and the number of a learning platform that distinguishes equal names."""
    confirmed = {_claim(each) for each in submissions if each.notebook and has_own_numbers(each)}
    claims = Counter(_claim(each) for each in submissions if each.notebook)

    def owner(each: Submission) -> tuple[str, str]:
        if each.notebook is None and not each.named and not each.later:  # another file in a student's folder
            return file_name(each).folder or submission_author(each), file_name(each).identifier
        unknown = each.notebook and each.student and _claim(each) not in confirmed and claims[_claim(each)] == 1
        return (str(each.student), "") if unknown else submission_owner(each)

    return [owner(each) for each in submissions]


def _claim(submission: Submission) -> Hashable:
    """The student whose individual numbers a submission has, with its notebook."""
    return name_words(submission.student or ""), submission.notebook
