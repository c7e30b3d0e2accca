"""The book, built once for all workers from notebooks that have just run with the smoke preset, and served."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from book_site import CHAPTERS, PAGES, Visit, copy_sources, each_page, settled, visit_one
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
            runs = shared_folder / "exercise-runs"  # as other tests of exercises: each is trained once
            environment = os.environ | {"LMC_RUNS": str(runs)}
            built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            (root / "build.log").write_text(built.stdout + built.stderr)
    html = root / "_build" / "html"
    assert html.exists(), (root / "build.log").read_text()
    return html


@pytest.fixture(scope="session")
def host(site: Path) -> Iterator[str]:
    """The address at which it is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session", params=each_page(PAGES))
def visit(request: pytest.FixtureRequest, browser: Browser, host: str) -> Iterator[Visit]:
    """Every page in turn; it is opened once for the tests of all files."""
    yield from map(settled, visit_one(browser, host, request.param))


@pytest.fixture(scope="session", params=each_page(CHAPTERS))
def chapter(request: pytest.FixtureRequest, browser: Browser, host: str) -> Iterator[Visit]:
    """Every chapter in turn."""
    yield from visit_one(browser, host, request.param)


class Quiet(SimpleHTTPRequestHandler):
    """A file server that does not talk."""

    def log_message(self, *args: object) -> None:
        pass
