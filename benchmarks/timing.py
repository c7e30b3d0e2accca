"""Peers timed in turn in one process, so that a drift of the machine touches all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Times = dict[str, list[float]]


def interleaved(contenders: Mapping[str, Callable[[], object]], repeats: int) -> Times:
    """Seconds of each contender in each repeat: A B C A B C ..., with a line of progress after each."""
    times: Times = {name: [] for name in contenders}
    for repeat in range(repeats):
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender()
            times[name].append(time.perf_counter() - start)
            print(f"  repeat {repeat + 1} of {repeats}: {name}: {times[name][-1]:.2f} s", flush=True)
    return times


def table(times: Times, ours: str) -> str:
    """A Markdown table of the seconds, and of how many times longer each peer took than we did.

    On a machine that others use too, the fastest repeat is the least disturbed one, so the ratio of the fastest comes
    first; the range of the ratios within a repeat tells how noisy it was.
    """
    rows = [
        "| | seconds: fastest (median, slowest) | times ours: fastest to fastest (range within a repeat) |",
        "| --- | ---: | ---: |",
    ]
    for name, seconds in times.items():
        within = [theirs / own for theirs, own in zip(seconds, times[ours], strict=True)]
        spent = f"{min(seconds):.2f} ({statistics.median(seconds):.2f}, {max(seconds):.2f})"
        ratio = f"{min(seconds) / min(times[ours]):.1f} ({min(within):.1f} to {max(within):.1f})"
        rows.append(f"| {name} | {spent} | {'1' if name == ours else ratio} |")
    return "\n".join(rows)
