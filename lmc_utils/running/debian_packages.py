"""Install programs from Debian packages, if possible and permitted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence


def install_advice(package: str) -> str | None:
    """The command to type to install a package; None without apt-get."""
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install {package}" if shutil.which("apt-get") else None


def install_commands(package: str) -> list[list[str]]:
    """Commands that install a package non-interactively, in order; an empty list if impossible."""
    if not shutil.which("apt-get"):
        return []
    as_root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]  # fails instead of asking for a password
    if as_root and not shutil.which("sudo"):
        return []
    update, install = ["apt-get", "update", "--quiet"], ["apt-get", "install", "--quiet", "--yes", package]
    return [[*as_root, *update], [*as_root, *install]]


def run_quietly(command: Sequence[str]) -> None:
    """Run an installer silently, ignoring its outcome."""
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, capture_output=True, check=False, env=quiet)
