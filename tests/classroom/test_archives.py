"""Archives of learning platforms are graded as they are; hostile ones are rejected in one line, with little memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from functools import partial
from pathlib import Path

import nbformat
import pytest
from example_submissions import SOURCE, solved

from lmc_utils.classroom import submissions
from lmc_utils.classroom.archives import Budget, read_archive
from lmc_utils.classroom.resubmissions import supersede_earlier_versions
from lmc_utils.classroom.students import students_of
from lmc_utils.classroom.submissions import collect_submissions

SOURCES = {path.stem: path for path in sorted(SOURCE.parent.glob("*.ipynb"))}
STEM = SOURCE.stem
SHEET = nbformat.writes(solved([])).encode()
ANN, BEN = ("Ann Lee_123456_assignsubmission_file", "Ben Öz_123457_assignsubmission_file")


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def remarks(content: bytes, budget: Budget | None = None) -> dict[str, str]:
    return {each.name: each.remark for each in read_archive(io.BytesIO(content), budget or Budget())}


@pytest.mark.parametrize(
    "names",
    [
        (f"{ANN}/{STEM}.ipynb", f"{BEN}/{STEM}.ipynb"),
        (f"{ANN}_{STEM}.ipynb", f"{BEN}_{STEM}.ipynb"),
        (f"{ANN}/homework.zip", f"{BEN}/homework.zip"),
    ],
)
def test_an_archive_of_moodle_is_graded_as_it_is(names: tuple[str, str], tmp_path: Path) -> None:
    content = packed({f"{STEM}.ipynb": SHEET}) if names[0].endswith(".zip") else SHEET
    (tmp_path / "moodle.zip").write_bytes(packed(dict.fromkeys(names, content)))
    found = collect_submissions([tmp_path / "moodle.zip"], SOURCES)
    assert [(each.notebook, each.remark) for each in found] == [(STEM, "")] * 2
    assert all(each.name.startswith(name) for each, name in zip(found, names, strict=True))
    assert students_of(found) == ["Ann Lee", "Ben Öz"]
    assert [path.name for path in tmp_path.iterdir()] == ["moodle.zip"]


def test_an_archive_of_canvas_is_graded_as_it_is(tmp_path: Path) -> None:
    names = [f"leeann_LATE_12345_67890_{STEM}-1.ipynb", f"ozben_12346_67891_{STEM}.ipynb"]
    (tmp_path / "submissions.zip").write_bytes(packed(dict.fromkeys(names, SHEET)))
    found = supersede_earlier_versions(collect_submissions([tmp_path / "submissions.zip"], SOURCES))
    assert [(each.name, each.notebook) for each in found] == [(name, STEM) for name in names]
    assert students_of(found) == ["leeann", "ozben"]


def test_a_folder_may_have_an_archive_of_each_student(tmp_path: Path) -> None:
    for name in ("ann", "ben"):
        content = packed({f"{STEM}.ipynb": SHEET, "__MACOSX/._x": b"x", "notes/": b""})
        (tmp_path / f"{name}.zip").write_bytes(content)
    found = collect_submissions([tmp_path], SOURCES)
    assert [(each.name, each.notebook) for each in found] == [
        (f"ann.zip/{STEM}.ipynb", STEM),
        (f"ben.zip/{STEM}.ipynb", STEM),
    ]
    assert students_of(found) == ["ann", "ben"]


def test_names_cannot_leave_the_archive() -> None:
    names = ["../a.ipynb", "/etc/b.ipynb", "x/../../c.ipynb", "..\\e.ipynb"]
    found = remarks(packed(dict.fromkeys(names, SHEET)))
    assert set(found.values()) == {"not read: it would be outside the folder of the archive"}
    assert not any("/" in name for name in found)
    drives = remarks(packed(dict.fromkeys(["C:/d.ipynb", "C:e.ipynb", "ann/C:f.ipynb", "ann/g.ipynb:h"], SHEET)))
    assert set(drives.values()) == {"not read: its name contains ':'"}
    assert list(remarks(packed({"x" * 5000: SHEET})).values()) == ["not read: its name is too long"]


def test_names_of_old_programs_are_decoded() -> None:
    content = packed({"Zoë.ipynb": b"{}"}).replace("Zoë".encode(), "Zoë".encode())
    flagged = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        flagged[flagged.find(signature) + offset + 1] &= ~0x08
    assert list(remarks(bytes(flagged))) == ["Zoë.ipynb"]


def test_an_encrypted_archive_is_one_line() -> None:
    content = bytearray(packed({"a.ipynb": SHEET, "b.ipynb": SHEET}))
    content[content.find(b"PK\x01\x02") + 8] |= 1
    assert remarks(bytes(content)) == {"": "an encrypted archive: unpack it first"}


def test_corrupted_archives_are_one_line() -> None:
    content = packed({"a.ipynb": SHEET})
    assert remarks(content[:200])[""].startswith("a corrupted archive")
    damaged = content.replace(content[100:120], bytes(20))
    assert remarks(damaged)["a.ipynb"].startswith("corrupted in the archive")
    assert remarks(packed({})) == {"": "an empty archive"}
    unusual = packed({"a.ipynb": SHEET}, zipfile.ZIP_BZIP2)
    assert remarks(unusual)["a.ipynb"] == "not read: it is compressed in an unusual way; unpack the archive first"


def test_bombs_are_bounded() -> None:
    large = "not read: it is too large; unpack the archive first"
    small = Budget(entries=3, total=10_000, each=6_000)
    found = remarks(packed({"a": bytes(7_000), "b": bytes(6_000), "c": bytes(5_000)}), small)
    assert found == {"a": large, "b": "", "c": "not read: the archive has more than 1 GiB; unpack the archive first"}
    found = remarks(packed(dict.fromkeys("abcd", b"")), Budget(entries=3))
    assert found == {"": "an archive of too many files: unpack it first"}
    nested = packed({"a.zip": packed({"b.zip": packed({"c.ipynb": SHEET})})})
    assert remarks(nested) == {"a.zip/b.zip": "an archive in an archive in an archive: unpack it first"}


def test_archives_with_too_many_bytes_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "Budget", partial(Budget, total=len(SHEET) + 1))
    for name, files in (("large", ("a", "b", "c")), ("small", ("a",))):
        (tmp_path / f"{name}.zip").write_bytes(packed({f"{each}/{STEM}.ipynb": SHEET for each in files}))
    found = submissions.collect_submissions([tmp_path], SOURCES)
    assert [each.notebook for each in found] == [STEM, None, None, STEM]
    assert submissions.too_large_archives(found) == [tmp_path / "large.zip"]


def test_an_entry_larger_than_it_declares_is_not_unpacked_in_full() -> None:
    content = bytearray(packed({"a.ipynb": bytes(100_000_000)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", content, content.find(signature) + offset, 1000)
    tracemalloc.start()
    try:
        (remark,) = remarks(bytes(content)).values()
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    assert remark.startswith("corrupted in the archive")


def test_equal_names_in_an_archive_are_one_file(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("a/x.ipynb", "a//x.ipynb", "a\\x.ipynb", "../x.ipynb", "/x.ipynb", "x.ipynb"):
            archive.writestr(name, SHEET)
    (tmp_path / "a.zip").write_bytes(file.getvalue())
    found = {each.name: each.notebook for each in collect_submissions([tmp_path / "a.zip"], SOURCES)}
    assert found == {"x.ipynb": None, "x.ipynb'": None, "x.ipynb''": STEM, "a/x.ipynb": STEM}
