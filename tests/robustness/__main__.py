"""`make robustness`: try to break the guarantees of SECURITY.md, and write the results to a page of the book."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "_generated" / "robustness.md"
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import connect_against_loop
import fuzzing
import hostile_submissions
import killed_builds
import killed_sweeps
import killed_training
from run_corruption import CORRUPTIONS, UNREPORTED, equal, random_corruption, repair
from trial_result import Trial

from lmc_utils.forking import train


def main() -> None:
    parser = argparse.ArgumentParser(prog="robustness", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of trials of each attack")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="random seed; default: drawn anew")
    parser.add_argument("--only", choices=list(GROUPS), help="run one group of attacks, without writing the page")
    parser.add_argument("--page", type=Path, default=PAGE, help="output file of the table")
    options = parser.parse_args()

    print(f"seed {options.seed}", flush=True)
    rows: list[Trial] = []
    started = time.monotonic()
    for name in [options.only] if options.only else GROUPS:
        for row in GROUPS[name](options.scale, options.seed):
            rows.append(row)
            print(f"  {row.what}: {row.held} of {row.tried} held{f'; {row.worst}' if row.worst else ''}", flush=True)
    if not options.only:
        minutes = (time.monotonic() - started) / 60
        options.page.write_text(page(rows, options.seed, options.scale, minutes))
        print(f"Written to {options.page}")
    sys.exit(any(row.held < row.tried for row in rows))


def page(rows: Iterable[Trial], seed: int, scale: float, minutes: float) -> str:
    """The table in Markdown."""
    machine = f"{os.cpu_count()} cores, {platform.system()}, {platform.machine()}, Python {platform.python_version()}"
    today = f"{datetime.date.today():%d %B %Y}"
    said = f"Run on {today} in {minutes:.0f} minutes ({machine}), seed {seed}, scale {scale:g}."
    table = [f"| {row.what} | {row.tried:,} | {row.held:,} |" for row in rows]
    return "\n".join([said, "", "| what | tried | held |", "| --- | ---: | ---: |", *table, ""])


def runs(scale: float, seed: int) -> Iterator[Trial]:
    """Corrupt a finished run in every way of the list, then at random, and have it repaired."""
    with tempfile.TemporaryDirectory(prefix="lmc-") as folder:
        whole = train(killed_training.SMALL, Path(folder, "whole")).folder.path

        def repaired(corrupt: Callable[[Path], None], again: Sequence[int] | None, said: bool) -> bool:
            with tempfile.TemporaryDirectory(dir=folder) as copies:
                copy = Path(shutil.copytree(whole, Path(copies) / whole.name))
                corrupt(copy)
                done = repair(killed_training.SMALL, copy.parent)
                return equal(copy, whole) and again in (None, tuple(done.trained)) and bool(done.lines) is said

        def tried(what: str, held: dict[str, bool]) -> Trial:
            return Trial(what, len(held), sum(held.values()), ", ".join(name for name in held if not held[name]))

        one_way = {name: repaired(*which, name not in UNREPORTED) for name, which in CORRUPTIONS.items()}
        yield tried("corrupted runs: one way each", one_way)
        seeds = range(seed, seed + _times(200, scale))
        at_random = {str(n): repaired(lambda run, n=n: random_corruption(run, n), None, True) for n in seeds}
        yield tried("corrupted runs: one to three files at random", at_random)


def training(scale: float, seed: int) -> Iterator[Trial]:
    """Kill a process that trains."""
    with tempfile.TemporaryDirectory(prefix="lmc-") as folder:
        held = killed_training.kill_training(Path(folder), _times(50, scale), seed)
    yield Trial("killed training: only whole files on disk", len(held) - 1, sum(held[:-1]))
    yield Trial("killed training: the bits of the run in the end", 1, int(held[-1]))


def text(scale: float, seed: int) -> Iterable[Trial]:
    """Fuzz values, notebooks, results and submissions."""
    return (
        Trial(f"junk: {row.what}", row.tried, row.held, row.worst) for row in fuzzing.attack(_times(1000, scale), seed)
    )


def connections(scale: float, seed: int) -> Iterator[Trial]:
    """Measure the line between random networks, and compare it with a plain loop."""
    yield from connect_against_loop.attack(_times(3000, scale), seed)


def builds(scale: float, seed: int) -> Iterable[Trial]:
    """Kill a build."""
    return (
        Trial(f"killed builds: {row.what}", row.tried, row.held, row.worst)
        for row in killed_builds.attack(_times(50, scale), seed)
    )


def swept(scale: float, seed: int) -> Iterator[Trial]:
    """Kill a sweep at random instants."""
    yield from killed_sweeps.attack(_times(20, scale), seed)


def submissions(scale: float, seed: int) -> Iterator[Trial]:
    """Grade all hostile submissions beside honest ones, whatever the scale."""
    names = list(hostile_submissions.HOSTILE)
    with tempfile.TemporaryDirectory(prefix="lmc-") as folder:
        rows = hostile_submissions.attack(Path(folder), names, packed=False)
    failed = [f"{name}: {why}" for name, held, why in rows if not held]
    yield Trial("hostile submissions", len(rows), len(rows) - len(failed), "; ".join(failed))


def _times(count: int, scale: float) -> int:
    return max(1, round(count * scale))


GROUPS: dict[str, Callable[[float, int], Iterable[Trial]]] = {
    "runs": runs,
    "training": training,
    "sweeps": swept,
    "text": text,
    "connect": connections,
    "builds": builds,
    "submissions": submissions,
}

if __name__ == "__main__":
    main()
