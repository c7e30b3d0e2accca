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


def ratios(times: Times, ours: str) -> dict[str, list[float]]:
    """How many times longer each peer took than we did, repeat by repeat."""
    return {
        name: [theirs / own for theirs, own in zip(seconds, times[ours], strict=True)]
        for name, seconds in times.items()
        if name != ours
    }


def table(times: Times, ours: str) -> str:
    """A Markdown table: median and range of the seconds, and of the ratio to ours."""
    rows = ["| | seconds (median, range) | times ours (median, range) |", "| --- | ---: | ---: |"]
    against = ratios(times, ours)
    for name, seconds in times.items():
        ratio = _spread(against[name], ".1f") if name in against else "1"
        rows.append(f"| {name} | {_spread(seconds, '.2f')} | {ratio} |")
    return "\n".join(rows)


def _spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
