"""Find what was handed in, and tell which exercise notebook it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from lmc_utils.marking import identity
from lmc_utils.settings import ParameterError, require, unknown


@dataclass(frozen=True)
class Submission:
    """One file that was handed in.

    Attributes:
        name: as the table calls it: its path below the folder that was given.
        path: where it is; a folder where somebody handed in an empty one.
        notebook: the stem of the exercise notebook that it answers; None where it is no such thing.
        remark: what there is to say of the file itself, or nothing.
    """

    name: str
    path: Path
    notebook: str | None
    remark: str


def collect(paths: Sequence[Path], sources: Mapping[str, Path]) -> list[Submission]:
    """Find what was handed in, and which exercise notebook each file answers, in the order of their names.

    Args:
        paths: files, or folders with files at any depth; what begins with a dot is left out.
        sources: the exercise notebooks by stem.

    Raises:
        ParameterError: a path does not exist, or there is nothing in it.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            near = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
            raise ParameterError(f"submission: {unknown(path.name, near)}" if near else f"submission: no '{path}'")
        for file in _handed_in(path) if path.is_dir() else [path]:
            name = file.relative_to(path).as_posix() if path.is_dir() else path.name
            name = name if name not in found or found[name].samefile(file) else file.as_posix()
            found[name] = file
    require(bool(found), "submission", "files to mark", ", ".join(map(str, paths)))
    cells = {stem: _cells(source) for stem, source in sources.items()}
    return [_recognise(name, found[name], cells) for name in sorted(found)]


def _handed_in(folder: Path) -> list[Path]:
    """The files in a folder, at any depth, and the folders that hold none."""
    everything = [path for path in folder.rglob("*") if not _is_hidden(path.relative_to(folder))]
    empty = [path for path in everything if path.is_dir() and not any(path.iterdir())]
    return [path for path in everything if path.is_file()] + empty


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _cells(source: Path) -> set[str]:
    return {identity(cell) for cell in nbformat.read(source, as_version=4).cells} - {""}


def _recognise(name: str, path: Path, cells: Mapping[str, set[str]]) -> Submission:
    """Tell which exercise notebook a file answers: by its cells, else by what its metadata or its name says."""
    if path.is_dir():
        return Submission(name + "/", path, None, "nothing was handed in")
    if not path.stat().st_size:
        return Submission(name, path, None, "an empty file")
    try:
        notebook = nbformat.reads(path.read_bytes().decode(), as_version=4)
        handed_in = {identity(cell) for cell in notebook.cells}
        says = str(notebook.metadata.get("lmc", {}).get("exercises"))
    except Exception:  # a file of any kind, and nbformat's errors are as many
        return Submission(name, path, None, "not a notebook")
    shared = {stem: len(handed_in & known) for stem, known in cells.items()}
    best = max(shared, key=lambda stem: shared[stem])
    stem = best if shared[best] else next((each for each in cells if each == says or each in path.stem), None)
    if stem is None:
        return Submission(name, path, None, "not one of the exercise notebooks: none of their cells is in it")
    renamed = "" if stem in path.stem else f"the file was renamed: by its cells it is {stem}"
    return Submission(name, path, stem, renamed)
