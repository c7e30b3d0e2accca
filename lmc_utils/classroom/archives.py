"""Read zip archives of submissions in memory, with bounded numbers of entries and bytes; nothing is extracted."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import IO, Any, cast

_MAX_DIRECTORY = 8 * 2**20  # bytes of an archive's list of entries, which is parsed as a whole
_MAX_DEPTH = 2  # an archive of the class may contain one of each student
_MAX_NAME = 1000  # characters
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags of an entry
_BLOCK = 2**16  # bytes that are unpacked at once: more may come than an entry declares
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # which can be unpacked in blocks


@dataclass
class Budget:
    """What may still be read from one archive, including the archives inside: entries and bytes."""

    entries: int = 20_000
    total: int = 2**30
    each: int = 256 * 2**20


ARCHIVE_TOO_LARGE = f"the archive has more than {Budget.total / 2**30:g} GiB"  # when unpacked: part of a remark


@dataclass(frozen=True)
class Entry:
    """A file in an archive.

    Attributes:
        name: its path; empty if the remark is on the whole archive.
        content: uncompressed; empty where there is a remark.
        remark: why it was not read; may be empty.
        modified: when it was changed, in seconds since 1970.
    """

    name: str
    content: bytes = b""
    remark: str = ""
    modified: float = 0.0


def is_archive_name(name: str) -> bool:
    """Whether a file is read as an archive."""
    return name.lower().endswith(".zip")


def is_hidden(parts: Iterable[str]) -> bool:
    """Whether a path leads to a hidden file, or to one that systems add."""
    return any((part.startswith(".") and part != "..") or part in ("__pycache__", "__MACOSX") for part in parts)


def read_archive(file: IO[bytes], budget: Budget, depth: int = 1) -> Iterator[Entry]:
    """The files in a zip archive, sorted by name, one in memory at a time; archives inside are read, too.

    >>> file = io.BytesIO()
    >>> with zipfile.ZipFile(file, "w") as archive:
    ...     archive.writestr("ann/a.ipynb", "{}")
    ...     archive.writestr("../b.ipynb", "{}")
    >>> [(each.name, each.content, each.remark) for each in read_archive(file, Budget())]
    [('b.ipynb', b'', 'not read: it would be outside the folder of the archive'), ('ann/a.ipynb', b'{}', '')]
    """
    try:
        with zipfile.ZipFile(cast(IO[bytes], _BoundedReads(file))) as archive:
            budget.entries -= len(archive.infolist())
            members = {_name(each): each for each in archive.infolist() if not each.is_dir()}
            members = {name: each for name, each in members.items() if not is_hidden(name.split("/"))}
            if budget.entries < 0:
                yield Entry("", remark="an archive of too many files: unpack it first")
            elif any(each.flag_bits & _ENCRYPTED for each in members.values()):
                yield Entry("", remark="an encrypted archive: unpack it first")
            elif not members:
                yield Entry("", remark="an empty archive")
            else:
                for name in sorted(members):
                    yield from _read_entry(archive, name, members[name], budget, depth)
    except Exception as error:  # zipfile raises many kinds
        yield Entry("", remark=f"a corrupted archive ({type(error).__name__})")


def _read_entry(
    archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo, budget: Budget, depth: int
) -> Iterator[Entry]:
    modified = _modified(member)
    if why := _unsafe_name(name):
        flat = " ".join(part for part in name[:_MAX_NAME].split("/") if part.strip("."))
        yield Entry(flat, b"", f"not read: {why}", modified)
        return
    if why := _not_unpacked(member, budget):
        yield Entry(name, b"", f"not read: {why}; unpack the archive first", modified)
        return
    budget.total -= member.file_size
    try:
        with archive.open(member) as file:
            content = b"".join(iter(lambda: file.read(_BLOCK), b""))  # at most `file_size` bytes
    except Exception as error:
        yield Entry(name, b"", f"corrupted in the archive ({type(error).__name__})", modified)
        return
    if not is_archive_name(name):
        yield Entry(name, content, "", modified)
    elif depth == _MAX_DEPTH:
        yield Entry(name, b"", "an archive in an archive in an archive: unpack it first", modified)
    else:
        for each in read_archive(io.BytesIO(content), budget, depth + 1):
            yield Entry(f"{name}/{each.name}" if each.name else name, each.content, each.remark, each.modified)


def _unsafe_name(name: str) -> str:
    """Why a file of this name is not read; empty if it is."""
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        return "it would be outside the folder of the archive"
    if ":" in name:  # a drive or a stream of Windows
        return "its name contains ':'"
    return "its name is too long" if len(name) > _MAX_NAME else ""


def _not_unpacked(member: zipfile.ZipInfo, budget: Budget) -> str:
    """Why an entry is not unpacked; empty if it is."""
    if member.compress_type not in _METHODS:
        return "it is compressed in an unusual way"
    if member.file_size > budget.each:
        return "it is too large"
    return ARCHIVE_TOO_LARGE if member.file_size > budget.total else ""


def _name(member: zipfile.ZipInfo) -> str:
    """The path of an entry; some programs write it in UTF-8 without saying so, or with the separators of Windows."""
    name = member.filename
    if not member.flag_bits & _UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return str(PurePosixPath(name.replace("\\", "/")))


def _modified(member: zipfile.ZipInfo) -> float:
    try:
        return datetime(*member.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


class _BoundedReads:
    """A file whose single reads are bounded, as `zipfile` reads an archive's whole list of entries at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes."""
        if size > _MAX_DIRECTORY:
            raise zipfile.BadZipFile("too many entries")
        return self._file.read(size if size >= 0 else _MAX_DIRECTORY)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
