"""`make attack`: try to break what SECURITY.md promises, and write what held to a page of the book."""

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
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "_generated" / "attack.md"
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import damage
import killed_training

from lmc_utils.forking import train

Row = tuple[str, int, int, str]  # what was tried, how often, how often it held, and what happened where it did not


def main() -> None:
    parser = argparse.ArgumentParser(prog="attack", description=__doc__)
    parser.add_argument("--dose", type=float, default=1.0, help="how much of each attack; 1 is what the page shows")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of all that is random")
    parser.add_argument("--only", choices=list(GROUPS), help="one group of attacks; then the page is left as it is")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table is written")
    options = parser.parse_args()

    print(f"seed {options.seed}", flush=True)
    rows: list[Row] = []
    started = time.monotonic()
    for name in [options.only] if options.only else GROUPS:
        for row in GROUPS[name](options.dose, options.seed):
            rows.append(row)
            print(f"  {row[0]}: {row[2]} of {row[1]} held{f' ({row[3]})' if row[3] else ''}", flush=True)
    minutes = (time.monotonic() - started) / 60
    if not options.only:
        options.page.write_text(page(rows, options.seed, options.dose, minutes))
        print(f"Written to {options.page}")
    sys.exit(any(held < tried for _, tried, held, _ in rows))


def page(rows: list[Row], seed: int, dose: float, minutes: float) -> str:
    """The table in Markdown."""
    lines = [f"| {what} | {tried:,} | {held:,} |" for what, tried, held, _ in rows]
    return "\n".join(
        [
            f"Attacked on {datetime.date.today():%d %B %Y} with seed {seed} and dose {dose:g}, on {os.cpu_count()} cores "
            f"({platform.system()}, {platform.machine()}, Python {platform.python_version()}), in {minutes:.0f} minutes.",
            "",
            "| what | tried | held |",
            "| --- | ---: | ---: |",
            *lines,
            "",
        ]
    )


def runs(dose: float, seed: int) -> Iterator[Row]:
    """Damage a finished run in every way of the list, then at random, and have it mended."""
    with _folder() as folder:
        whole = train(killed_training.SMALL, folder / "whole", progress=False).folder.path
        names = list(damage.DAMAGES)
        failed = [name for name in names if not _mended(whole, folder, damage.DAMAGES[name][0])]
        yield "a run damaged in one way", len(names), len(names) - len(failed), ", ".join(failed)
        seeds = range(seed, seed + max(1, round(200 * dose)))
        failed = [str(n) for n in seeds if not _mended(whole, folder, lambda run, n=n: damage.random_damage(run, n))]
        yield "one to three files of a run damaged at random", len(seeds), len(seeds) - len(failed), ", ".join(failed)


def _mended(whole: Path, folder: Path, hurt: Callable[[Path], None]) -> bool:
    with tempfile.TemporaryDirectory(dir=folder) as copies:
        copy = Path(shutil.copytree(whole, Path(copies) / whole.name))
        hurt(copy)
        train(killed_training.SMALL, copy.parent, progress=False)
        return damage.equal(copy, whole)


def training(dose: float, seed: int) -> Iterator[Row]:
    """Kill a process that trains."""
    with _folder() as folder:
        held = killed_training.kill_training(folder, max(1, round(50 * dose)), seed)
    yield "training killed at a random instant", len(held) - 1, sum(held[:-1]), ""
    yield "the bits of the run in the end", 1, int(held[-1]), ""
