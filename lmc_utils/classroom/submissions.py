"""Find submissions, and recognise the exercise notebook that each of them answers."""

from __future__ import annotations

import ast
import difflib
import io
import os
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import nbformat
from nbformat import NotebookNode

from lmc_utils.classroom.archives import ARCHIVE_TOO_LARGE, Budget, is_archive_name, is_hidden, read_archive
from lmc_utils.classroom.assignments import grade_id
from lmc_utils.classroom.file_names import parse_file_name
from lmc_utils.classroom.notebook_reading import read_notebook, without_outputs
from lmc_utils.classroom.student_names import may_be_name
from lmc_utils.settings import ParameterError

_MAX_NAME = 200  # characters
_MAX_FILE = Budget.each  # bytes of a file with its outputs
_TOO_LARGE = f"too large: more than {_MAX_FILE // 2**20} MiB"
_OTHER_ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".xz", ".bz2")
_INDIVIDUAL_CHECK = re.compile(
    r"""\b(?:check|require_correct)\(["'][\w-]{1,40}["'], \w{1,100}, student=((["'])(?:(?!\2)[^\\\n]|\\.){1,800}\2)\)"""
)


@dataclass(frozen=True)
class Submission:
    """A submitted file.

    Attributes:
        name: in the table: its path relative to the given folder.
        path: of the file, of the archive that contains it, or of an empty folder.
        content: of the file, read once, so that it cannot change before it is marked, in UTF-8 and without stored
            outputs; empty unless it is a notebook.
        notebook: the stem of the exercise notebook that it answers, if any.
        remark: on the file itself; may be empty.
        student: whose individual numbers it has; None for the book's.
        later: the name of the later version that counts instead, if any.
        named: the stem of the exercise notebook that its name contains, if any.
        modified: when it was changed, in seconds since 1970; None for the time of the path.
    """

    name: str
    path: Path
    content: bytes
    notebook: str | None
    remark: str
    student: str | None = None
    later: str = ""
    named: str = ""
    modified: float | None = None


def collect_submissions(
    paths: Sequence[Path], sources: Mapping[str, Path], *, ignored: Collection[Path] = ()
) -> list[Submission]:
    """Find submissions and the exercise notebook that each answers, sorted by name.

    Args:
        paths: files, or folders with files at any depth; zip archives are read like folders, hidden files left out.
        sources: the exercise notebooks, by stem.
        ignored: files and folders to leave out.

    Raises:
        ParameterError: a path does not exist, or there are no files.
    """
    for path in paths:
        if not path.exists():
            beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
            near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.5)
            guess = f"; did you mean '{path.with_name(near[0])}'?" if near else ""
            raise ParameterError(f"no such file or folder: {path}{guess}")
    base, left_out = _base(paths), {path.resolve() for path in ignored}
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _files(path) if path.is_dir() else [path]:
            place = file.parent.resolve() / file.name  # not resolved: links may be circular
            if not left_out & {place, *place.parents}:
                found.setdefault(place, file)
    if not found:
        raise ParameterError(f"no submissions found in {', '.join(map(str, paths))}")
    cells = {stem: {grade_id(cell) for cell in nbformat.read(path, 4).cells} - {""} for stem, path in sources.items()}
    named = {_printable(Path(os.path.relpath(place, base)).as_posix()): file for place, file in found.items()}
    alone = len(paths) == 1 and not paths[0].is_dir()
    submissions = [each for name in sorted(named) for each in _recognise(name, named[name], cells, alone=alone)]
    return add_identity_remarks(_with_distinct_names(submissions))


def _with_distinct_names(submissions: Sequence[Submission]) -> list[Submission]:
    """Submissions whose names, by which marks are found, differ even where an archive was made to confuse them."""
    result: dict[str, Submission] = {}
    for each in submissions:
        name = each.name
        while name in result:
            name += "'"
        result[name] = replace(each, name=name)
    return list(result.values())


def add_identity_remarks(submissions: Sequence[Submission]) -> list[Submission]:
    """Add a remark where a submission has another student's numbers, or the book's where others have individual ones.

    The student's name is in the notebook and can be edited there, so it is compared with the author that file and
    folder name, if they name any.
    """
    individual = {each.notebook for each in submissions if each.student is not None} - {None}

    def doubt(each: Submission) -> str:
        if each.student is None:
            return "it has the book's numbers, not individual ones" if each.notebook in individual else ""
        author = parse_file_name(each.name, each.named).author
        unsuspicious = not author or may_be_name(author, each.student)
        return "" if unsuspicious else f"it has the numbers of '{each.student}'"

    return [replace(each, remark="; ".join(filter(None, (each.remark, doubt(each))))) for each in submissions]


def too_large_archives(submissions: Sequence[Submission]) -> list[Path]:
    """The archives that contain too many bytes for all of their files to be read."""
    cut = f"not read: {ARCHIVE_TOO_LARGE}"
    return list(dict.fromkeys(each.path for each in submissions if each.remark.startswith(cut)))


def student_name(notebook: NotebookNode) -> str | None:
    """The student whose individual numbers a notebook has, by its metadata, else by its checks; None for the book's."""
    metadata: Any = notebook.metadata.get("lmc")
    in_metadata = metadata.get("student") if isinstance(metadata, dict) else None
    return next((str(name) for name in (in_metadata, *_names_in_checks(notebook)) if _is_name(name)), None)


def _names_in_checks(notebook: NotebookNode) -> Iterator[str]:
    """The names in calls such as `check("toy-2", barrier, student="Ann Lee")`, see `assignments.individualise`."""
    for cell in notebook.cells:
        source = cell.get("source") if cell.get("cell_type") == "code" else ""
        if isinstance(source, str) and (found := _INDIVIDUAL_CHECK.search(source)):
            with suppress(ValueError, SyntaxError):
                yield str(ast.literal_eval(found[1]))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isprintable() and 0 < len(name) <= _MAX_NAME


def _printable(name: str) -> str:
    """A file name with unprintable characters escaped, so that it is one line and still unique."""
    return "".join(
        each if each.isprintable() and each != "\\" else each.encode("unicode_escape").decode() for each in name
    )


def _base(paths: Sequence[Path]) -> Path:
    """The folder that names are relative to: the one that was given, else the common one of all paths."""
    if len(paths) == 1:
        return paths[0].resolve() if paths[0].is_dir() else paths[0].resolve().parent.parent
    return Path(os.path.commonpath([path.resolve().parent for path in paths]))


def _files(folder: Path) -> Iterator[Path]:
    """Files and links in a folder, at any depth, and folders without files; nothing hidden."""
    for path in folder.rglob("*"):
        if not is_hidden(path.relative_to(folder).parts) and (
            path.is_symlink() or not path.is_dir() or _is_empty(path)
        ):
            yield path


def _is_empty(folder: Path) -> bool:
    """Whether a folder contains only hidden files, or cannot be read."""
    try:
        return all(is_hidden([name]) for name in os.listdir(folder))
    except OSError:
        return True


def _recognise(name: str, path: Path, cells: Mapping[str, set[str]], *, alone: bool) -> Iterator[Submission]:
    """Recognise the exercise notebook that a file answers, or those that the files in an archive answer.

    Args:
        name: of the file.
        path: of the file.
        cells: names of the cells of each exercise notebook.
        alone: an archive is all that is graded: the names of its files do not begin with its own.
    """
    if path.is_symlink():
        yield Submission(name, path, b"", None, "a link, not the file itself")
    elif path.is_dir():
        yield Submission(f"{name}/", path, b"", None, "an empty folder")
    elif not path.is_file():
        yield Submission(name, path, b"", None, "not a file")  # reading a pipe would block
    else:
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size and is_archive_name(path.name):
                    yield from _recognise_in_archive(name, path, file, cells, alone=alone)
                else:
                    content = file.read(_MAX_FILE) if size <= _MAX_FILE else b""
                    yield _recognise_content(name, path, content, cells, remark=_TOO_LARGE if size > _MAX_FILE else "")
        except OSError as error:
            yield Submission(name, path, b"", None, f"it cannot be read ({error.strerror})")


def _recognise_in_archive(
    name: str, path: Path, file: IO[bytes], cells: Mapping[str, set[str]], *, alone: bool
) -> Iterator[Submission]:
    for entry in read_archive(file, Budget()):
        inner = _printable(entry.name) if alone and entry.name else f"{name}/{_printable(entry.name)}".rstrip("/")
        found = _recognise_content(inner, path, entry.content, cells, remark=entry.remark)
        yield replace(found, modified=entry.modified)


def _recognise_content(
    name: str, path: Path, content: bytes, cells: Mapping[str, set[str]], *, remark: str = ""
) -> Submission:
    """Recognise the exercise notebook that a file answers: by its cells, else by its metadata or name."""
    inner = PurePosixPath(name).stem
    named = max((stem for stem in cells if stem in inner), key=len, default="")
    try:
        if remark := remark or _not_a_notebook(name, content):
            return Submission(name, path, b"", None, remark, named=named)
        content = without_outputs(content)
    except UnicodeError:
        return Submission(name, path, b"", None, "not a notebook", named=named)
    except ValueError as error:
        return Submission(name, path, b"", None, f"too large: {error}", named=named)
    try:
        notebook = read_notebook(content)
    except ValueError:
        return Submission(name, path, b"", None, "not a notebook", named=named)
    stem = _stem(notebook, inner, cells)
    if stem is None:
        remark = "not one of the exercise notebooks: it contains none of their cells"
        return Submission(name, path, b"", None, remark, named=named)
    remark = f"the file is named after another notebook: it is {stem}" if named and stem not in inner else ""
    return Submission(name, path, content, stem, remark, student_name(notebook), named=named)


def _not_a_notebook(name: str, content: bytes) -> str:
    """Why a file cannot be a notebook; empty if it may be one."""
    if not content:
        return "an empty file"
    if name.lower().endswith(_OTHER_ARCHIVES) or zipfile.is_zipfile(io.BytesIO(content)):
        return "an archive or a document, not a notebook; unpack an archive first"
    return ""


def _stem(notebook: NotebookNode, name: str, cells: Mapping[str, set[str]]) -> str | None:
    names = {name for cell in notebook.cells for name in (grade_id(cell), cell.get("id"))}
    shared = {stem: len(names & known) for stem, known in cells.items()}
    best = max(shared, key=lambda stem: shared[stem])
    if shared[best]:
        return best
    metadata: Any = notebook.metadata.get("lmc")
    says = metadata.get("exercises") if isinstance(metadata, dict) else None
    return next((stem for stem in cells if stem == says or stem in name), None)
