"""What tests of several modules share: one browser for each worker."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

# A shell without job control starts what it sends to the background deaf to Ctrl-C, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; one for each process, as Playwright's synchronous interface bears no second."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no `chromium` on the PATH")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=quiet)
        yield opened
        opened.close()
