"""Several versions of one submission, recognised by their file names: the last one counts.

Files whose names differ in more than a time stamp or the mark of a copy may belong to two students, and all count.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from lmc_utils.classroom.file_names import FileName, parse_file_name
from lmc_utils.classroom.student_names import is_same_name
from lmc_utils.classroom.submissions import Submission


def submission_author(submission: Submission) -> str:
    """The author named by the folder or file; else the file name.

    >>> from pathlib import Path
    >>> def named(name):
    ...     return submission_author(Submission(name, Path(name), b"", "01_toy_exercises", ""))
    >>> named("ann/01_toy_exercises (1).ipynb"), named("ben_01_toy_exercises.ipynb"), named("group/cleo-Copy2.ipynb")
    ('ann', 'ben', 'group/cleo')
    """
    return file_name(submission).author or PurePosixPath(submission.name).stem


def submission_owner(submission: Submission) -> tuple[str, str]:
    """Whose submission a file is: the name, and the number that a learning platform gave it, if any.

    The name is that of the individual numbers where file and folder name this student or nobody, else the author's: the
    work of a student must not be superseded by a file that others submitted.
    """
    if has_own_numbers(submission):
        return " ".join(str(submission.student).split()), file_name(submission).identifier
    return submission_author(submission), file_name(submission).identifier


def has_own_numbers(submission: Submission) -> bool:
    """Whether a submission has individual numbers, of the student that file and folder name, if they name anybody."""
    author = file_name(submission).author
    return submission.student is not None and (not author or is_same_name(author, submission.student))


def file_name(submission: Submission) -> FileName:
    """The parts of a submission's name."""
    return parse_file_name(submission.name, submission.named or submission.notebook or "")


def supersede_earlier_versions(submissions: Sequence[Submission]) -> list[Submission]:
    """Of several versions of a submission, keep the notebook of the last one only; the others name it.

    A time stamp in the name decides, else the time of the file. Of two files of the same second, as from an archive,
    the one with the higher number in its name counts. A file whose name contains no author does not replace one of the
    author: anyone could have submitted it.
    """
    last: dict[Hashable, Submission] = {}
    for each in sorted((each for each in submissions if each.notebook), key=_age):
        last[_versions_key(each)] = each
    result = []
    for each in submissions:
        counts = last[_versions_key(each)] if each.notebook else each
        remark = f"an earlier version: '{counts.name}' counts"
        earlier = replace(each, notebook=None, content=b"", later=counts.name, remark=remark)
        result.append(each if counts is each else earlier)
    return result


def _versions_key(submission: Submission) -> Hashable:
    """What the versions of a submission have in common."""
    return submission_owner(submission), bool(file_name(submission).author), submission.notebook


def _age(submission: Submission) -> tuple[int, int, str]:
    name = file_name(submission)
    changed = submission.path.stat().st_mtime if submission.modified is None else submission.modified
    return int(changed if name.stamp is None else name.stamp), name.copy, submission.name
