"""The folders of a checkout that a build reads and writes, and Sphinx at work in them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console


@dataclass(frozen=True)
class Site:
    """The folders of a checkout that a build reads and writes."""

    root: Path

    @property
    def sources(self) -> Path:
        """The notebooks without outputs."""
        return self.root / "notebooks"

    @property
    def executed(self) -> Path:
        """The executed notebooks that the book is built from."""
        return self.root / "book" / "notebooks"

    def target(self, source: Path) -> Path:
        """Where the executed form of a source belongs."""
        return self.executed / source.relative_to(self.sources)

    @property
    def handouts(self) -> Path:
        """The student versions of the exercise notebooks, for the pages to offer."""
        return self.executed / "exercises" / "student"

    @property
    def work(self) -> Path:
        """Where notebooks are executed; what failed stays here as NAME.partial.ipynb, beside NAME.log."""
        return self.root / "_build" / "executed"

    @property
    def staging(self) -> Path:
        """Where Sphinx works; kept, so that it need not read unchanged pages again."""
        return self.root / "_build" / "staging"

    @property
    def html(self) -> Path:
        """The published book."""
        return self.root / "_build" / "html"

    @property
    def previous(self) -> Path:
        """The published book before, for the moment between the two renames that replace it."""
        return self.root / "_build" / "html.old"


def sphinx(site: Site, output: Path, builder: str, log: Path, console: Console) -> bool:
    """Let Jupyter Book build the pages, every warning an error; print its complaints and say whether there were none.

    Args:
        site: the checkout, with its executed notebooks.
        output: the folder in which it works; the pages land in `_build/BUILDER` there.
        builder: `html` or `singlehtml`.
        log: the file for all that it says.
        console: for its complaints.
    """
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "book", "--config", "_config.yml"]
    command += ["--builder", builder, "--path-output", str(output), "--warningiserror", "--keep-going"]
    with log.open("wb") as file, console.status(f"building the pages ({builder})"):
        done = subprocess.run(command, cwd=site.root, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        complaints = [line for line in log.read_text().splitlines() if "WARNING" in line or "ERROR" in line]
        for line in complaints or log.read_text().splitlines()[-5:]:
            console.print(line, style="red", markup=False, highlight=False)
    return done.returncode == 0
