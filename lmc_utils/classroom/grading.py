"""Mark a folder of submissions, some at a time, and write a table of their marks.

Marks are kept in `_build/grades` under a digest of all that they depend on, so that an interrupted run goes on where it
stopped, and the table is the same to the byte however often it is made. The table is made of what is in memory: marks
that were kept are read before any submission runs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from lmc_utils import dependencies
from lmc_utils.classroom import assignments, mark_cache, sandbox, workspace
from lmc_utils.classroom.grade_table import as_csv, format_points
from lmc_utils.classroom.resubmissions import supersede_earlier_versions
from lmc_utils.classroom.submission_marks import Marks, zero_marks
from lmc_utils.classroom.submissions import Submission, collect_submissions
from lmc_utils.classroom.workspace import Limits
from lmc_utils.formatting import one_line
from lmc_utils.provenance import digest, remove_partial_files, write_whole
from lmc_utils.running import subprocess_jobs
from lmc_utils.running.notebook_dependencies import of_notebook
from lmc_utils.running.notebooks import Notebook, notebook_paths
from lmc_utils.settings import ParameterError, require

_NO_WALL = "marked without a wall, so that a submission could read and change what the account that marks can"
_PATIENCE = 600  # seconds a cell of a solution may take: some train the networks


@dataclass(frozen=True)
class GradedSubmission:
    """A submission and what it got.

    Attributes:
        submission: the file.
        marks: its points and remarks; none where it answers no notebook.
        executed: it as it was executed, with the hidden tests; None where it was not.
    """

    submission: Submission
    marks: Marks
    executed: Path | None


@dataclass(frozen=True)
class Grading:
    """Where marking happens: the checkout with the exercise notebooks, and how."""

    root: Path
    at_once: int
    bounds: Limits
    console: Console
    wall: str | None

    @property
    def sources(self) -> dict[str, Path]:
        """The exercise notebooks by stem."""
        return {path.stem: path for path in notebook_paths(self.root / "notebooks" / "exercises")}

    @property
    def cache(self) -> Path:
        """What outlives a run; it can be deleted at any time."""
        return self.root / "_build" / "grades"

    def trained(self, stem: str) -> Path:
        """The networks that an exercise notebook's own solutions have trained."""
        return self.cache / stem / "runs"

    def solved(self, stem: str) -> Path:
        """A file that exists once these solutions have got all points from the present grader."""
        return self.cache / stem / digest([_exercises(self.sources[stem]), _grader()])

    def key(self, submission: Submission) -> str:
        """Of all that the marks of a submission depend on."""
        exercises = _exercises(self.sources[str(submission.notebook)])
        bounds = (self.bounds.limit, self.bounds.memory, self.bounds.disk)
        return digest([submission.content, exercises, _grader(), bounds, self.wall is not None])


def grade(
    paths: Sequence[Path],
    table: Path,
    root: Path,
    at_once: int = 2,
    bounds: Limits | None = None,
    fresh: bool = False,
    executed: Path | None = None,
    others: Mapping[str, Path] | None = None,
) -> list[GradedSubmission]:
    """Mark submissions, and write a table of their marks.

    Args:
        paths: files, or folders with files at any depth.
        table: the CSV to write, as `as_csv` lays it out. It is replaced when the new one is whole.
        root: the checkout.
        at_once: submissions marked at a time, each within its bounds.
        fresh: mark anew what was marked before.
        executed: a folder for the submissions as they were executed.
        others: pages, and folders of pages, that the caller will write, by the names of their options.

    Raises:
        KeyboardInterrupt: after everything it had started has stopped; a later call goes on from here.
        ParameterError: a path does not exist, there is nothing to mark, the table cannot be written, another marking is
            at work, or the exercises' own solutions do not get all points here.
    """
    console = Console(stderr=True, soft_wrap=True)
    grading = Grading(root.resolve(), at_once, bounds or Limits(), console, None)
    require(bool(grading.sources), "root", "a checkout of the book with exercise notebooks", str(grading.root))
    require(table.suffix.lower() == ".csv", "csv", "a file that ends in .csv", str(table))
    require(not table.is_dir(), "csv", "a file, not a folder", str(table))
    ours = ({"executed": executed} if executed else {}) | dict(others or {})
    for name, place in {"csv": table, **ours}.items():  # what would otherwise be said when everything is marked
        folder = place.parent if name in ("csv", "summary") else place
        with assignments.writable_folder(name, folder), tempfile.NamedTemporaryFile(dir=folder):
            pass
    above = {each for path in paths for each in (path.resolve(), *path.resolve().parents)}
    for name, place in ours.items():
        require(place.resolve() not in above, name, "a folder that does not hold what was handed in", str(place))
    submissions = supersede_earlier_versions(
        collect_submissions(paths, grading.sources, ignored=[table, *ours.values()])
    )
    grading.cache.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(grading.cache / "lock", timeout=0):
            remove_partial_files(grading.cache)
            grading = replace(grading, wall=sandbox.find_program(grading.cache / "lock"))
            if grading.wall is None:
                console.print(f"lmc: {_NO_WALL}: {sandbox.install_advice()}", markup=False, highlight=False)
            marks = _mark_all(grading, submissions, fresh)
    except Timeout as error:
        raise ParameterError(f"root: expected no other marking at work, found one in '{grading.root}'") from error
    write_whole(table, as_csv(submissions, marks).encode())
    graded = [
        GradedSubmission(each, got, _executed(grading, each)) for each, got in zip(submissions, marks, strict=True)
    ]
    for each in graded:
        if executed is not None and each.executed is not None:
            target = executed / each.submission.name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(each.executed, target)
            except OSError as error:  # such as a name that is too long
                said = f"lmc: executed: {one_line(each.submission.name)}: {error.strerror}"
                console.print(said, markup=False, highlight=False)
    return graded


def _executed(grading: Grading, submission: Submission) -> Path | None:
    done = grading.cache / f"{grading.key(submission)}.ipynb" if submission.notebook else None
    return done if done is not None and done.exists() else None


def _mark_all(grading: Grading, submissions: Sequence[Submission], fresh: bool) -> list[Marks]:
    known = [each for each in submissions if each.notebook]
    kept = {each.name: None if fresh else mark_cache.get(grading.cache, grading.key(each)) for each in known}
    found = {name: marks for name, marks in kept.items() if marks is not None}
    todo = [each for each in known if each.name not in found]
    _prepare(grading, sorted({str(each.notebook) for each in todo}))
    for each, box, job, status in _each_in_its_sandbox(grading, todo, "submissions"):
        if status == 0:
            got = Marks(**json.loads(box.result.read_text(encoding="utf-8")))
            mark_cache.put(grading.cache, grading.key(each), got, box.result.with_suffix(".ipynb").read_bytes())
        else:
            said = subprocess_jobs.last_line(job.log).replace(str(box.folder), "")[:200]
            why = "it took too long in all" if status is None else said or f"it ended with status {status}"
            got = zero_marks(grading.sources[str(each.notebook)], f"not marked: {why}")
            mark_cache.drop(grading.cache, grading.key(each))
        found[each.name] = got
        points, out_of = (format_points(sum(values.values())) for values in (got.points, got.out_of))
        grading.console.print(f"{job.name}: {points} of {out_of}", markup=False, highlight=False)
    without = [] if grading.wall else [_NO_WALL]
    return [
        Marks(marks.points, marks.out_of, marks.remarks + without) if (marks := found.get(each.name)) else Marks()
        for each in submissions
    ]


def _prepare(grading: Grading, stems: Sequence[str]) -> None:
    """Mark the exercise notebooks' own solutions: they get all points, and train what is not trained for everybody."""
    todo = {stem: grading.sources[stem] for stem in stems if not grading.solved(stem).exists()}
    own = [Submission(stem, path, path.read_bytes(), stem, "") for stem, path in todo.items()]
    patient = replace(grading, bounds=replace(grading.bounds, limit=max(grading.bounds.limit, _PATIENCE)))
    for each, box, job, status in _each_in_its_sandbox(patient, own, "solutions", may_train=True):
        if status != 0:
            raise ParameterError(
                f"{each.name}: its own solutions cannot be marked ({subprocess_jobs.last_line(job.log)})"
            )
        marks = Marks(**json.loads(box.result.read_text(encoding="utf-8")))
        if marks.points != marks.out_of:
            raise ParameterError(f"{each.name}: its own solutions do not get all points: {marks.remarks[-1]}")
        shutil.rmtree(grading.cache / each.name, ignore_errors=True)
        partial = shutil.copytree(box.runs, grading.trained(each.name).with_suffix(".partial"))
        partial.rename(grading.trained(each.name))
        grading.solved(each.name).touch()


def _each_in_its_sandbox(
    grading: Grading, todo: Sequence[Submission], unit: str, *, may_train: bool = False
) -> Iterator[tuple[Submission, workspace.Workspace, subprocess_jobs.Job, int | None]]:
    """Mark submissions, some at a time, each in a sandbox that lives until the next one is asked for."""
    boxes: dict[str, tuple[Submission, workspace.Workspace]] = {}
    bounds = replace(grading.bounds, cores=subprocess_jobs.cores_per_job(grading.at_once, len(todo)))
    with _temporary_folder() as within:

        def waiting() -> Iterator[subprocess_jobs.Job]:
            for each in todo:
                copied = may_train or grading.wall is None
                box = workspace.make_workspace(within, grading.trained(str(each.notebook)), copy_runs=copied)
                boxes[each.name] = each, box
                yield workspace.marking_job(
                    box, each.name, each.content, grading.sources[str(each.notebook)], bounds, grading.wall
                )

        with closing(
            subprocess_jobs.run(waiting(), total=len(todo), at_once=grading.at_once, console=grading.console, unit=unit)
        ) as finished:
            for job, status in finished:
                each, box = boxes.pop(job.name)
                yield each, box, job, status
                _remove(box.folder)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that is gone at the end, also where a kernel that was stopped goes on writing for a moment."""
    folder = Path(tempfile.mkdtemp(prefix="lmc-"))  # short, as names of sockets must be
    try:
        yield folder
    finally:
        for _ in range(20):
            _remove(folder)
            if not folder.exists():
                break
            time.sleep(0.1)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # before Python 3.13, of folders within folders
        subprocess.run(["rm", "-rf", folder], check=False)


@cache
def _exercises(source: Path) -> str:
    """A digest of an exercise notebook and of what its code depends on."""
    return digest([source, of_notebook(Notebook(source))])


@cache
def _grader() -> str:
    """A digest of the code that grades, and of the kernel that it starts."""
    return digest(dependencies.of_code(f"import ipykernel, {__name__}"))
