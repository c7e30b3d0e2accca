"""Parse the name of a submitted file: author, time stamp, copy number.

Learning platforms (Moodle, Canvas, Blackboard) put the author into names; these platforms, Colab and operating systems
add copy marks.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from lmc_utils.classroom.archives import is_archive_name
from lmc_utils.classroom.student_names import name_words

_HERE = "\0"  # in place of the notebook's name
_MOODLE = re.compile(r"(?P<author>.+)_(?P<identifier>\d+)_assignsubmission_[a-z]+(?:_(?P<rest>.*))?")
_CANVAS = re.compile(r"(?P<author>[^_\0]+)_(?:LATE_)?(?P<identifier>(?!20\d\d_)\d{4,})_\d{4,}_(?P<rest>.*)")
_BLACKBOARD = re.compile(r"(?:.*[_\0])??(?P<author>[^_\0]+)_attempt_(?P<rest>\d{4}-.*)")
_STAMP = re.compile(
    r"[ _.-]{0,9}(?<!\d)(20\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"(?:(?:T|[ _.-]+(?:at[ _])?)([01]\d|2[0-3])[-_.:h]?([0-5]\d)(?:[-_.:m]?([0-5]\d))?)?(?!\d)[ _.-]*"
)
_COPY_OF = re.compile(r"^(?:copy of|kopie von|copie de|copia de)[ _]", re.IGNORECASE)
_COPY = re.compile(
    r"(?:\s{0,9}\((\d{1,4})\)|-Copy(\d{1,4})|[-_ ]v(\d{1,4})|[ _]-[ _](?:copy|kopie|copie|copia)"
    r"|[ _]copy(?:[ _](\d{1,4}))?|(?<=\0)[- ](\d{1,3}))$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class FileName:
    """The parts of a path.

    Attributes:
        author: from folders and file name, without notebook, time stamp and marks of copies; empty if nothing is left.
        folder: the author named by the folders alone.
        identifier: the number that a learning platform gave the author, if any.
        platform: "moodle", "canvas" or "blackboard" if the name has the form of this platform.
        stamp: the time in the name, in seconds since 1970; None for none.
        copy: the number of the copy; 0 for the original.
    """

    author: str
    folder: str = ""
    identifier: str = ""
    platform: str = ""
    stamp: float | None = None
    copy: int = 0


def parse_file_name(path: str, notebook: str = "") -> FileName:
    """Parse the path of a submitted file, relative to the folder of all submissions.

    >>> parse_file_name("Ann Lee_123_assignsubmission_file/01_toy (2).ipynb", "01_toy")
    FileName(author='Ann Lee', folder='Ann Lee', identifier='123', platform='moodle', stamp=None, copy=2)
    >>> parse_file_name("leeann_LATE_12345_67890_01_toy-1.ipynb", "01_toy")
    FileName(author='leeann', folder='', identifier='12345', platform='canvas', stamp=None, copy=1)
    >>> parse_file_name("homework_ann_attempt_2026-11-30-12-00-00_01_toy.ipynb", "01_toy").author
    'ann'
    >>> parse_file_name("tutorial/Copy of ben_01_toy.ipynb", "01_toy")
    FileName(author='tutorial/ben', folder='tutorial', identifier='', platform='', stamp=None, copy=1)
    """
    kept, folder, copy = list[str](), "", 0
    platform, match = "", None
    stamp: float | None = None
    parts = PurePosixPath(unicodedata.normalize("NFC", path)).parts
    for row, part in enumerate(parts, 1):
        is_file = row == len(parts) or is_archive_name(part)
        text = PurePosixPath(part).stem if is_file else part
        rest = text.replace(notebook, _HERE) if notebook else text
        named_by, found = _platform(rest, is_file=is_file)
        if found:
            platform, match = (platform, match) if match else (named_by, found)
            rest = found["rest"] or ""
        if is_file:
            rest, when, number = _without_marks(rest)
            stamp, copy = when or stamp, max(copy, number)
        rest = rest.replace(_HERE, "").strip(" _-.") if rest != text else rest
        if rest and not (kept and name_words(rest) and name_words(rest) == name_words(kept[-1])):
            kept.append(rest)
        if row < len(parts):
            folder = match["author"].replace(_HERE, "") if match else "/".join(kept)
    if match:
        author = match["author"].replace(_HERE, notebook).strip(" _-.")
        return FileName(author, folder and author, match.groupdict().get("identifier") or "", platform, stamp, copy)
    return FileName("/".join(kept), folder, "", "", stamp, copy)


def _platform(text: str, *, is_file: bool) -> tuple[str, re.Match[str] | None]:
    """The learning platform whose pattern a name matches, and the match; Canvas makes names of files only."""
    for platform, pattern in (("moodle", _MOODLE), ("blackboard", _BLACKBOARD), ("canvas", _CANVAS)):
        match = pattern.fullmatch(text) if is_file or platform != "canvas" else None
        if match and not (platform == "canvas" and _STAMP.match(text, match.start("identifier"))):  # a date
            return platform, match
    return "", None


def _without_marks(text: str) -> tuple[str, float | None, int]:
    """A name without time stamp and marks of copies, the time, and the largest number of a mark."""
    stamp, copy = _time(_STAMP.search(text)), 0
    if stamp is not None:
        text = _STAMP.sub(" ", text, count=1).strip()
    while mark := _COPY_OF.search(text) or _COPY.search(text):
        text = (text[: mark.start()] + text[mark.end() :]).strip()
        copy = max(copy, 1, *(int(each) for each in mark.groups() if each))
    return text, stamp, copy


def _time(found: re.Match[str] | None) -> float | None:
    """The time of a stamp; None where there is no such day, and for eight digits alone: they may number a student."""
    if not found or not (found[2] or found[5]):
        return None
    year, _, month, day, hour, minute, second = (int(each) if (each or "").isdigit() else 0 for each in found.groups())
    try:
        return datetime(year, month, day, hour, minute, second).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
