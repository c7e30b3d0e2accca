"""Output files and folders: missing folders are made, and what cannot be written is rejected before the work starts."""

from pathlib import Path

import pytest

from lmc_utils.output_files import require_writable, require_writable_folder
from lmc_utils.settings import ParameterError


def test_missing_folders_are_made_and_existing_files_are_not_changed(tmp_path: Path) -> None:
    (tmp_path / "old.html").write_text("old")
    require_writable(tmp_path / "old.html", "html", ".html")
    require_writable(tmp_path / "a" / "b" / "new.html", "html", ".html")
    require_writable_folder(tmp_path / "c" / "d", "out")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        *("a", "a/b", "c", "c/d", "old.html")
    ]
    assert (tmp_path / "old.html").read_text() == "old"


def test_a_file_that_cannot_be_written_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("")
    for page, line in (
        (Path("x.pdf"), r"html must be a file name ending in \.html \(got 'x\.pdf'\)"),
        (tmp_path / "folder.html", r"html must be a file, not a folder \(got .*"),
        (tmp_path / f"{'x' * 250}.html", r"html: cannot write .* File name too long"),
        (tmp_path / "file" / "x.html", r"html: cannot write .*: (Not a directory|File exists)"),
        (Path("/proc/x.html"), r"html: cannot write '/proc/x.html': No such file or directory"),
    ):
        with pytest.raises(ParameterError, match=f"^{line}$"):
            require_writable(page, "html", ".html")
    with pytest.raises(ParameterError, match=r"^out must be a folder, not a file"):
        require_writable_folder(tmp_path / "file", "out")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder.html"]
