"""The URL of a checkout's repository, if known, and the book's configuration with it.

No URL is written in the sources: an unregistered name could be claimed by anyone.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from lmc_utils.classroom.install_cell import REQUIREMENT
from lmc_utils.provenance import write_whole
from lmc_utils.settings import require

_WEB = re.compile(r"https://[\w.-]+(/[\w.~-]+){2,}")
_FILES = {"github.com": "blob", "gitlab.com": "-/blob", "codeberg.org": "src/branch"}
_PUBLIC = re.compile(r"\.(?!(?:local|localdomain|lan|internal|intranet|home|corp)$)[a-z][a-z0-9-]+$")
_ORIGIN = re.compile(r"(?:https?://|ssh://|git@)(?:[^@/]*@)?([\w.-]+)(?::\d+)?[:/](.+?)(?:\.git)?/?")


def repository_url(root: Path) -> str | None:
    """The URL of a checkout's repository: `repository: url` in its `_config.yml`, or that of its remote `origin`.

    Raises:
        ParameterError: the configured value is not a URL.
    """
    said = (_settings(root).get("repository") or {}).get("url")
    if said:
        require(
            isinstance(said, str) and bool(_WEB.fullmatch(said)), "repository", "https://HOST/OWNER/NAME, or null", said
        )
        return str(said)
    if not (root / ".git").exists():  # a folder within another checkout does not count
        return None
    try:
        command = ["git", "-C", str(root), "config", "--local", "--get", "remote.origin.url"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):  # git is not available
        return None
    return url_from_origin(done.stdout.strip())


def url_from_origin(origin: str) -> str | None:
    """The web URL for git's `origin`, without user names and passwords; None for a folder.

    >>> url_from_origin("git@example.org:ada/book.git")
    'https://example.org/ada/book'
    >>> url_from_origin("https://ada:secret@example.org/ada/book.git")
    'https://example.org/ada/book'
    >>> url_from_origin("/srv/book.git")
    """
    found = _ORIGIN.fullmatch(origin)
    address = f"https://{found[1]}/{found[2]}" if found else ""
    return address if _WEB.fullmatch(address) else None


def pip_requirement(root: Path) -> str:
    """What to install with pip to get this package: a checkout's repository if its host looks public, else its name.

    Raises:
        ParameterError: as `repository_url`.
    """
    url = repository_url(root) if (root / "_config.yml").exists() else None
    return f"{REQUIREMENT} @ git+{url}" if url and is_public(url) else REQUIREMENT


def is_public(url: str) -> bool:
    """Whether the host of a URL has a name of the public internet.

    >>> is_public("https://example.org/ada/book"), is_public("https://10.0.0.7/ada/book"), is_public("https://git/a/b")
    (True, False, False)
    """
    return bool(_PUBLIC.search(urlsplit(url).hostname or ""))


def line_url(repository: str | None, branch: str, path: str, line: int) -> str | None:
    """The web address of a line in a repository; None where it is not known how its host shows files.

    >>> line_url("https://github.com/ada/book", "main", "lmc_utils/settings.py", 7)
    'https://github.com/ada/book/blob/main/lmc_utils/settings.py#L7'
    >>> line_url("https://example.org/ada/book", "main", "lmc_utils/settings.py", 7)
    """
    files = _FILES.get(urlsplit(repository or "").netloc)
    return f"{repository}/{files}/{branch}/{path}#L{line}" if files else None


def write_config(root: Path, path: Path) -> None:
    """Write the configuration of the book, with buttons that link to the repository if its URL is known."""
    settings, url = _settings(root), repository_url(root)
    parse = settings.setdefault("parse", {})
    parse["myst_substitutions"] = {**(parse.get("myst_substitutions") or {}), "repository": url or ""}
    if url:
        settings["repository"] = {**(settings.get("repository") or {}), "url": url}
    else:
        settings.pop("repository", None)
    if not (url or "").startswith("https://github.com/"):  # the only host that the Binder buttons support
        settings.pop("launch_buttons", None)
    html = settings.setdefault("html", {})
    html["use_repository_button"] = html["use_issues_button"] = bool(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    if extensions := (settings.get("sphinx") or {}).get("local_extensions"):  # paths are relative to the file
        extensions.update({name: str(root.resolve() / folder) for name, folder in extensions.items()})
    write_whole(path, yaml.safe_dump(settings, sort_keys=False).encode())


def _settings(root: Path) -> dict[str, Any]:
    result: dict[str, Any] = yaml.safe_load((root / "_config.yml").read_bytes()) or {}
    return result
