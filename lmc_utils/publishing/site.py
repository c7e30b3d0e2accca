"""The folders of a checkout that a build reads and writes, and running Sphinx in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from lmc_utils.publishing import source_links
from lmc_utils.running import inherited_lock, subprocess_jobs
from lmc_utils.settings import ParameterError


class Site:
    """The folders of a checkout that a build reads and writes.

    Attributes:
        root: the checkout.
        sources: the notebooks without outputs.
        executed: the executed notebooks that the book is built from.
        handouts: the student versions of the exercise notebooks, offered for download.
        work: where notebooks are executed; failed ones stay here as NAME.partial.ipynb, beside NAME.log.
        config: the configuration of the book, completed for this checkout.
        staging: where Sphinx works; kept, so that unchanged pages need not be read again.
        html: the published book.
        fresh: the next book, until it is complete and replaces the published one.
        previous: the previous book, between two renames where folders cannot be swapped atomically.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.sources, self.executed = self.root / "notebooks", self.root / "book" / "notebooks"
        self.handouts = self.executed / "exercises" / "student"
        build = self.root / "_build"
        self.work, self.config, self.staging = build / "executed", build / "config.yml", build / "staging"
        self.html, self.fresh, self.previous = build / "html", build / "html.new", build / "html.old"

    def target(self, source: Path) -> Path:
        """The path of the executed form of a source."""
        return self.executed / source.relative_to(self.sources)


@contextmanager
def exclusive_build(site: Site) -> Iterator[None]:
    """Lock this checkout against other builds, and wait for processes of a killed build to end.

    Raises:
        ParameterError: another build of this checkout is running.
    """
    site.work.mkdir(parents=True, exist_ok=True)
    try:
        with (
            FileLock(site.work.with_name("lock"), timeout=0),
            inherited_lock.hold_until_children_end(site.work.with_name("lock.jobs")),
        ):
            yield
    except Timeout as error:
        raise ParameterError(f"another build is running in '{site.root}'") from error


def run_sphinx(site: Site, output: Path, *, builder: str, log: Path, console: Console, strict: bool = True) -> bool:
    """Build the pages with Jupyter Book; print warnings and errors, and return whether there were none.

    Args:
        site: the checkout, with its executed notebooks.
        output: the working folder; the pages are written to `_build/BUILDER` in it.
        builder: `html` or `singlehtml`.
        log: the file for its complete output.
        console: for warnings and errors.
        strict: whether a warning is an error.
    """
    source_links.write_config(site.root, site.config)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "book", "--config", str(site.config)]
    command += ["--builder", builder, "--path-output", str(output), "--keep-going", *["--warningiserror"] * strict]
    job = subprocess_jobs.Job(f"building the pages ({builder})", command, log, site.root, os.environ)
    good = run_job(job, console)
    if not good:
        lines = log.read_text(errors="replace").splitlines()
        for line in [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-5:]:
            console.print(line, style="red", markup=False, highlight=False)
    return good


def run_job(job: subprocess_jobs.Job, console: Console) -> bool:
    """Run one job, and return whether it succeeded."""
    with closing(subprocess_jobs.run([job], total=1, at_once=1, console=console, unit="steps")) as finished:
        return all(status == 0 for _, status in finished)
