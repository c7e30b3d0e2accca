"""What computed a result: which code, which libraries, which machine."""

from __future__ import annotations

import os
import platform
import subprocess

from lmc_utils.provenance import CHECKOUT, versions


def run_environment() -> dict[str, str]:
    """The commit, the versions and the machine that compute here and now, one line each.

    Returns:
        `commit`, which ends in "-dirty" where files differ from it and is "unknown" outside a clone; `versions` of what
        computes; `machine`: its cores, its kind, and how many threads were allowed, where a limit was set.

    >>> sorted(run_environment())
    ['commit', 'machine', 'versions']
    """
    used = {"python": platform.python_version()} | versions(["torch", "numpy", "xarray"])
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "commit": _commit() or "unknown",
        "versions": ", ".join(f"{library} {version}" for library, version in used.items()),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, threads: {threads or 'as many as cores'}",
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    except OSError:  # there is no git
        return ""
    return done.stdout.strip()
