"""Find what was handed in, and tell which exercise notebook it answers."""

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
from lmc_utils.settings import ParameterError, require

_LONGEST_NAME = 200  # characters
_MOST = 2000  # cells of a notebook
_LARGEST = 50 * 2**20  # bytes of a file that may be a notebook
_BRACKETS = 500_000  # each stands for far more memory than it has bytes


@dataclass(frozen=True)
class Submission:
    """One file that was handed in.

    Attributes:
        name: as the table calls it: its path below the folder that was given.
        path: where it is; a folder where somebody handed in an empty one.
        content: of the file, read once, so that what is marked is what was seen; empty where it is no notebook.
        notebook: the stem of the exercise notebook that it answers; None where it is no such thing.
        remark: what there is to say of the file itself, or nothing.
        student: whose numbers its exercises have; None where they are the book's.
        later: the name of a later version, which counts; empty where this one does.
    """

    name: str
    path: Path
    content: bytes
    notebook: str | None
    remark: str
    student: str | None = None
    later: str = ""


def collect_submissions(
    paths: Sequence[Path], sources: Mapping[str, Path], ignored: Collection[Path] = ()
) -> list[Submission]:
    """Find what was handed in, and which exercise notebook each file answers, in the order of their names.

    The paths are files, or folders with files at any depth; what begins with a dot is left out, and what is `ignored`.
    The sources are the exercise notebooks by stem.

    Raises:
        ParameterError: a path does not exist, or there is nothing in it.
    """
    for path in paths:
        if not path.exists():
            beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
            near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.5)
            guess = f"; did you mean '{path.with_name(near[0])}'?" if near else ""
            raise ParameterError(f"submission: expected a file or folder that exists, got '{path}'{guess}")
    base, left_out = _base(paths), {path.resolve() for path in ignored}
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _handed_in(path) if path.is_dir() else [path]:
            place = file.parent.resolve() / file.name  # not the file: links may lead in a circle
            if not left_out & {place, *place.parents}:
                found.setdefault(place, file)
    require(bool(found), "submission", "files to mark", ", ".join(map(str, paths)))
    cells = {stem: {grade_id(cell) for cell in nbformat.read(path, 4).cells} - {""} for stem, path in sources.items()}
    named = {_written(Path(os.path.relpath(place, base)).as_posix()): file for place, file in found.items()}
    return add_identity_remarks([_recognise(name, named[name], cells) for name in sorted(named)])


def add_identity_remarks(submissions: Sequence[Submission]) -> list[Submission]:
    """The submissions with a remark where the numbers seem to be another student's, or nobody's among those of some.

    Whose they are stands in the file and can be changed there; its name and its folder are the other witness.
    """
    with_own = {each.notebook for each in submissions if each.student is not None}

    def doubt(each: Submission) -> str:
        if each.student is None:
            return "it has the book's numbers, not a student's own" if each.notebook in with_own - {None} else ""
        named = re.sub(r"[\W_]+", "", each.student).casefold()
        return "" if named in re.sub(r"[\W_]+", "", each.name).casefold() else f"it has the numbers of '{each.student}'"

    return [replace(each, remark="; ".join(filter(None, (each.remark, doubt(each))))) for each in submissions]


def student_name(notebook: NotebookNode) -> str | None:
    """Whose numbers the exercises of a notebook have; None where they are the book's."""
    about: Any = notebook.metadata.get("lmc")
    name = about.get("student") if isinstance(about, dict) else None
    return name if isinstance(name, str) and name.isprintable() and len(name) <= _LONGEST_NAME else None


def read_notebook(content: bytes) -> NotebookNode:
    """A notebook without outputs from the bytes of a file, mended where that is safe: byte order mark, missing fields.

    Raises:
        ValueError: it is none.
    """
    try:
        raw = json.loads(content.decode("utf-8-sig"))
        if len(raw["cells"]) > _MOST:
            raise ValueError(f"{len(raw['cells'])} cells")
        for row, cell in enumerate(raw["cells"]):
            if cell.get("outputs"):
                cell["outputs"] = []  # they are made anew, and may be of any size
            cell.setdefault("metadata", {})
            cell.setdefault("source", "")
            if (raw["nbformat"], raw["nbformat_minor"]) >= (4, 5):
                cell.setdefault("id", f"cell-{row}")
        text = json.dumps(raw, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a line for each of thousands of cells that have one name
            notebook: NotebookNode = nbformat.reads(text, as_version=4)
        str(notebook.metadata), {(grade_id(cell), cell.get("id")) for cell in notebook.cells}
    except Exception as error:  # a file of any kind, and nbformat's errors are as many
        raise ValueError(f"no notebook: {type(error).__name__}") from error
    return notebook


def _is_far_too_large(content: bytes) -> bool:
    """Whether to read it would take minutes and gigabytes, which is told without reading it."""
    return content.count(b"{") + content.count(b"[") > _BRACKETS


def _written(name: str) -> str:
    """A name on one line of plain text, whatever bytes it is made of; that of no other file."""
    plain = (each if each.isprintable() and each != "\\" else each.encode("unicode_escape").decode() for each in name)
    return "".join(plain)


def _base(paths: Sequence[Path]) -> Path:
    """The folder that names are relative to: the one folder given, else the one that holds all that were."""
    if len(paths) == 1:
        return paths[0].resolve() if paths[0].is_dir() else paths[0].resolve().parent.parent
    return Path(os.path.commonpath([path.resolve().parent for path in paths]))


def _handed_in(folder: Path) -> Iterator[Path]:
    """The files in a folder, at any depth, its links, and the folders that hold none; nothing hidden."""
    for path in folder.rglob("*"):
        if not _is_hidden(path.relative_to(folder)) and (
            path.is_symlink() or not path.is_dir() or all(map(_is_hidden, _names(path)))
        ):
            yield path


def _names(folder: Path) -> list[Path]:
    """The names in a folder; none where it cannot be read."""
    try:
        return [Path(name) for name in os.listdir(folder)]
    except OSError:
        return []


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part in ("__pycache__", "__MACOSX") for part in path.parts)


def _recognise(name: str, path: Path, cells: Mapping[str, set[str]]) -> Submission:
    """Tell which exercise notebook a file answers: by its cells, else by what its metadata or its name says."""
    if path.is_symlink():
        return Submission(name, path, b"", None, "a link, not the file itself")
    if path.is_dir():
        return Submission(f"{name}/", path, b"", None, "nothing was handed in")
    if not path.is_file():
        return Submission(name, path, b"", None, "not a file")  # a pipe would keep who reads it waiting
    try:
        stem, whose, content = None, None, path.read_bytes() if path.stat().st_size <= _LARGEST else b""
    except OSError as error:
        return Submission(name, path, b"", None, f"it cannot be read ({error.strerror})")
    if not path.stat().st_size:
        remark = "an empty file"
    elif zipfile.is_zipfile(path):
        remark = "an archive: unpack it first"
    elif not content or _is_far_too_large(content):
        remark = "not a notebook, or far too large a one"
    else:
        try:
            notebook = read_notebook(content)
            stem, whose = _stem(notebook, path.stem, cells), student_name(notebook)
            remark = "not one of the exercise notebooks: none of their cells is in it"
        except ValueError:
            remark = "not a notebook"
    if stem is None:
        return Submission(name, path, b"", None, remark)
    misnamed = stem not in path.stem and any(other in path.stem for other in cells)
    said = f"the file is named after another notebook: it is {stem}" if misnamed else ""
    return Submission(name, path, content, stem, said, whose)


def _stem(notebook: NotebookNode, name: str, cells: Mapping[str, set[str]]) -> str | None:
    handed_in = {name for cell in notebook.cells for name in (grade_id(cell), cell.get("id"))}
    shared = {stem: len(handed_in & known) for stem, known in cells.items()}
    best = max(shared, key=lambda stem: shared[stem])
    if shared[best]:
        return best
    about: Any = notebook.metadata.get("lmc")
    says = about.get("exercises") if isinstance(about, dict) else None
    return next((stem for stem in cells if stem == says or stem in name), None)
