"""Install the kernel `lmc-sandbox`, which runs notebooks in the sandbox; nbgrader's autograder can use it.

`python -m lmc_utils.classroom.sandbox_kernelspec` installs it into this environment.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager

from lmc_utils.classroom.workspace import Limits
from lmc_utils.settings import ParameterError, require

NAME = "lmc-sandbox"


def specification(limits: Limits, runs: Path | None = None) -> dict[str, Any]:
    """The content of `kernel.json`.

    Args:
        limits: of memory, disk and cores; the client limits the time of a cell.
        runs: folder of trained networks, visible read-only.

    >>> specification(Limits(memory=1024))["metadata"]["kernel_provisioner"]["config"]
    {'memory': 1024, 'disk': 256, 'cores': 1}
    """
    config: dict[str, Any] = {"memory": limits.memory, "disk": limits.disk, "cores": limits.cores}
    config |= {"runs": str(runs.resolve())} if runs else {}
    return {
        # The provisioner adds what is missing here: a client that ignores it starts nothing.
        "argv": [sys.executable, "-m", "lmc_utils.classroom.kernel_relay", "{connection_file}"],
        "display_name": "Python 3 (sandbox)",
        "language": "python",
        "interrupt_mode": "message",  # a signal would end the sandbox
        "metadata": {"kernel_provisioner": {"provisioner_name": NAME, "config": config}},
    }


def install(prefix: Path, *, limits: Limits | None = None, runs: Path | None = None) -> Path:
    """Install the kernel, or replace it, in the environment at a prefix; returns its folder.

    Raises:
        ParameterError: `runs` is not a folder, or a limit is less than 1.
    """
    limits = limits or Limits()
    require(runs is None or runs.is_dir(), "runs", "an existing folder", str(runs))
    for name, value in {"memory": limits.memory, "disk": limits.disk, "cores": limits.cores}.items():
        require(value >= 1, name, ">= 1", value)
    with tempfile.TemporaryDirectory() as folder:
        content = specification(limits, runs)
        Path(folder, "kernel.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return Path(KernelSpecManager().install_kernel_spec(folder, NAME, prefix=str(prefix)))


def main(arguments: Sequence[str]) -> None:
    """Install the kernel as the arguments say."""
    defaults = Limits()
    parser = argparse.ArgumentParser(prog="sandbox_kernelspec", description="Install the kernel lmc-sandbox.")
    parser.add_argument("--prefix", type=Path, default=Path(sys.prefix), help="environment (default: this one)")
    parser.add_argument("--runs", type=Path, help="folder of trained networks that submissions can read")
    parser.add_argument("--memory", type=int, default=defaults.memory, help="MiB of memory (default: %(default)s)")
    parser.add_argument("--disk", type=int, default=defaults.disk, help="MiB of each disk (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=defaults.cores, help="cores (default: %(default)s)")
    options = parser.parse_args(arguments)
    limits = Limits(memory=options.memory, disk=options.disk, cores=options.cores)
    try:
        print(install(options.prefix, limits=limits, runs=options.runs))  # noqa: T201
    except (ParameterError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
