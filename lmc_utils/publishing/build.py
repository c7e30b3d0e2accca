"""Execute changed notebooks and publish the book; the last good version stays until the next is complete.

All outputs are in two folders that can be deleted at any time: executed notebooks in `book/notebooks/`, the rest in
`_build/`. An executed notebook carries a digest of its dependencies; so does the published HTML.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path

from rich.console import Console

from lmc_utils.classroom import assignments
from lmc_utils.provenance import digest, package_files, versions, write_whole
from lmc_utils.publishing import folder_swap, source_links, stated_comparisons
from lmc_utils.publishing.site import Site, exclusive_build, run_sphinx
from lmc_utils.result_dependencies import of_code
from lmc_utils.running import notebook_files, subprocess_jobs
from lmc_utils.running.notebook_dependencies import of_notebook
from lmc_utils.running.notebooks import Notebook, notebook_paths

_TOOLS = ("jupyter_book", "sphinx", "myst_nb", "myst_parser", "sphinx_book_theme", "sphinx_exercise", "sphinxcontrib")


def build(root: Path, *, preset: str = "default", at_once: int = 2) -> int:
    """Bring the book up to date: execute the notebooks that changed, then build and publish the HTML.

    Args:
        root: the checkout.
        preset: the parameter values of every notebook.
        at_once: number of notebooks executed in parallel, which share the cores equally.

    Returns:
        The exit status: 0, or 1 if a notebook or the HTML failed, or a sentence contradicts its numbers; then the last
        good HTML stays in place.

    Raises:
        KeyboardInterrupt: after all child processes have ended; a later build continues from here.
        ParameterError: another build of this checkout is running.
    """
    site, console = Site(root), Console(stderr=True, soft_wrap=True)
    with exclusive_build(site):
        exercises = notebook_paths(site.sources / "exercises")
        sources = [*notebook_paths(site.sources), *exercises]
        _clear(site, {site.target(source) for source in sources})
        wanted = {source: digest_of(source, preset) for source in sources}
        changed = [source for source in sources if notebook_files.digest_in(site.target(source)) != wanted[source]]
        failures = execute_all(site, changed, preset=preset, at_once=at_once, console=console, digests=wanted)
        for failure in failures:
            console.print(f"lmc: {failure}", style="red", markup=False, highlight=False)
        if failures:
            console.print(f"lmc: {len(failures)} of {len(sources)} notebooks failed; the published book is unchanged")
            return 1
        if preset == "default" and (untrue := stated_comparisons.unmet_of_book(site)):
            for line in untrue:
                console.print(f"lmc: {line}", style="red", markup=False, highlight=False)
            console.print(f"lmc: comparisons that fail: {len(untrue)}; the published book is unchanged")
            return 1
        _write_handouts(site, exercises)
        return _publish(site, console)


def _clear(site: Site, keep: set[Path]) -> None:
    """Remove leftovers of a killed or failed build, and executed notebooks without a source."""
    folder_swap.restore(site.html, site.fresh, site.previous)
    executed = {*notebook_paths(site.executed), *notebook_paths(site.executed / "exercises")}
    for leftover in [*site.work.glob("*.ipynb"), *site.executed.rglob(".*.partial"), *(executed - keep)]:
        leftover.unlink()


def digest_of(source: Path, preset: str) -> str:
    """A digest of the dependencies of an executed notebook: its source, its preset, and the code and data it uses.

    The values of the preset are covered as part of the parameter records.

    Raises:
        ParameterError: it is not a notebook, or its cells cannot be code.
    """
    return digest([source, preset, of_notebook(Notebook(source))])


def _write_handouts(site: Site, exercises: list[Path]) -> None:
    """Write student versions of the exercise notebooks, only of changed ones, as nbgrader takes seconds."""
    stamp = site.work / "handouts.digest"
    install = source_links.pip_requirement(site.root)
    wanted = digest([{path.name: path for path in exercises}, of_code(f"import {assignments.__name__}"), install])
    if exercises and not (stamp.exists() and stamp.read_text() == wanted and site.handouts.is_dir()):
        stamp.unlink(missing_ok=True)
        shutil.rmtree(site.handouts, ignore_errors=True)
        assignments.write(exercises, site.handouts, install=install)
        stamp.write_text(wanted)


def execute_all(
    site: Site, sources: list[Path], *, preset: str, at_once: int, console: Console, digests: dict[Path, str]
) -> list[str]:
    """Execute notebooks in parallel, each in a separate process; a failure does not stop the others.

    Returns:
        A line for each notebook that failed.
    """
    failures: list[str] = []
    environment = {"OMP_NUM_THREADS": str(subprocess_jobs.cores_per_job(at_once, len(sources)))} | os.environ
    by_name = {source.stem: source for source in sources}
    todo = [_execution(site, source, preset, environment) for source in sources]
    finished = subprocess_jobs.run(todo, total=len(todo), at_once=at_once, console=console, unit="notebooks")
    with closing(finished):
        for job, status in finished:
            source = by_name[job.name]
            if status == 0:
                _accept(site.work / source.name, site.target(source), digests[source])
                console.print(f"executed {source.stem}", highlight=False)
            else:
                failures.append(subprocess_jobs.last_line(job.log) or f"{source.stem}: exit status {status}")
    return failures


def _execution(site: Site, source: Path, preset: str, environment: dict[str, str]) -> subprocess_jobs.Job:
    command = [sys.executable, "-m", "lmc_utils.cli", "run", str(source), "--preset", preset]
    command += ["--out", str(site.work / source.name), "--as-source"]
    command += ["--no-check"]  # checking parameters imports torch, and the notebook does it anyway
    return subprocess_jobs.Job(source.stem, command, site.work / f"{source.stem}.log", site.root, environment)


def _accept(finished: Path, target: Path, stamp: str) -> None:
    """Add the digest to a finished notebook and move it to its place atomically."""
    notebook = json.loads(finished.read_text(encoding="utf-8"))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, notebook_files.with_metadata(notebook, digest=stamp))
    finished.unlink()


def _publish(site: Site, console: Console) -> int:
    """Build the HTML in a separate folder and swap it in on success; skip if no input has changed."""
    files = [*sorted((site.root / "book").rglob("*")), site.root / "_config.yml"]
    made = site.root / "book" / "api" / "modules"  # from the package, while Sphinx runs
    files = [path for path in files if made not in path.parents]
    read = (path for path in files if path.is_file() and "__pycache__" not in path.parts)
    made_of = {path.relative_to(site.root).as_posix(): path for path in read}
    where = source_links.repository_url(site.root) or ""
    wanted = digest([made_of, package_files(), versions(_TOOLS), where])
    stamp = site.html / ".digest"
    if stamp.exists() and stamp.read_text() == wanted:
        console.print(f"up to date: {site.html / 'index.html'}", highlight=False)
        return 0
    log, complete = site.root / "_build" / "html.log", site.staging / "complete"
    static = digest([where, {name: path for name, path in made_of.items() if path.suffix not in (".md", ".ipynb")}])
    # Sphinx does not repeat warnings about unchanged pages, and does not notice changed scripts and styles.
    goes_on = complete.exists() and complete.read_text() == static
    complete.unlink(missing_ok=True)
    if not goes_on:
        shutil.rmtree(site.staging, ignore_errors=True)
    if not run_sphinx(site, site.staging, builder="html", log=log, console=console):
        console.print(f"lmc: the HTML failed, see {log}; the published book is unchanged", highlight=False)
        return 1
    complete.write_text(static)
    shutil.copytree(site.staging / "_build" / "html", site.fresh)
    (site.fresh / ".digest").write_text(wanted)
    folder_swap.replace(site.html, site.fresh, site.previous)
    console.print(f"published {site.html / 'index.html'}", highlight=False)
    return 0
