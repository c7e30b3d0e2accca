"""The workspace of one submission: a home and a copy of the package, so that submissions do not interfere.

In a sandbox (`classroom.sandbox`), code sees nothing else. Without one, this prevents accidental interference only: the
code runs with all rights of the account that grades.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from lmc_utils.provenance import CHECKOUT, PACKAGE
from lmc_utils.running.subprocess_jobs import Job

_LONGEST_PARENT = 65  # characters of the path of a temporary folder in which names of sockets are short enough
_CHECKOUT_FOLDERS = ("results", "notebooks/points")  # which the package reads
_INHERITED_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "PYTHONDONTWRITEBYTECODE")
_MESSAGES_SIZE = 16 * 2**20  # bytes
_CELLS_FACTOR = 4  # a submission has time for this multiple of the cells in its exercise notebook


@dataclass(frozen=True)
class Limits:
    """Resource limits of a submission: seconds for each cell; MiB of memory and disk, and cores, in total."""

    cell_seconds: int = 60
    memory: int = 4096
    disk: int = 256
    cores: int = 1


@dataclass(frozen=True)
class Workspace:
    """The folders of one submission.

    Attributes:
        folder: which contains all others.
        cached_runs: read-only runs outside, that the sandbox shows in `runs`; None for none.
        home: where the code runs; two levels below the folder, so that `..` is private, too.
        temporary: for temporary files.
        runs: of trained networks, to read and to write.
        package: with a copy of this package.
        messages: for folders with the sockets of kernels; its name is short, as those of sockets must be.
        result: the marks as JSON; beside it, with suffix .ipynb, the executed notebook.
    """

    folder: Path
    cached_runs: Path | None = None
    home: Path = field(init=False)
    temporary: Path = field(init=False)
    runs: Path = field(init=False)
    package: Path = field(init=False)
    messages: Path = field(init=False)
    result: Path = field(init=False)

    def __post_init__(self) -> None:
        paths = {"home": "work/home", "temporary": "work/home/.tmp", "runs": "runs", "package": "package"}
        for name, path in (paths | {"messages": "m", "result": "result.json"}).items():
            object.__setattr__(self, name, self.folder / path)


def temporary_folder() -> Path:
    """A new folder for workspaces with a short path: systems limit names of sockets to a hundred characters or so."""
    usual = tempfile.gettempdir()
    long = len(usual) > _LONGEST_PARENT and os.access("/tmp", os.W_OK)
    return Path(tempfile.mkdtemp(prefix="lmc-", dir="/tmp" if long else usual))


def make_workspace(within: Path, cached_runs: Path | None = None, *, copy_runs: bool = True) -> Workspace:
    """Create a workspace in a folder, with a name that cannot be guessed.

    Args:
        within: the folder.
        cached_runs: of networks that others have trained; may not exist.
        copy_runs: copy them, so that the code can add to them; else a sandbox must show them.
    """
    existing = cached_runs if cached_runs is not None and cached_runs.is_dir() else None
    workspace = Workspace(Path(tempfile.mkdtemp(prefix="", dir=within)), None if copy_runs else existing)
    workspace.temporary.mkdir(parents=True)
    if existing is not None and copy_runs:
        shutil.copytree(existing, workspace.runs)
    workspace.runs.mkdir(exist_ok=True)
    workspace.messages.mkdir()
    shutil.copytree(PACKAGE, workspace.package / PACKAGE.name)  # with its bytecode, as compiling takes half a second
    for name in _CHECKOUT_FOLDERS:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, workspace.package / name)
    return workspace


def marking_job(
    workspace: Workspace, name: str, *, submission: bytes, source: Path, limits: Limits, bwrap: str | None = None
) -> Job:
    """The job that marks a submission in its workspace.

    Args:
        workspace: for this submission alone.
        name: of the job.
        submission: content of the file.
        source: its exercise notebook.
        limits: on its resources.
        bwrap: path of bubblewrap; None for no sandbox.
    """
    (workspace.folder / "submission.ipynb").write_bytes(submission)
    shutil.copyfile(source, workspace.folder / source.name)
    bounds = (limits.cell_seconds, limits.memory, limits.disk)
    arguments = [source.name, workspace.cached_runs or "", *bounds, bwrap or ""]
    command = [sys.executable, "-m", "lmc_utils.classroom.submission_marks", *map(str, arguments)]
    command = [*bounded_folder_command(bwrap, workspace.messages), *command] if bwrap else command
    # An endless cell costs its limit once; one that kills the kernel costs a restart and the cells before it.
    expected, found = (content.count(b"cell_type") for content in (source.read_bytes(), submission))
    seconds = 900 + 2 * limits.cell_seconds * (expected + min(found, _CELLS_FACTOR * expected))
    folder, environment = workspace.folder, kernel_environment(workspace, limits.cores)
    return Job(name, command, folder / "log", folder, environment, seconds)


def bounded_folder_command(bwrap: str, folder: Path) -> list[str]:
    """The command prefix that makes a folder, writable by a kernel, a small in-memory file system."""
    everything = ["--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--die-with-parent"]
    return [bwrap, *everything, "--size", str(_MESSAGES_SIZE), "--tmpfs", str(folder), "--"]


def kernel_environment(workspace: Workspace, cores: int) -> dict[str, str]:
    """Environment variables: private folders, and of the grader's variables only those that Python needs."""
    private = {
        "HOME": workspace.home,
        "USERPROFILE": workspace.home,
        "USER": "student",
        "TMPDIR": workspace.temporary,
        "XDG_CACHE_HOME": workspace.home / ".cache",
        "XDG_CONFIG_HOME": workspace.home / ".config",
        "IPYTHONDIR": workspace.home / ".ipython",
        **{f"JUPYTER_{kind}_DIR": workspace.home / ".jupyter" for kind in ("CONFIG", "DATA", "RUNTIME")},
        "LMC_RUNS": workspace.runs,
        "PYTHONPATH": workspace.package,
        "PYTHONHASHSEED": 0,
        "PYTHONNOUSERSITE": 1,
        "OMP_NUM_THREADS": cores,
    }
    inherited = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
    return inherited | {name: str(value) for name, value in private.items()}
