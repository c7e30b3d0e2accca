"""Grade a folder of submissions, several in parallel, and write tables of their marks.

Marks are cached in `_build/grades` under a digest of their dependencies, so that an interrupted run continues where it
stopped, and the tables are reproducible to the byte. Cached marks are read before any submission runs, and the tables
are written from memory.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from lmc_utils import result_dependencies
from lmc_utils.classroom import mark_cache, sandbox
from lmc_utils.classroom.archives import ARCHIVE_TOO_LARGE
from lmc_utils.classroom.grade_table import files_as_csv, format_points, students_as_csv
from lmc_utils.classroom.resubmissions import supersede_earlier_versions
from lmc_utils.classroom.submission_marks import Marks, zero_marks
from lmc_utils.classroom.submissions import Submission, collect_submissions, too_large_archives
from lmc_utils.classroom.workspace import Limits, Workspace, make_workspace, marking_job, temporary_folder
from lmc_utils.formatting import one_line
from lmc_utils.output_files import require_writable, require_writable_folder
from lmc_utils.provenance import digest, remove_partial_files, write_whole
from lmc_utils.running import subprocess_jobs
from lmc_utils.running.notebook_dependencies import of_notebook
from lmc_utils.running.notebooks import Notebook, notebook_paths
from lmc_utils.settings import ParameterError, require

_NO_SANDBOX = "marked without a sandbox: the submission could read and change everything that this account can"
_SUFFIXES = {"csv": ".csv", "html": ".html"}  # of the outputs that are files
_SOLUTION_SECONDS = 600  # for a cell of a solution: some train networks


@dataclass(frozen=True)
class GradedSubmission:
    """A submission with its marks.

    Attributes:
        submission: the file.
        marks: points and remarks; empty where it answers no notebook.
        executed: the executed notebook, with hidden tests, if any.
    """

    submission: Submission
    marks: Marks
    executed: Path | None


@dataclass(frozen=True)
class Grading:
    """Where and how submissions are graded: checkout, parallel jobs, limits, console and path of bubblewrap."""

    root: Path
    jobs: int
    limits: Limits
    console: Console
    bwrap: str | None

    @property
    def sources(self) -> dict[str, Path]:
        """The exercise notebooks by stem."""
        return {path.stem: path for path in notebook_paths(self.root / "notebooks" / "exercises")}

    @property
    def cache(self) -> Path:
        """Folder of cached marks and runs; it can be deleted at any time."""
        return self.root / "_build" / "grades"

    def trained(self, stem: str) -> Path:
        """The runs of an exercise notebook's own solutions."""
        return self.cache / stem / "runs"

    def solved(self, stem: str) -> Path:
        """A file that exists once these solutions have got all points from the present grader."""
        return self.cache / stem / digest([_exercises(self.sources[stem]), _grader()])

    def key(self, submission: Submission) -> str:
        """Digest of all that the marks of a submission depend on."""
        exercises = _exercises(self.sources[str(submission.notebook)])
        limits = (self.limits.cell_seconds, self.limits.memory, self.limits.disk)
        return digest([submission.content, exercises, _grader(), limits, self.bwrap is not None])

    def report(self, message: str) -> None:
        """Print a message unchanged."""
        self.console.print(message, markup=False, highlight=False)


def grade(
    paths: Sequence[Path],
    table: Path,
    *,
    root: Path,
    jobs: int = 2,
    limits: Limits | None = None,
    force: bool = False,
    executed: Path | None = None,
    other_outputs: Mapping[str, Path] | None = None,
) -> list[GradedSubmission]:
    """Mark submissions, and write a table of students and one of submitted files.

    Args:
        paths: files, zip archives, or folders with such files at any depth.
        table: the CSV file to write, with a row for each student; an existing one is replaced at the end.
        root: the checkout.
        jobs: submissions marked in parallel.
        limits: of each submission.
        force: ignore cached marks.
        executed: a folder for executed submissions.
        other_outputs: files and folders that the caller will write, by the names of their options. But `csv` is
            written here, with a row for each submitted file; by default it is beside `table`, see `files_table`.

    Raises:
        KeyboardInterrupt: after all started processes have ended; a later call continues from here.
        ParameterError: a path does not exist, there is nothing to mark, an output cannot be written, another grading is
            running, or the exercises' own solutions do not get all points.
    """
    console = Console(stderr=True, soft_wrap=True)
    grading = Grading(root.resolve(), jobs, limits or Limits(), console, None)
    if not grading.sources:
        raise ParameterError(
            f"'{grading.root}' is not a checkout of the book: it has no exercise notebooks; give --root"
        )
    require_writable(table, "out", ".csv")  # fail before marking rather than after it
    outputs = {"csv": files_table(table), **({"executed": executed} if executed else {}), **(other_outputs or {})}
    require(outputs["csv"].resolve() != table.resolve(), "csv", "another file than out", str(table))
    for name, path in outputs.items():
        if suffix := _SUFFIXES.get(name, ""):
            require_writable(path, name, suffix)
        else:
            require_writable_folder(path, name)
    inputs = {each for path in paths for each in (path.resolve(), *path.resolve().parents)}
    for name, path in outputs.items():
        require(path.resolve() not in inputs, name, "a place that contains none of the submissions", str(path))
    found = collect_submissions(paths, grading.sources, ignored=[table, *outputs.values()])
    for archive in too_large_archives(found):
        grading.report(f"lmc: {one_line(str(archive))}: {ARCHIVE_TOO_LARGE}; some of its files were not read")
    submissions = supersede_earlier_versions(found)
    grading.cache.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(grading.cache / "lock", timeout=0):
            remove_partial_files(grading.cache)
            grading = replace(grading, bwrap=sandbox.find_program(grading.cache / "lock"))
            if grading.bwrap is None:
                grading.report(f"lmc: {_NO_SANDBOX}: {sandbox.install_advice()}")
            marks = _mark_all(grading, submissions, force)
    except Timeout as error:
        raise ParameterError(f"another `lmc grade` is running in '{grading.root}'") from error
    write_whole(table, students_as_csv(submissions, marks).encode())
    write_whole(outputs["csv"], files_as_csv(submissions, marks).encode())
    graded = [_graded(grading, *each) for each in zip(submissions, marks, strict=True)]
    for each in graded:
        if executed is not None and each.executed is not None:
            target = executed / each.submission.name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(each.executed, target)
            except OSError as error:  # such as a name that is too long
                grading.report(f"lmc: executed: {one_line(each.submission.name)}: {error.strerror}")
    return graded


def files_table(table: Path) -> Path:
    """Where the table of submitted files is by default, beside that of students.

    >>> files_table(Path("grades.csv")).name
    'grades_files.csv'
    """
    return table.with_name(f"{table.stem}_files{table.suffix}")


def _graded(grading: Grading, submission: Submission, marks: Marks) -> GradedSubmission:
    executed = grading.cache / f"{grading.key(submission)}.ipynb" if submission.notebook else None
    return GradedSubmission(submission, marks, executed if executed is not None and executed.exists() else None)


def _mark_all(grading: Grading, submissions: Sequence[Submission], force: bool) -> list[Marks]:
    known = [each for each in submissions if each.notebook]
    cached = {each.name: None if force else mark_cache.get(grading.cache, grading.key(each)) for each in known}
    result = {name: marks for name, marks in cached.items() if marks is not None}
    todo = [each for each in known if each.name not in result]
    _mark_solutions(grading, sorted({str(each.notebook) for each in todo}))
    for each, workspace, job, status in _run_in_workspaces(grading, todo, "submissions"):
        if status == 0:
            marks, executed = _result(workspace)
            mark_cache.put(grading.cache, grading.key(each), marks, executed)
        else:
            last = subprocess_jobs.last_line(job.log).replace(str(workspace.folder), "")[:200]
            reason = "total time limit exceeded" if status is None else last or f"exit status {status}"
            marks = zero_marks(grading.sources[str(each.notebook)], f"not marked: {reason}")
            mark_cache.drop(grading.cache, grading.key(each))
        result[each.name] = marks
        points, out_of = (format_points(sum(values.values())) for values in (marks.points, marks.out_of))
        grading.report(f"{job.name}: {points} of {out_of}")
    warning = [] if grading.bwrap else [_NO_SANDBOX]
    return [
        replace(result[each.name], remarks=result[each.name].remarks + warning) if each.name in result else Marks()
        for each in submissions
    ]


def _mark_solutions(grading: Grading, stems: Sequence[str]) -> None:
    """Mark the solutions of exercise notebooks: they must get all points, and they train the networks for all."""
    todo = {stem: grading.sources[stem] for stem in stems if not grading.solved(stem).exists()}
    solutions = [Submission(stem, path, path.read_bytes(), stem, "") for stem, path in todo.items()]
    limits = replace(grading.limits, cell_seconds=max(grading.limits.cell_seconds, _SOLUTION_SECONDS))
    patient = replace(grading, limits=limits)
    for each, workspace, job, status in _run_in_workspaces(patient, solutions, "solutions", may_train=True):
        if status != 0:
            reason = subprocess_jobs.last_line(job.log)
            raise ParameterError(f"{each.name}: the solutions of the book cannot be graded ({reason})")
        marks, _ = _result(workspace)
        if marks.points != marks.out_of:
            raise ParameterError(f"{each.name}: the solutions of the book do not get full marks: {marks.remarks[-1]}")
        shutil.rmtree(grading.cache / each.name, ignore_errors=True)
        partial = shutil.copytree(workspace.runs, grading.trained(each.name).with_suffix(".partial"))
        partial.rename(grading.trained(each.name))
        grading.solved(each.name).touch()


def _result(workspace: Workspace) -> tuple[Marks, bytes]:
    """The marks and the executed notebook of a finished job."""
    marks = Marks(**json.loads(workspace.result.read_text(encoding="utf-8")))
    return marks, workspace.result.with_suffix(".ipynb").read_bytes()


def _run_in_workspaces(
    grading: Grading, todo: Sequence[Submission], unit: str, *, may_train: bool = False
) -> Iterator[tuple[Submission, Workspace, subprocess_jobs.Job, int | None]]:
    """Mark submissions in parallel, each in a workspace that exists until the next result is asked for."""
    running: dict[str, tuple[Submission, Workspace]] = {}
    limits = replace(grading.limits, cores=subprocess_jobs.cores_per_job(grading.jobs, len(todo)))
    with _temporary_folder() as within:

        def waiting() -> Iterator[subprocess_jobs.Job]:
            for each in todo:
                stem = str(each.notebook)
                copy_runs = may_train or grading.bwrap is None
                workspace = make_workspace(within, grading.trained(stem), copy_runs=copy_runs)
                running[each.name] = each, workspace
                source, bwrap = grading.sources[stem], grading.bwrap
                yield marking_job(
                    workspace, each.name, submission=each.content, source=source, limits=limits, bwrap=bwrap
                )

        jobs = subprocess_jobs.run(waiting(), total=len(todo), at_once=grading.jobs, console=grading.console, unit=unit)
        with closing(jobs) as finished:
            for job, status in finished:
                each, workspace = running.pop(job.name)
                yield each, workspace, job, status
                _remove(workspace.folder)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that is removed at the end, even if a killed kernel still writes to it for a moment."""
    folder = temporary_folder()
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
    except RecursionError:  # for deeply nested folders, before Python 3.13
        subprocess.run(["rm", "-rf", folder], check=False)


@cache
def _exercises(source: Path) -> str:
    """Digest of an exercise notebook and of what its code depends on."""
    return digest([source, of_notebook(Notebook(source))])


@cache
def _grader() -> str:
    """Digest of the code that grades, and of the kernel that it starts."""
    return digest(result_dependencies.of_code(f"import ipykernel, {__name__}"))
