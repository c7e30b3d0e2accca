"""The book, built once for all workers from notebooks that have just run with the smoke preset, and served."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from book_site import CHAPTERS, DESKTOP, PAGES, Visit, copy_sources, each_page, new_visit, settled
from filelock import FileLock
from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def site(shared_folder: Path) -> Path:
    """The folder of a copy of the book, which the first worker that needs it builds."""
    root = shared_folder / "book"
    with FileLock(root.with_suffix(".lock")):
        if not root.exists():
            root.mkdir()
            copy_sources(root)
            command = [sys.executable, "-m", "lmc_utils.cli", "build", "--root", str(root), "--preset", "smoke"]
            runs = shared_folder / "exercise-runs"  # shared with other tests of exercises: each is trained once
            environment = os.environ | {"LMC_RUNS": str(runs)}
            built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            (root / "build.log").write_text(built.stdout + built.stderr)
    html = root / "_build" / "html"
    assert html.exists(), (root / "build.log").read_text()
    return html


@pytest.fixture(scope="session")
def host(site: Path) -> Iterator[str]:
    """The address at which the book is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def open_page(browser: Browser, host: str) -> Iterator[Callable[[str], Visit]]:
    """Open a page once for all consecutive tests of it."""
    opened: list[Visit] = []

    def open_page(name: str) -> Visit:
        if not opened or opened[0].name != name:
            while opened:
                opened.pop().page.close()
            opened.append(settled(new_visit(browser, host, name)))
        opened[0].page.set_viewport_size(DESKTOP)
        return opened[0]

    yield open_page
    for visit in opened:
        visit.page.close()


@pytest.fixture(params=each_page(PAGES))
def visit(request: pytest.FixtureRequest, open_page: Callable[[str], Visit]) -> Visit:
    """Every page in turn."""
    return open_page(request.param)


@pytest.fixture(params=each_page(CHAPTERS))
def chapter(request: pytest.FixtureRequest, open_page: Callable[[str], Visit]) -> Visit:
    """Every chapter in turn."""
    return open_page(request.param)


class Quiet(SimpleHTTPRequestHandler):
    """A file server without log messages."""

    def log_message(self, *args: object) -> None:
        pass
