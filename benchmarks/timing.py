"""Peers timed in turn in one process, so that a drift of the machine touches all of them alike."""

from __future__ import annotations

import math
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
            print(f"  repeat {repeat + 1} of {repeats}: {name}: {rounded(times[name][-1], 3)} s", flush=True)
    return times


def table(times: Times, ours: str, unit: str | None = None) -> str:
    """A Markdown table of the seconds, and of how many times longer each peer took than we did.

    On a machine that others use too, the fastest repeat is the least disturbed one, so the ratio of the fastest comes
    first; the range of the ratios within a repeat shows how noisy it was. With a unit, one of the contenders, a further
    column says how many of it each took, fastest to fastest.
    """
    head = "| | seconds: fastest (median, slowest) | times ours: fastest to fastest (range within a repeat) |"
    rows = (
        [head, "| --- | ---: | ---: |"]
        if unit is None
        else [f"{head} in units of the {unit} |", "| --- | ---: | ---: | ---: |"]
    )
    for name, seconds in times.items():
        within = [theirs / own for theirs, own in zip(seconds, times[ours], strict=True)]
        fastest, median, slowest = (rounded(f(seconds), 3) for f in (min, statistics.median, max))
        low, high = rounded(min(within), 2), rounded(max(within), 2)
        ratio = f"{rounded(min(seconds) / min(times[ours]), 2)} ({low} to {high})"
        row = f"| {name} | {fastest} ({median}, {slowest}) | {'1' if name == ours else ratio} |"
        rows.append(row if unit is None else f"{row} {rounded(min(seconds) / min(times[unit]), 2)} |")
    return "\n".join(rows)


def rounded(value: float, digits: int) -> str:
    """To so many significant digits, without an exponent; more where they stand before the point."""
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(max(value, 1e-9))))}f}"
