"""Programs from Debian's packages, where the machine has them and we may install."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence


def install_advice(package: str) -> str | None:
    """What to type to install a package; None where there is no apt-get."""
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install {package}" if shutil.which("apt-get") else None


def install_commands(package: str) -> list[list[str]]:
    """What installs a package without asking, in order; nothing where that cannot be done."""
    if not shutil.which("apt-get"):
        return []
    as_root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]  # which fails where it would ask
    if as_root and not shutil.which("sudo"):
        return []
    update, install = ["apt-get", "update", "--quiet"], ["apt-get", "install", "--quiet", "--yes", package]
    return [[*as_root, *update], [*as_root, *install]]


def run_quietly(command: Sequence[str]) -> None:
    """Run an installer that says nothing and asks nothing; whether it helped is to be seen."""
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, capture_output=True, check=False, env=quiet)
