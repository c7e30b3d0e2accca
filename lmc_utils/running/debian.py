"""Programs from Debian's packages, where the machine has them and we may install."""

from __future__ import annotations

import os
import shutil
import subprocess


def advice(package: str) -> str | None:
    """What to type to install a package; None where there is no apt-get."""
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install {package}" if shutil.which("apt-get") else None


def install(package: str) -> None:
    """Install a package as far as that is possible without asking; nothing is said, so look whether it is there now."""
    if not shutil.which("apt-get"):
        return
    as_root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]  # which fails where it would ask
    if not as_root or shutil.which("sudo"):
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "--quiet"], ["install", "--quiet", "--yes", package]):
            subprocess.run([*as_root, "apt-get", *words], capture_output=True, check=False, env=quiet)
