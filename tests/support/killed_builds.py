"""Kill builds at random times: all their processes end, pages stay complete, and the next build succeeds.

`attack(count, seed)` kills so many builds of a small book, each followed at once by one that must succeed.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from small_project import write_book, write_notebook
from trial_result import Trial

SOON = 2.0  # seconds within which all processes of a killed build end
MARK = "LMC_KILLED"
_BUILD = (sys.executable, "-m", "lmc_utils.cli", "build", "--preset", "smoke")
BETWEEN_RENAMES = """
import os, signal
from pathlib import Path
from lmc_utils.cli import main
from lmc_utils.publishing import folder_swap

def rename(path, target, rename=Path.rename):
    if path.name == "html.new":
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)

folder_swap._exchange = lambda one, other: False
Path.rename = rename
main.app(["build", "--preset", "smoke"])
"""


@dataclass
class Victim:
    """A small book whose builds are killed.

    Attributes:
        root: folder of the book.
        number: number of the version being built, shown on its page.
        published: versions that the page may show at this moment.
        faults: violations found.
    """

    root: Path
    number: int = 0
    published: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def write(self) -> None:
        """Write the next version."""
        self.number += 1
        self.published.add(self.number)
        write_notebook(self.root / "notebooks" / "b.ipynb", f"print('version', {self.number}, 'end')")

    def start(self, command: Sequence[str] = _BUILD) -> tuple[subprocess.Popen[bytes], str]:
        """Start a build; return it with the mark that identifies its processes."""
        mark = os.urandom(8).hex()
        environment = os.environ | {MARK: mark, "TMPDIR": str(self.root / "tmp")}
        with (self.root / "log").open("wb") as log:
            return subprocess.Popen(command, cwd=self.root, env=environment, stdout=log, stderr=log), mark

    def build(self) -> None:
        """Run a build that must succeed and leave only its page."""
        process, _ = self.start()
        self._expect(process.wait() == 0, (self.root / "log").read_text())
        self.published = {self.number}
        self._expect(self._says() in self.published, "the page has an old version")
        left = [*self.root.glob("_build/html.*"), *self.root.glob("_build/executed/*.ipynb"), *self.root.glob("tmp/*")]
        left += self.root.rglob(".*.partial")
        self._expect([path.name for path in left] == ["html.log"], f"left behind: {left}")

    def ended(self, mark: str) -> None:
        """Check that all processes with a mark end soon."""
        deadline = time.monotonic() + SOON
        while found := list(alive(mark)):
            if time.monotonic() > deadline:
                self.faults.append(f"alive after {SOON} s: {found}")
                return
            time.sleep(0.02)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Check the published pages continuously."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.001):
                self._expect(self._says() in self.published, f"the page is not whole: {self._says()}")

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _says(self) -> int | None:
        pages = self.root / "_build" / "html"
        try:
            index, page = ((pages / name).read_text() for name in ("intro.html", "notebooks/b.html"))
        except OSError:
            return None
        found = re.search(r"version (\d+) end", page)
        whole = all(text.rstrip().endswith("</html>") for text in (index, page))
        return int(found[1]) if found and whole and (pages / "index.html").exists() else None

    def _expect(self, holds: bool, fault: str) -> None:
        if not holds:
            self.faults.append(fault)


def attack(count: int, seed: int) -> list[Trial]:
    """Kill so many builds of a small book at random times, and one between its two renames."""
    return [between_renames(), at_any_instant(count, seed)]


def at_any_instant(count: int, seed: int, good_after: int = 1, seconds: float | None = None) -> Trial:
    """Kill builds of a small book at random times.

    Args:
        count: the number of builds to kill.
        seed: seed of the times.
        good_after: after so many kills, one build must succeed.
        seconds: range of the times; by default the duration of a build.
    """
    instants = random.Random(seed)
    held, worst = 0, list[str]()
    with _victim() as victim:
        if seconds is None:
            start = time.monotonic()
            victim.build()
            seconds = time.monotonic() - start
        for number in range(1, count + 1):
            after = instants.uniform(0, seconds)
            with victim.watched():
                victim.write()
                process, mark = victim.start()
                time.sleep(after)
                process.kill()
                process.wait()
                ending = threading.Thread(target=victim.ended, args=[mark])
                ending.start()
                if number % good_after == 0:
                    victim.build()
                ending.join()
            held += not victim.faults
            worst += [f"killed after {after:.2f} s: {fault}" for fault in victim.faults]
            victim.faults = []
    return Trial(f"a build, killed in its first {seconds:.1f} s", count, held, min(worst, key=len, default=""))


def between_renames() -> Trial:
    """Kill a build between its two renames, without atomic exchange of folders."""
    with _victim() as victim:
        process, mark = victim.start((sys.executable, "-c", BETWEEN_RENAMES))
        if process.wait() != -signal.SIGKILL:
            victim.faults.append("was not killed")
        victim.ended(mark)
        victim.build()
        return Trial("a build, killed between its two renames", 1, int(not victim.faults), "; ".join(victim.faults))


@contextmanager
def _victim() -> Iterator[Victim]:
    """A book with manually published pages of an earlier version."""
    with tempfile.TemporaryDirectory(prefix="lmc-kills-") as folder:
        victim = Victim(Path(folder))
        write_book(victim.root, b="")
        for name in ("tmp/-", "_build/html/index.html", "_build/html/intro.html", "_build/html/notebooks/b.html"):
            path = victim.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("version 0 end</html>")
        victim.published.add(0)
        (victim.root / "tmp" / "-").unlink()
        victim.write()
        yield victim


def alive(mark: str) -> Iterator[str]:
    """Yield the running processes with a mark in their environment."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                yield f"{process.pid} {' '.join(process.cmdline())[:100]}"
        except (psutil.Error, OSError):
            continue
