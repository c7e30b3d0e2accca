"""Several versions of one submission, recognised by their file names: the last one counts.

Files whose names differ in more than a version mark may belong to two students, and all count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from lmc_utils.classroom.submissions import Submission

_MARK = re.compile(r"(?:\s*\((\d+)\)|-Copy(\d+)|[-_ ]v(\d+))$", re.IGNORECASE)


def submission_author(submission: Submission) -> str:
    """The author of a submission: its folder and its file name without notebook and version; else its file name.

    >>> from pathlib import Path
    >>> def named(name):
    ...     return submission_author(Submission(name, Path(name), b"", "01_toy_exercises", ""))
    >>> named("ann/01_toy_exercises (1).ipynb"), named("ben_01_toy_exercises.ipynb"), named("group/cleo-Copy2.ipynb")
    ('ann', 'ben', 'group/cleo')
    """
    path = PurePosixPath(submission.name)
    rest = _MARK.sub("", path.stem)
    if submission.notebook:
        rest = rest.replace(submission.notebook, "").strip(" _-.")
    return str(path.parent / rest) if rest or path.parent.name else path.stem


def supersede_earlier_versions(submissions: Sequence[Submission]) -> list[Submission]:
    """Of several versions of a submission, keep the notebook of the last one only; the others name it.

    Of two files of the same second, as from an archive, the one with the higher number in its name counts.
    """
    last: dict[tuple[str, str], Submission] = {}
    for each in sorted((each for each in submissions if each.notebook), key=_age):
        last[submission_author(each), str(each.notebook)] = each
    result = []
    for each in submissions:
        counts = last[submission_author(each), each.notebook] if each.notebook else each
        remark = f"an earlier version: '{counts.name}' counts"
        earlier = replace(each, notebook=None, content=b"", later=counts.name, remark=remark)
        result.append(each if counts is each else earlier)
    return result


def _age(submission: Submission) -> tuple[int, int, str]:
    mark = _MARK.search(PurePosixPath(submission.name).stem)
    number = next((int(each) for each in mark.groups() if each), 0) if mark else 0
    return int(submission.path.stat().st_mtime), number, submission.name
