"""A notebook file is read, or rejected with a one-line error."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from small_project import write_notebook

from lmc_utils.running import notebook_files
from lmc_utils.settings import ParameterError


def test_a_notebook_is_read_unchanged(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "1")
    assert notebook_files.read(path) == json.loads(path.read_text())


def test_missing_cell_ids_cause_no_warning(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "1")
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        del cell["id"]
    path.write_text(json.dumps(notebook))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [cell["cell_type"] for cell in notebook_files.read(path)["cells"]] == ["markdown", "code", "code"]


EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"hello", b"\xff\xfe", b"3", b"null", b"[]", b"{}", b"[" * 10**5, b"9" * 5000,
        *(
            json.dumps(EMPTY | changed).encode()
            for changed in (
                {"cells": None}, {"cells": [1, 2]}, {"cells": [{"outputs": None}]}, {"metadata": None},
                {"nbformat": True}, {"nbformat": 3}, {"nbformat": [4]}, {"nbformat_minor": "x"}, {"more": 1},
            )
        ),
    ],
    ids=lambda content: str(content)[:40],
)  # fmt: skip
def test_invalid_files_are_one_line_errors(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(content)
    with pytest.raises(ParameterError, match=r"^.*"):
        notebook_files.read(tmp_path / "a.ipynb", "a thing")
