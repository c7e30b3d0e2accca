"""Fixtures of all tests: one browser for each worker, and a sandbox."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from lmc_utils.classroom import sandbox
from lmc_utils.publishing import browser as browsers

# Networks of tests are so small that a second thread costs more than it saves, above all where workers share the cores.
# The process that starts the workers reads this file first; they inherit what it sets, as do kernels. The variable is
# read once, when torch is first imported.
os.environ["LMC_PROGRESS"] = "0"
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell without job control starts background commands with Ctrl-C ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


# The longest groups, which start first so that no worker runs one of them alone at the end.
LONGEST = ("build", "hostile", "grading", "nbgrader", "sweeps", "faults")
NO_BROWSER, NO_SANDBOX = "there is no browser", "there is no sandbox"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest groups first, and last the tests of the book, which one worker builds in the meantime."""

    def place(item: pytest.Item) -> tuple[bool, int, str]:
        groups = sorted(mark.args[0] for mark in item.iter_markers("xdist_group"))
        first = min((rank for rank, name in enumerate(LONGEST) if name in groups), default=len(LONGEST))
        needs_book = "site" in getattr(item, "fixturenames", ()) and "build" not in groups
        return needs_book, first, " ".join(groups) if needs_book else ""

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of these tests share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def browser_program() -> str:
    """Requested by tests that start a browser by other means."""
    return browsers.find() or pytest.skip(NO_BROWSER)


@pytest.fixture(scope="session")
def browser(browser_program: str) -> Iterator[Browser]:
    """One for each process, as Playwright's synchronous interface does not allow a second."""
    with browsers.launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def sandbox_program() -> str:
    """Requested by tests that grade in a sandbox."""
    missing = pytest.fail if os.environ.get("LMC_SANDBOX") == "required" else pytest.skip
    return sandbox.find_program() or missing(NO_SANDBOX)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Print which tests did not run as the last lines, after pytest's own summary."""
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal is None or hasattr(config, "workerinput"):
        return
    for missing, advice in {NO_BROWSER: browsers.install_advice, NO_SANDBOX: sandbox.install_advice}.items():
        skipped = [report for report in terminal.stats.get("skipped", []) if missing in str(report.longrepr)]
        if skipped:
            terminal.write_line(f"{len(skipped)} tests did not run, as {missing}: {advice()}", yellow=True)
