"""Execute one point of a sweep in a process that ends with its worker."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmc_utils import progress
from lmc_utils.provenance import run_environment
from lmc_utils.running import notebook_files, notebooks, subprocess_jobs, watchdog
from lmc_utils.settings import ParameterError

_POLL = 0.05  # seconds


@dataclass(frozen=True)
class Outcome:
    """Result of the execution of a point.

    Attributes:
        notebook: the executed notebook; partial after a failure.
        error: a one-line error; None after success.
    """

    notebook: bytes
    error: str | None


def execute(
    source: bytes,
    stem: str,
    parameters: Mapping[str, Any],
    *,
    digest: str,
    timeout: int,
    variables: Mapping[str, str],
    started_in: Path,
    still_wanted: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Execute a notebook in a separate process.

    Its kernel works where the sweep was started, so that it finds local modules and data; on a machine without this
    folder, in a new temporary one. The process, its kernel and all their child processes end with the caller, even if
    it is killed.

    Args:
        source: content of the notebook.
        stem: name of the notebook, for messages.
        parameters: parameters, checked by the caller.
        digest: digest of the notebook's dependencies, stored in the executed one.
        timeout: seconds that a single cell may take.
        variables: additional environment variables of the process.
        started_in: the folder in which the sweep was started.
        still_wanted: polled; the process is ended once it returns false.
    """
    with tempfile.TemporaryDirectory(prefix="lmc-") as folder:
        place, out, log = Path(folder) / f"{stem}.ipynb", Path(folder) / "out.ipynb", Path(folder) / "log"
        place.write_bytes(source)
        working = started_in if started_in.is_dir() else Path(folder)
        arguments = [str(place), str(out), str(timeout), json.dumps(dict(parameters)), str(working)]
        command = [sys.executable, "-m", "lmc_utils.running.sweep_point", *arguments]
        with log.open("wb") as log_file:
            process = watchdog.start(
                command, stdout=log_file, stderr=log_file, cwd=folder, env=os.environ | dict(variables)
            )
            try:
                while process.poll() is None and still_wanted():
                    time.sleep(_POLL)
            finally:
                watchdog.end([process])
        if process.returncode == 0:
            return Outcome(_stamped(out, digest), None)
        line = subprocess_jobs.last_line(log).partition(" (see ")[0]
        partial = out.with_suffix(".partial.ipynb")
        so_far = partial.read_bytes() if partial.exists() else b""
        return Outcome(so_far, line or f"it ended with status {process.returncode}")


def run_as_task(source: bytes, stem: str, point: Mapping[str, Any], **options: Any) -> Outcome:
    """As `execute`, as a task of a Dask worker, which stops if the task is cancelled.

    It is here since a worker imports the module of its task, and this one imports little.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def still_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state in ("executing", "long-running") and worker.status.name == "running"

    return execute(source, stem, point, **options, still_wanted=still_wanted)


def _stamped(path: Path, digest: str) -> bytes:
    """An executed notebook with its environment and the digest of its dependencies in its metadata."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return notebook_files.with_metadata(notebook, digest=digest, environment=run_environment())


def main(source: str, out: str, timeout: str, parameters: str, folder: str) -> None:
    """Entry point of the process of a point, with minimal imports, as the caller has checked the parameters."""
    try:
        with progress.hidden():
            values, limit = json.loads(parameters), int(timeout)
            notebooks.execute(notebooks.Notebook(Path(source)), values, Path(out), timeout=limit, folder=Path(folder))
    except (notebooks.ExecutionError, ParameterError) as error:
        sys.exit(f"lmc: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
