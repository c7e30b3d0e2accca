"""One point of a sweep at work: a process that ends with its worker, and a notebook that is whole or not there."""

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

from lmc_utils.provenance import run_environment
from lmc_utils.running import notebook_files, notebooks, subprocess_jobs, watchdog
from lmc_utils.settings import ParameterError

_POLL = 0.05  # seconds


@dataclass(frozen=True)
class Outcome:
    """How the execution of a point ended.

    Attributes:
        notebook: as it was executed; where it failed, as far as it came.
        error: one line; None where it went well.
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
    still_wanted: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Execute a notebook in a process of its own, in a folder of this try alone.

    The process, its kernel and all that they start end with the caller, however that ends.

    Args:
        source: the notebook.
        stem: its name, for messages.
        parameters: parameters, checked by the caller.
        digest: of what the notebook depends on, which the executed one carries.
        timeout: seconds that a single cell may take.
        variables: of the environment, that the process has besides those of this one.
        still_wanted: asked now and then; the process is ended once this is false.
    """
    with tempfile.TemporaryDirectory(prefix="lmc-") as folder:
        place, out, log = Path(folder) / f"{stem}.ipynb", Path(folder) / "out.ipynb", Path(folder) / "log"
        place.write_bytes(source)
        arguments = [str(place), str(out), str(timeout), json.dumps(dict(parameters))]
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


def _stamped(path: Path, digest: str) -> bytes:
    """An executed notebook that says where it was executed, and what it depends on."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return notebook_files.with_metadata(notebook, digest=digest, environment=run_environment())


def main(source: str, out: str, timeout: str, parameters: str) -> None:
    """What the process of a point does: no more than papermill needs, as the caller has checked the parameters."""
    try:
        notebooks.execute(notebooks.Notebook(Path(source)), json.loads(parameters), Path(out), timeout=int(timeout))
    except (notebooks.ExecutionError, ParameterError) as error:
        sys.exit(f"lmc: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
