"""Find submissions, and recognise the exercise notebook that each of them answers."""

from __future__ import annotations

import difflib
import json
import os
import re
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from lmc_utils.classroom.assignments import grade_id
from lmc_utils.settings import ParameterError

_MAX_NAME = 200  # characters
_MAX_CELLS = 2000  # cells of a notebook
_MAX_BYTES = 50 * 2**20  # bytes of a file that may be a notebook
_MAX_BRACKETS = 500_000  # parsing takes far more memory for each than its one byte


@dataclass(frozen=True)
class Submission:
    """A submitted file.

    Attributes:
        name: in the table: its path relative to the given folder.
        path: of the file, or of an empty folder.
        content: of the file, read once, so that it cannot change before it is marked; empty unless it is a notebook.
        notebook: the stem of the exercise notebook that it answers, if any.
        remark: on the file itself; may be empty.
        student: whose individual numbers it has; None for the book's.
        later: the name of the later version that counts instead, if any.
    """

    name: str
    path: Path
    content: bytes
    notebook: str | None
    remark: str
    student: str | None = None
    later: str = ""


def collect_submissions(
    paths: Sequence[Path], sources: Mapping[str, Path], *, ignored: Collection[Path] = ()
) -> list[Submission]:
    """Find submissions and the exercise notebook that each answers, sorted by name.

    Args:
        paths: files, or folders with files at any depth; hidden files are left out.
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
    return add_identity_remarks([_recognise(name, named[name], cells) for name in sorted(named)])


def add_identity_remarks(submissions: Sequence[Submission]) -> list[Submission]:
    """Add a remark where a submission has another student's numbers, or the book's where others have individual ones.

    The student's name is in the notebook and can be edited there, so it is compared with the name of file and folder.
    """
    individual = {each.notebook for each in submissions if each.student is not None} - {None}

    def doubt(each: Submission) -> str:
        if each.student is None:
            return "it has the book's numbers, not individual ones" if each.notebook in individual else ""
        student, name = (re.sub(r"[\W_]+", "", text).casefold() for text in (each.student, each.name))
        return "" if student in name else f"it has the numbers of '{each.student}'"

    return [replace(each, remark="; ".join(filter(None, (each.remark, doubt(each))))) for each in submissions]


def student_name(notebook: NotebookNode) -> str | None:
    """The student whose individual numbers a notebook has; None for the book's."""
    metadata: Any = notebook.metadata.get("lmc")
    name = metadata.get("student") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name.isprintable() and len(name) <= _MAX_NAME else None


def read_notebook(content: bytes) -> NotebookNode:
    """Parse a notebook, without its outputs; a byte order mark and missing fields are repaired.

    Raises:
        ValueError: it is not a notebook.
    """
    try:
        raw = json.loads(content.decode("utf-8-sig"))
        if len(raw["cells"]) > _MAX_CELLS:
            raise ValueError(f"{len(raw['cells'])} cells")
        for row, cell in enumerate(raw["cells"]):
            if cell.get("outputs"):
                cell["outputs"] = []  # they will be computed again, and may be huge
            cell.setdefault("metadata", {})
            cell.setdefault("source", "")
            if (raw["nbformat"], raw["nbformat_minor"]) >= (4, 5):
                cell.setdefault("id", f"cell-{row}")
        text = json.dumps(raw, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one for each duplicated id
            notebook: NotebookNode = nbformat.reads(text, as_version=4)
        str(notebook.metadata), {(grade_id(cell), cell.get("id")) for cell in notebook.cells}
    except Exception as error:  # any file, any kind of error
        raise ValueError(f"not a notebook: {type(error).__name__}") from error
    return notebook


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
        if not _is_hidden(path.relative_to(folder)) and (path.is_symlink() or not path.is_dir() or _is_empty(path)):
            yield path


def _is_empty(folder: Path) -> bool:
    """Whether a folder contains only hidden files, or cannot be read."""
    try:
        return all(_is_hidden(Path(name)) for name in os.listdir(folder))
    except OSError:
        return True


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part in ("__pycache__", "__MACOSX") for part in path.parts)


def _recognise(name: str, path: Path, cells: Mapping[str, set[str]]) -> Submission:
    """Recognise the exercise notebook that a file answers: by its cells, else by its metadata or name."""
    if path.is_symlink():
        return Submission(name, path, b"", None, "a link, not the file itself")
    if path.is_dir():
        return Submission(f"{name}/", path, b"", None, "an empty folder")
    if not path.is_file():
        return Submission(name, path, b"", None, "not a file")  # reading a pipe would block
    try:
        stem, author, content = None, None, path.read_bytes() if path.stat().st_size <= _MAX_BYTES else b""
    except OSError as error:
        return Submission(name, path, b"", None, f"it cannot be read ({error.strerror})")
    if not path.stat().st_size:
        remark = "an empty file"
    elif zipfile.is_zipfile(path):
        remark = "an archive: unpack it first"
    elif not content or content.count(b"{") + content.count(b"[") > _MAX_BRACKETS:
        remark = "not a notebook, or far too large"
    else:
        try:
            notebook = read_notebook(content)
            stem, author = _stem(notebook, path.stem, cells), student_name(notebook)
            remark = "not one of the exercise notebooks: it contains none of their cells"
        except ValueError:
            remark = "not a notebook"
    if stem is None:
        return Submission(name, path, b"", None, remark)
    misnamed = stem not in path.stem and any(other in path.stem for other in cells)
    remark = f"the file is named after another notebook: it is {stem}" if misnamed else ""
    return Submission(name, path, content, stem, remark, author)


def _stem(notebook: NotebookNode, name: str, cells: Mapping[str, set[str]]) -> str | None:
    names = {name for cell in notebook.cells for name in (grade_id(cell), cell.get("id"))}
    shared = {stem: len(names & known) for stem, known in cells.items()}
    best = max(shared, key=lambda stem: shared[stem])
    if shared[best]:
        return best
    metadata: Any = notebook.metadata.get("lmc")
    says = metadata.get("exercises") if isinstance(metadata, dict) else None
    return next((stem for stem in cells if stem == says or stem in name), None)
