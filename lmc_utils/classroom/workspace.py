"""A folder, a home and a copy of the package for one submission, so that submissions do not interfere.

Inside a sandbox (`classroom.sandbox`), code sees nothing else. Without one, this only keeps submissions from
interfering with each other by accident: the code runs with all rights of the account that grades.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lmc_utils.provenance import CHECKOUT, PACKAGE
from lmc_utils.running.subprocess_jobs import Job

_BESIDE = ("results", "notebooks/points")  # what the package finds beside it in a checkout
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "PYTHONDONTWRITEBYTECODE")
_MESSAGES = 16 * 2**20  # bytes on the disk for messages
_FEW = 4  # times as many cells as the exercise notebook has: time for more there is none


@dataclass(frozen=True)
class Limits:
    """What a submission may take: seconds for each cell (`limit`); MiB of memory, of disk and cores for all of it."""

    limit: int = 60
    memory: int = 4096
    disk: int = 256
    cores: int = 1


@dataclass(frozen=True)
class Workspace:
    """The folder of one submission.

    Attributes:
        folder: where it is.
        trained: the runs that it finds, only to read; where there are none, it trains, and keeps runs in `runs`.
    """

    folder: Path
    trained: Path | None = None

    @property
    def home(self) -> Path:
        """Where the code runs; two levels below the folder, so that `..` is its own as well."""
        return self.folder / "work" / "home"

    @property
    def temporary(self) -> Path:
        """For temporary files."""
        return self.home / ".tmp"

    @property
    def runs(self) -> Path:
        """Where it finds, and keeps, trained networks."""
        return self.folder / "runs"

    @property
    def package(self) -> Path:
        """The folder with its copy of this package."""
        return self.folder / "package"

    @property
    def messages(self) -> Path:
        """For folders through which the marker hears kernels; with a short name, as those of sockets must be."""
        return self.folder / "m"

    @property
    def result(self) -> Path:
        """Its marks as JSON; beside it, under .ipynb, the notebook as it was executed."""
        return self.folder / "result.json"


def make_workspace(within: Path, trained: Path | None = None, *, copy_runs: bool = True) -> Workspace:
    """Make a sandbox in a folder, under a name that cannot be guessed; trained runs are copied, or only to be read."""
    there = trained if trained is not None and trained.is_dir() else None
    sandbox = Workspace(Path(tempfile.mkdtemp(prefix="", dir=within)), None if copy_runs else there)
    sandbox.temporary.mkdir(parents=True)
    if there is not None and copy_runs:
        shutil.copytree(there, sandbox.runs)
    sandbox.runs.mkdir(exist_ok=True)
    sandbox.messages.mkdir()
    shutil.copytree(PACKAGE, sandbox.package / PACKAGE.name)  # with its bytecode: to compile it takes half a second
    for beside in _BESIDE:
        if (CHECKOUT / beside).is_dir():
            shutil.copytree(CHECKOUT / beside, sandbox.package / beside)
    return sandbox


def marking_job(
    box: Workspace, name: str, submission: bytes, source: Path, bounds: Limits, wall: str | None = None
) -> Job:
    """The job that marks the content of a submission by its exercise notebook, in a sandbox of its own, from copies."""
    (box.folder / "submission.ipynb").write_bytes(submission)
    shutil.copyfile(source, box.folder / source.name)
    given = [source.name, box.trained or "", bounds.limit, bounds.memory, bounds.disk, wall or ""]
    command = [sys.executable, "-m", "lmc_utils.classroom.submission_marks", *map(str, given)]
    command = [*bounded_folder_command(wall, box.messages), *command] if wall else command
    # A cell that never ends costs its limit once, and one that ends the kernel a start and what ran before it.
    expected, found = (content.count(b"cell_type") for content in (source.read_bytes(), submission))
    in_all = 900 + 2 * bounds.limit * (expected + min(found, _FEW * expected))
    return Job(name, command, box.folder / "log", box.folder, _environment(box, bounds.cores), in_all)


def bounded_folder_command(wall: str, folder: Path) -> list[str]:
    """The words to put before a command so that a folder, to which a kernel can write, is a small disk in memory."""
    everything = ["--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--die-with-parent"]
    return [wall, *everything, "--size", str(_MESSAGES), "--tmpfs", str(folder), "--"]


def _environment(box: Workspace, cores: int) -> dict[str, str]:
    """A home and settings of its own, and of the grader's variables only what Python needs."""
    own = {
        "HOME": box.home,
        "USERPROFILE": box.home,
        "USER": "student",
        "TMPDIR": box.temporary,
        "XDG_CACHE_HOME": box.home / ".cache",
        "XDG_CONFIG_HOME": box.home / ".config",
        "IPYTHONDIR": box.home / ".ipython",
        **{f"JUPYTER_{kind}_DIR": box.home / ".jupyter" for kind in ("CONFIG", "DATA", "RUNTIME")},
        "LMC_RUNS": box.runs,
        "PYTHONPATH": box.package,
        "PYTHONHASHSEED": 0,
        "PYTHONNOUSERSITE": 1,
        "OMP_NUM_THREADS": cores,
    }
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {name: str(value) for name, value in own.items()}
