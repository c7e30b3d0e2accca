"""A fault in the sources of the book fails its build with a message that names it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_project import lmc, write_book

ROOT = Path(__file__).parent.parent.parent
FAULTS = {
    "a link to a page that does not exist": ("[text](nowhere.md)", "nowhere.md"),
    "a reference to an unknown label": ("{ref}`no-such-label`", "no-such-label"),
    "a term that the glossary lacks": ("{term}`no-such-term`", "no-such-term"),
    "a missing figure": ("![alt text](no-such-figure.png)", "no-such-figure.png"),
    "an unknown citation": ("{cite:p}`nobody1900nothing`", "nobody1900nothing"),
    "a number that no notebook has": ("{glue:text}`notebooks/one.ipynb::no_such_number:.1f`", "no_such_number"),
}


def book(root: Path, text: str) -> None:
    write_book(root, one="count")
    shutil.copy(ROOT / "_config.yml", root)
    for folder in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / folder, root / "book" / folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "book" / "references.bib", root / "book")
    (root / "book" / "intro.md").write_text(f"# Intro\n\n{text}\n")


@pytest.mark.xdist_group("faults")
def test_faults_in_the_sources_fail_the_build_and_are_named(tmp_path: Path) -> None:
    book(tmp_path, "All is well.")
    fine = lmc("build", cwd=tmp_path)
    assert fine.returncode == 0, fine.stderr
    published = (tmp_path / "_build" / "html" / "intro.html").read_text()

    book(tmp_path, "\n\n".join(text for text, _ in FAULTS.values()))
    broken = lmc("build", cwd=tmp_path)
    assert broken.returncode == 1
    assert [what for what, (_, name) in FAULTS.items() if name not in broken.stderr] == []
    assert (tmp_path / "_build" / "html" / "intro.html").read_text() == published
