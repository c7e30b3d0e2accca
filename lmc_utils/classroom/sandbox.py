"""A folder, a home and a copy of the package for one submission, so that what its code does there concerns no other.

This keeps accidents and pranks apart. It does not protect against somebody who attacks the account that marks: code
that was handed in runs with all of its rights. Where that is a danger, mark in a container or on a machine of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lmc_utils.provenance import PACKAGE
from lmc_utils.running.jobs import Job

_SECRET = re.compile(r"TOKEN|SECRET|PASS|CREDENTIAL|KEY|AUTH|_PAT$|DATABASE_URL|KRB5", re.IGNORECASE)
_NOT_PASSED_ON = ("JUPYTER_PATH", "PYTHONSTARTUP", "PYTHONHOME", "MPLCONFIGDIR")


@dataclass(frozen=True)
class Bounds:
    """What a submission may take: seconds for each cell (`limit`), MiB of memory and cores for all of it."""

    limit: int = 60
    memory: int = 4096
    cores: int = 1


@dataclass(frozen=True)
class Sandbox:
    """The folder of one submission."""

    folder: Path

    @property
    def home(self) -> Path:
        """Where the code runs; two levels below the folder, so that `..` is its own as well."""
        return self.folder / "work" / "home"

    @property
    def runs(self) -> Path:
        """Where it finds, and keeps, trained networks."""
        return self.folder / "runs"

    @property
    def result(self) -> Path:
        """Its marks as JSON; beside it, under .ipynb, the notebook as it was executed."""
        return self.folder / "result.json"


def make(within: Path, runs: Path | None = None) -> Sandbox:
    """Make a sandbox in a folder, under a name that cannot be guessed, with copies of the networks in `runs`."""
    sandbox = Sandbox(Path(tempfile.mkdtemp(dir=within)))
    (sandbox.home / ".tmp").mkdir(parents=True)
    if runs is not None and runs.is_dir():
        shutil.copytree(runs, sandbox.runs)
    sandbox.runs.mkdir(exist_ok=True)
    shutil.copytree(PACKAGE, sandbox.folder / "package" / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return sandbox


def marking(sandbox: Sandbox, name: str, submission: bytes, source: Path, bounds: Bounds) -> Job:
    """The job that marks the content of a submission by its exercise notebook, in a sandbox of its own, from copies."""
    (sandbox.folder / "submission.ipynb").write_bytes(submission)
    shutil.copyfile(source, sandbox.folder / source.name)
    given = ["submission.ipynb", source.name, sandbox.home, sandbox.result, bounds.limit, bounds.memory]
    command = [sys.executable, "-m", "lmc_utils.classroom.marking", *map(str, given)]
    # A cell that never ends costs its limit once, and one that ends the kernel a start and what ran before it.
    in_all = 900 + 2 * bounds.limit * (submission + source.read_bytes()).count(b"cell_type")
    return Job(name, command, sandbox.folder / "log", sandbox.folder, _environment(sandbox, bounds.cores), in_all)


def _environment(sandbox: Sandbox, cores: int) -> dict[str, str]:
    """A home and settings of its own, and none of the variables whose names look like secrets."""
    names = [name for name in os.environ if name not in _NOT_PASSED_ON and not _SECRET.search(name)]
    own = {
        "HOME": sandbox.home,
        "USERPROFILE": sandbox.home,
        "TMPDIR": sandbox.home / ".tmp",
        "XDG_CACHE_HOME": sandbox.home / ".cache",
        "XDG_CONFIG_HOME": sandbox.home / ".config",
        "IPYTHONDIR": sandbox.home / ".ipython",
        **{f"JUPYTER_{kind}_DIR": sandbox.home / ".jupyter" for kind in ("CONFIG", "DATA", "RUNTIME")},
        "LMC_RUNS": sandbox.runs,
        "PYTHONPATH": sandbox.folder / "package",
        "PYTHONHASHSEED": 0,
        "PYTHONNOUSERSITE": 1,
        "OMP_NUM_THREADS": cores,
    }
    return {name: os.environ[name] for name in names} | {name: str(value) for name, value in own.items()}
