"""Execute what changed and publish the book, so that the last good one stays until the next is whole.

Everything lives in two places that can be deleted at any time: `book/notebooks/`, the executed notebooks, and
`_build/`, the rest. An executed notebook carries a digest of all that it came from; so does the published HTML.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from lmc_utils.classroom import assignments
from lmc_utils.provenance import package_files
from lmc_utils.publishing.site import Site, sphinx
from lmc_utils.running import jobs
from lmc_utils.running.notebooks import chapters
from lmc_utils.settings import ParameterError


def build(root: Path, preset: str = "default", at_once: int = 2) -> int:
    """Bring the book up to date: execute the notebooks that changed, then build and publish the HTML.

    Args:
        root: the checkout.
        preset: the parameter values of every notebook.
        at_once: notebooks executed at a time; each gets its share of the cores.

    Returns:
        The exit status: 0, or 1 where a notebook or the HTML failed. Then the last good HTML is still in place.

    Raises:
        KeyboardInterrupt: after everything it had started has stopped; a later build goes on from here.
        ParameterError: another build of this checkout is at work.
    """
    site = Site(root.resolve())
    site.work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(site.work.with_name("lock"), timeout=0):
            return _build(site, preset, at_once)
    except Timeout as error:
        raise ParameterError(f"root: expected no other build at work, found one in '{site.root}'") from error


def _build(site: Site, preset: str, at_once: int) -> int:
    console = Console(stderr=True, soft_wrap=True)
    if site.previous.exists() and not site.html.exists():  # a build was killed between its two renames
        site.previous.rename(site.html)
    exercises = chapters(site.sources / "exercises")
    sources = [*chapters(site.sources), *exercises]
    wanted = {source: _digest([source, *package_files().values()], preset) for source in sources}
    wanted_there = {site.target(source) for source in sources}
    for leftover in {*chapters(site.executed), *chapters(site.executed / "exercises")} - wanted_there:
        leftover.unlink()
    changed = [source for source in sources if _stamp(site.target(source)) != wanted[source]]
    failures = execute_all(site, changed, preset, at_once, console, wanted)
    for failure in failures:
        console.print(f"lmc: {failure}", style="red", markup=False, highlight=False)
    if failures:
        console.print(f"lmc: {len(failures)} of {len(sources)} notebooks failed; the published book is unchanged")
        return 1
    _write_handouts(site, exercises)
    return _publish(site, console)


def _write_handouts(site: Site, exercises: list[Path]) -> None:
    """Student versions of the exercise notebooks; they take nbgrader seconds, so only where something has changed."""
    stamp, digest = site.work / "handouts.digest", _digest([*exercises, *package_files().values()], "")
    if exercises and not (stamp.exists() and stamp.read_text() == digest and site.handouts.is_dir()):
        shutil.rmtree(site.handouts, ignore_errors=True)
        assignments.write(exercises, site.handouts)
        stamp.write_text(digest)


def execute_all(
    site: Site, sources: list[Path], preset: str, at_once: int, console: Console, digests: dict[Path, str]
) -> list[str]:
    """Execute notebooks, some at a time, each in a process of its own; a failure does not stop the others.

    Returns:
        A line for each notebook that failed.
    """
    failures: list[str] = []
    environment = {"OMP_NUM_THREADS": str(jobs.cores_each(at_once, len(sources)))} | os.environ
    by_name = {source.stem: source for source in sources}
    todo = [_execution(site, source, preset, environment) for source in sources]
    with closing(jobs.run(todo, len(todo), at_once, console, "notebooks")) as finished:
        for job, status in finished:
            source = by_name[job.name]
            if status == 0:
                _accept(site.work / source.name, site.target(source), digests[source])
                console.print(f"executed {source.stem}", highlight=False)
            else:
                failures.append(jobs.last_line(job.log) or f"{source.stem}: exit status {status}")
    return failures


def _execution(site: Site, source: Path, preset: str, environment: dict[str, str]) -> jobs.Job:
    command = [sys.executable, "-m", "lmc_utils.cli", "run", str(source), "--preset", preset]
    command += ["--out", str(site.work / source.name)]
    return jobs.Job(source.stem, command, site.work / f"{source.stem}.log", site.root, environment)


def _accept(finished: Path, target: Path, digest: str) -> None:
    """Stamp a finished notebook with its digest and put it in its place, whole."""
    notebook = json.loads(finished.read_text())
    notebook["metadata"].setdefault("lmc", {})["digest"] = digest
    finished.write_text(json.dumps(notebook, indent=1))
    target.parent.mkdir(parents=True, exist_ok=True)
    finished.replace(target)


def _publish(site: Site, console: Console) -> int:
    """Build the HTML aside and swap it in if it is good; nothing to do where nothing it is made of has changed."""
    pages = [
        path for path in sorted((site.root / "book").rglob("*")) if path.is_file() and "__pycache__" not in path.parts
    ]
    digest = _digest([*pages, site.root / "_config.yml", *package_files().values()], "")
    stamp = site.html / ".digest"
    if stamp.exists() and stamp.read_text() == digest:
        console.print(f"up to date: {site.html / 'index.html'}", highlight=False)
        return 0
    log, complete = site.root / "_build" / "html.log", site.staging / "complete"
    static = _digest([path for path in pages if path.suffix not in (".md", ".ipynb")], "")
    # Sphinx does not repeat a warning about a page that it need not read again, nor see that a script or style changed.
    if not complete.exists() or complete.read_text() != static:
        shutil.rmtree(site.staging, ignore_errors=True)
    complete.unlink(missing_ok=True)
    if not sphinx(site, site.staging, "html", log, console):
        console.print(f"lmc: the HTML failed, see {log}; the published book is unchanged", highlight=False)
        return 1
    complete.write_text(static)
    fresh = site.html.with_name("html.new")
    for folder in (fresh, site.previous):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(site.staging / "_build" / "html", fresh)
    (fresh / ".digest").write_text(digest)
    if site.html.exists():
        site.html.rename(site.previous)
    fresh.rename(site.html)
    shutil.rmtree(site.previous, ignore_errors=True)
    console.print(f"published {site.html / 'index.html'}", highlight=False)
    return 0


def _digest(paths: Iterable[Path], words: str) -> str:
    """Of file names, file contents and words; reads files only, so that nothing heavy need be imported."""
    state = hashlib.sha256(words.encode())
    for path in paths:
        content = path.read_bytes()
        state.update(f"\0{path.parent.name}/{path.name}\0{len(content)}\0".encode() + content)
    return state.hexdigest()


def _stamp(executed: Path) -> str | None:
    try:
        digest: str | None = json.loads(executed.read_text())["metadata"]["lmc"]["digest"]
    except (OSError, ValueError, KeyError):
        return None
    return digest
