"""Find or install a browser for automation: Chromium, Chrome or Edge.

`python -m lmc_utils.publishing.browser` prints its path, and installs one first if there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lmc_utils.running import debian_packages, watchdog
from lmc_utils.settings import ParameterError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

VARIABLE = "LMC_BROWSER"
"""The environment variable that names a browser of one's own, as a path or a command."""

_COMMANDS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge"),
)
_MAC = ("Google Chrome", "Chromium", "Microsoft Edge")
_WINDOWS = (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
_PLAYWRIGHTS = "from playwright.sync_api import sync_playwright as p\nwith p() as q: print(q.chromium.executable_path)"
_PATIENCE = 120  # seconds that a browser may take to start, on a busy machine
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def find() -> str | None:
    """Find a browser: `LMC_BROWSER`, else one on the PATH or in a usual place, else Playwright's.

    Raises:
        ParameterError: `LMC_BROWSER` is not a program.
    """
    if named := os.environ.get(VARIABLE):
        if program := shutil.which(named):
            return program
        raise ParameterError(f"{VARIABLE} must be the program of a browser (got '{named}')")
    programs = (shutil.which(name) for name in (*_COMMANDS, *_standard_paths()))
    return next((program for program in programs if program and _starts(program)), None) or _playwright_browser()


def _standard_paths() -> Iterator[str]:
    for folder in ("/Applications", str(Path.home() / "Applications")):
        yield from (f"{folder}/{name}.app/Contents/MacOS/{name}" for name in _MAC)
    for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        if variable in os.environ:
            yield from (os.path.join(os.environ[variable], path) for path in _WINDOWS)


def _playwright_browser() -> str | None:
    """The path of Playwright's browser, from a separate process, as Playwright cannot be nested."""
    asked = subprocess.run([sys.executable, "-c", _PLAYWRIGHTS], capture_output=True, text=True, check=False)
    program = shutil.which(asked.stdout.strip())
    return program if program and _starts(program) else None


def require_browser() -> str:
    """As `find`, but a missing browser is an error.

    Raises:
        ParameterError: there is none; the message says what to type.
    """
    if program := find():
        return program
    raise ParameterError(f"no Chromium, Chrome or Edge found; {install_advice()}")


def install_advice() -> str:
    """The command to type if there is no browser."""
    command = debian_packages.install_advice("chromium") or f"{sys.executable} -m playwright install chromium"
    return f"try `{command}`, or name one with `export {VARIABLE}=...`"


def find_or_install() -> str:
    """As `require_browser`, but if there is none, try Playwright's installer, then Debian packages if permitted."""
    if find() is None:
        print("fetching a browser (a minute or two)", file=sys.stderr)  # noqa: T201
        for command in _installers():
            debian_packages.run_quietly(command)
            if find() is not None:
                break
    return require_browser()


def _installers() -> Iterator[Sequence[str]]:
    yield [sys.executable, "-m", "playwright", "install", "chromium"]
    yield from debian_packages.install_commands("chromium")


def _starts(program: str) -> bool:
    """Whether a browser starts: Playwright's comes without its libraries."""
    tried = [program, "--headless", *_ARGUMENTS, "--dump-dom", "about:blank"]
    with watchdog.start(tried, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            return process.wait(_PATIENCE) == 0
        except subprocess.TimeoutExpired:
            return False


@contextmanager
def launched() -> Iterator[Browser]:
    """Launch a headless browser by Playwright; only one at a time in a process.

    Raises:
        ParameterError: there is no browser, or Playwright is not installed.
    """
    program = require_browser()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ParameterError(
            "the package playwright is missing, which drives the browser: pip install playwright"
        ) from error
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=_ARGUMENTS) as browser,
    ):
        yield browser


if __name__ == "__main__":
    try:
        print(find_or_install())  # noqa: T201
    except ParameterError as error:
        sys.exit(f"lmc: {error}")
