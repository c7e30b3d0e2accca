"""The book, built once from notebooks that have just run with the smoke preset, and served."""

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
from book_site import CHAPTERS, PAGES, Visit, copy_sources, settled, visit_one
from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy of the book."""
    root = tmp_path_factory.mktemp("book")
    copy_sources(root)
    command = [sys.executable, "-m", "lmc_utils.cli", "build", "--root", str(root), "--preset", "smoke"]
    runs = tmp_path_factory.getbasetemp().parent / "exercise-runs"  # as other tests of exercises: each is trained once
    environment = os.environ | {"LMC_RUNS": str(runs)}
    built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return root / "_build" / "html"


@pytest.fixture(scope="session")
def host(site: Path) -> Iterator[str]:
    """The address at which it is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session", params=PAGES)
def visit(request: pytest.FixtureRequest, browser: Browser, host: str) -> Iterator[Visit]:
    """Every page in turn; it is opened once for the tests of all files."""
    yield from map(settled, visit_one(browser, host, request.param))


@pytest.fixture(scope="session", params=CHAPTERS)
def chapter(request: pytest.FixtureRequest, browser: Browser, host: str) -> Iterator[Visit]:
    """Every chapter in turn."""
    yield from visit_one(browser, host, request.param)


class Quiet(SimpleHTTPRequestHandler):
    """A file server that does not talk."""

    def log_message(self, *args: object) -> None:
        pass
