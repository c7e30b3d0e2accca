"""Who has handed in what: files that are versions of one another, told by their names alone.

Nothing is guessed: files that differ in more than a mark of version may be those of two people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from lmc_utils.classroom.submissions import Submission

_MARK = re.compile(r"(?:\s*\((\d+)\)|-Copy(\d+)|[-_ ]v(\d+))$", re.IGNORECASE)


def submission_author(submission: Submission) -> str:
    """Whose file it is: its folder, and what its name says besides its notebook and its version; else its name.

    >>> from pathlib import Path
    >>> def named(name):
    ...     return submission_author(Submission(name, Path(name), b"", "01_toy_exercises", ""))
    >>> named("ann/01_toy_exercises (1).ipynb"), named("ben_01_toy_exercises.ipynb"), named("group/cleo-Copy2.ipynb")
    ('ann', 'ben', 'group/cleo')
    """
    path = PurePosixPath(submission.name)
    own = _MARK.sub("", path.stem)
    if submission.notebook:
        own = own.replace(submission.notebook, "").strip(" _-.")
    return str(path.parent / own) if own or path.parent.name else path.stem


def supersede_earlier_versions(submissions: Sequence[Submission]) -> list[Submission]:
    """The submissions, where of the versions of one file only the one that was written last answers its notebook.

    Where two were written in the same second, as by an archive, the one with the higher number in its name counts.
    """
    by_whom: dict[tuple[str, str], list[Submission]] = {}
    for each in submissions:
        if each.notebook:
            by_whom.setdefault((submission_author(each), each.notebook), []).append(each)
    last = {key: max(each, key=_when) for key, each in by_whom.items()}
    return [
        each
        if each.notebook is None or (counts := last[submission_author(each), each.notebook]) is each
        else replace(
            each, notebook=None, content=b"", later=counts.name, remark=f"an earlier version: '{counts.name}' counts"
        )
        for each in submissions
    ]


def _when(submission: Submission) -> tuple[int, int, str]:
    mark = _MARK.search(PurePosixPath(submission.name).stem)
    number = next((int(each) for each in mark.groups() if each), 0) if mark else 0
    return int(submission.path.stat().st_mtime), number, submission.name
