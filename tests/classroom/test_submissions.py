"""Submissions are found, and recognised by their content rather than by their name."""

from __future__ import annotations

import json
import os
import time
import warnings
from pathlib import Path

import nbformat
import pytest
from example_submissions import SOURCE, hand_in, solved, without

from lmc_utils.classroom.submissions import collect_submissions, read_notebook
from lmc_utils.settings import ParameterError

SOURCES = {path.stem: path for path in sorted(SOURCE.parent.glob("*.ipynb"))}
STEM = SOURCE.stem


def test_files_are_found_at_any_depth_and_named_by_their_path(tmp_path: Path) -> None:
    for name in ("bob/b/01_toy_exercises.ipynb", "ann.ipynb", ".ipynb_checkpoints/ann.ipynb", "cat/.hidden.ipynb"):
        hand_in(solved([]), tmp_path / name)
    (tmp_path / "dan").mkdir()
    found = collect_submissions([tmp_path], SOURCES)
    assert [each.name for each in found] == ["ann.ipynb", "bob/b/01_toy_exercises.ipynb", "cat/", "dan/"]
    assert [each.remark for each in found][1:] == ["", *["an empty folder"] * 2]


@pytest.mark.parametrize("name", [f"{STEM}.ipynb", f"ann_{STEM}.ipynb", f"{STEM} (1).ipynb"])
def test_file_names_may_have_extra_text(name: str, tmp_path: Path) -> None:
    (found,) = collect_submissions([hand_in(solved([]), tmp_path / name)], SOURCES)
    assert (found.notebook, found.remark) == (STEM, "")


def test_a_renamed_file_is_recognised_by_its_cells(tmp_path: Path) -> None:
    (found,) = collect_submissions([hand_in(solved([]), tmp_path / "02_fork_exercises.ipynb")], SOURCES)
    assert (found.notebook, found.remark) == (STEM, f"the file is named after another notebook: it is {STEM}")


def test_a_notebook_without_its_cells_is_recognised_by_its_metadata(tmp_path: Path) -> None:
    emptied = without(solved([]), lambda name: True)
    (found,) = collect_submissions([hand_in(emptied, tmp_path / "homework.ipynb")], SOURCES)
    assert found.notebook == STEM
    (found,) = collect_submissions([hand_in(nbformat.v4.new_notebook(), tmp_path / f"{STEM}.ipynb")], SOURCES)
    assert found.notebook == STEM


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04\xff", "not a notebook"),
        (b'{"cells": [', "not a notebook"),
        (b"[1, 2]", "not a notebook"),
        (b'{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "not a notebook"),
        (b'{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "not one of the exercise notebooks"),
    ],
)
def test_files_that_are_not_exercise_notebooks_are_reported(content: bytes, remark: str, tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_bytes(content)
    (found,) = collect_submissions([tmp_path], SOURCES)
    assert found.notebook is None
    assert found.remark.startswith(remark)


def test_a_missing_path_is_rejected_with_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "submissions").mkdir()
    with pytest.raises(
        ParameterError,
        match=r"no such file or folder: .* did you mean .*",
    ):
        collect_submissions([tmp_path / "submisions"], SOURCES)
    with pytest.raises(ParameterError, match=r"no submissions found in .*"):
        collect_submissions([tmp_path / "submissions"], SOURCES)


def test_students_have_distinct_names(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        hand_in(solved([]), tmp_path / folder / "x.ipynb")
    two = ["a/x.ipynb", "b/x.ipynb"]
    ways = [[tmp_path], [tmp_path / "a", tmp_path / "b"], [tmp_path / "b", tmp_path / "a", tmp_path / "b" / "x.ipynb"]]
    ways.append([tmp_path / "a" / "x.ipynb", tmp_path / "b" / "x.ipynb"])
    assert [[each.name for each in collect_submissions(way, SOURCES)] for way in ways] == [two] * 4
    assert [each.name for each in collect_submissions([tmp_path / "a" / "x.ipynb"], SOURCES)] == ["a/x.ipynb"]


def test_every_submission_has_a_row(tmp_path: Path) -> None:
    (tmp_path / "finder").mkdir()
    (tmp_path / "finder" / ".DS_Store").write_bytes(b"x")
    hand_in(solved([]), tmp_path / "whole" / "x.ipynb")
    (tmp_path / "linked.ipynb").symlink_to(SOURCE)
    (tmp_path / "broken.ipynb").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").symlink_to(tmp_path / "whole")
    (tmp_path / os.fsdecode(b"m\xfcller.txt")).write_text("x")
    found = {each.name: each.remark.partition(":")[0] for each in collect_submissions([tmp_path], SOURCES)}
    assert found == {
        "broken.ipynb": "a link, not the file itself",
        "finder/": "an empty folder",
        "folder": "a link, not the file itself",
        "linked.ipynb": "a link, not the file itself",
        "m\\udcfcller.txt": "not a notebook",
        "whole/x.ipynb": "",
    }
    assert all(name.encode() for name in found)


def test_output_of_the_grader_is_not_a_submission(tmp_path: Path) -> None:
    hand_in(solved([]), tmp_path / "a" / "x.ipynb")
    hand_in(solved([]), tmp_path / "feedback" / "a" / "x.ipynb")
    (tmp_path / "grades.csv").write_text("")
    found = collect_submissions([tmp_path], SOURCES, ignored=[tmp_path / "grades.csv", tmp_path / "feedback"])
    assert [each.name for each in found] == ["a/x.ipynb"]


def test_small_faults_of_a_file_are_repaired() -> None:
    text = '{"cells": [{"cell_type": "markdown"}, {"cell_type": "markdown", "source": "a\\ud800b"}], "metadata": {},'
    notebook = read_notebook(b"\xef\xbb\xbf" + text.encode() + b' "nbformat": 4, "nbformat_minor": 5}')
    assert [cell.source.encode() for cell in notebook.cells] == [b"", "a\ufffdb".encode()]
    with pytest.raises(ValueError, match="not a notebook: JSONDecodeError"):
        read_notebook(b"hello")


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes, and pipes")
def test_files_of_any_type_and_name_have_a_row(tmp_path: Path) -> None:
    for name in (b"a\n.ipynb", b"a\\n.ipynb", b"\xff.ipynb", b"\\udcff.ipynb"):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_text("[]")
    os.mkfifo(tmp_path / "pipe.ipynb")
    found = collect_submissions([tmp_path], {})
    assert [each.name for each in found] == [
        "\\\\udcff.ipynb", "\\udcff.ipynb", "a\\\\n.ipynb", "a\\n.ipynb", "pipe.ipynb",
    ]  # fmt: skip
    assert {each.remark for each in found} == {"not a notebook", "not a file"}


@pytest.mark.skipif(os.name != "posix", reason="links may be made by anybody")
def test_circular_links_have_a_row(tmp_path: Path) -> None:
    for name, target in {"a.ipynb": "b.ipynb", "b.ipynb": "a.ipynb", "self": "self", "up": ".."}.items():
        (tmp_path / name).symlink_to(target)
    found = collect_submissions([tmp_path], {})
    assert [each.name for each in found] == ["a.ipynb", "b.ipynb", "self", "up"]
    assert {each.remark for each in found} == {"a link, not the file itself"}


def test_a_notebook_with_too_many_cells_is_rejected() -> None:
    cells = ", ".join(['{"cell_type": "raw", "metadata": {}, "source": ""}'] * 2001)
    with pytest.raises(ValueError, match="not a notebook: ValueError"):
        read_notebook(f'{{"cells": [{cells}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 4}}'.encode())


def test_huge_files_are_not_read(tmp_path: Path) -> None:
    many = b'{"cells": [' + b"{}," * 1_000_000 + b'{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    (tmp_path / f"{STEM}.ipynb").write_bytes(many)
    begun = time.process_time()
    (found,) = collect_submissions([tmp_path], SOURCES)
    assert time.process_time() - begun < 5, "to read it takes a minute"
    assert (found.notebook, found.remark) == (None, "too large: more than 500,000 arrays and objects")


def test_arbitrary_outputs_and_duplicate_cell_names_are_read(tmp_path: Path) -> None:
    handed_in = solved()
    for cell in handed_in.cells:
        cell.id = "one"
        if cell.cell_type == "code":
            cell.outputs = [{"output_type": "nonsense"}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notebook = read_notebook(json.dumps(handed_in).encode())
    assert all(cell.outputs == [] for cell in notebook.cells if cell.cell_type == "code")
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in handed_in.cells]


def test_a_sheet_with_huge_outputs_is_kept_without_them(tmp_path: Path) -> None:
    text = nbformat.writes(solved()).replace('"outputs": []', f'"outputs": [{"[" * 4_000_000 + "]" * 4_000_000}]', 1)
    (tmp_path / f"{STEM}.ipynb").write_text(text, encoding="utf-16")
    (found,) = collect_submissions([tmp_path], SOURCES)
    assert (found.notebook, found.remark) == (STEM, "")
    assert len(found.content) < 100_000
    assert read_notebook(found.content).cells == read_notebook(text.encode()).cells
