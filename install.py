"""Install the book, its locked packages and the extras that are named into the environment of this Python, with uv.

    python install.py sweep dev

uv verifies the hashes of lock.txt. It does not read what pip was told, so its indexes, folders of wheels, certificates
and proxy are handed on; a constraint of pip's is not, as the lock says it all. On Linux without an NVIDIA
GPU it takes PyTorch's CPU wheels, a quarter of the size, if their index answers.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent
CPU_WHEELS = "https://download.pytorch.org/whl/cpu/"
PATIENCE = 3.0  # seconds to wait for the answer of an index
UV_NAMES = {  # pip's name of a setting: uv's names, the one to use first, and what separates several values
    "cert": (("SSL_CERT_FILE",), ""),
    "client-cert": (("SSL_CLIENT_CERT",), ""),
    "extra-index-url": (("UV_INDEX", "UV_EXTRA_INDEX_URL"), " "),
    "find-links": (("UV_FIND_LINKS",), ","),
    "index-url": (("UV_DEFAULT_INDEX", "UV_INDEX_URL"), ""),
    "proxy": (("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"), ""),
    "trusted-host": (("UV_INSECURE_HOST",), " "),
}


def uv_settings(configuration: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that tell uv what pip was told, in files or in the environment; uv's own settings go first.

    Args:
        configuration: what `pip config list` prints: lines like `global.find-links='/wheels'`.
        environment: the variables that are set.
    """
    said: dict[str, str] = {}
    lines = [line.partition("=") for line in configuration.splitlines()]
    for section in ("global.", "install.", ":env:."):  # in pip, a later one goes before
        said |= {
            key.removeprefix(section): ast.literal_eval(value) for key, _, value in lines if key.startswith(section)
        }
    settings = {
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # as pip: all indexes count alike
        "UV_SYSTEM_CERTS": "1",  # as pip
    } | {
        names[0]: separator.join(said[name].split()) if separator else said[name]
        for name, (names, separator) in UV_NAMES.items()
        if said.get(name) and not any(name in environment for name in names)
    }
    return {name: value for name, value in settings.items() if name not in environment}


def forbids_indexes(configuration: str) -> bool:
    """Whether pip was told to ask no index; for uv this is an option, not a variable."""
    return re.search(r"(?im)^\S+\.no-index='?(1|true|yes|on)'?$", configuration) is not None


def answers(address: str) -> bool:
    """Whether there is an answer soon. A thread asks, as looking a name up knows no time limit."""
    heard = threading.Event()

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=PATIENCE):
                heard.set()
        except (OSError, ValueError):
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return heard.is_set()


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU; inside Windows only the second shows it."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def torch_backend(environment: Mapping[str, str]) -> dict[str, str]:
    """The variable that makes uv take PyTorch's CPU wheels; none where the usual ones are small or wanted."""
    if sys.platform != "linux" or has_gpu() or "UV_TORCH_BACKEND" in environment:
        return {}
    if answers(CPU_WHEELS):
        return {"UV_TORCH_BACKEND": "cpu"}
    if importlib.util.find_spec("torch") is None:
        print(f"{CPU_WHEELS} does not answer: torch comes from where all packages come from")  # noqa: T201
    return {}


def main(extras: Sequence[str]) -> int:
    """Install; gives back uv's exit status."""
    ask = [sys.executable, "-m", "pip", "config", "list"]
    configuration = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
    told = uv_settings(configuration, os.environ) | torch_backend(os.environ)
    project = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    options = ["--quiet", "--compile-bytecode", "--python", sys.executable, "--constraints", str(ROOT / "lock.txt")]
    options += ["--no-index"] if forbids_indexes(configuration) else []
    command = [sys.executable, "-m", "uv", "pip", "install", *options, "--editable", project]
    return subprocess.call(command, env=os.environ | told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
