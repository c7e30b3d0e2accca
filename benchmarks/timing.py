"""Time contenders in turn in one process, so that changes of the machine's load affect all of them alike."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

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


def table(times: Times, ours: str | None = None) -> str:
    """A Markdown table of the seconds and, if one of the contenders is ours, of the ratio of the others to it.

    The comparison has the ratio of the medians, the range of the ratios within a repeat, and the faster of both if all
    repeats agree.
    """
    rows = [["method", "median seconds (fastest to slowest)"], ["---", "---:"]]
    if ours:
        rows = [[*rows[0], "times as long as ours (range over repeats)", "result"], [*rows[1], "---:", "---"]]
    for name, seconds in times.items():
        row = [name, with_range(statistics.median(seconds), seconds, 3)]
        if ours == name:
            row += ["1", ""]
        elif ours:
            within = [theirs / own for theirs, own in zip(seconds, times[ours], strict=True)]
            ratio = statistics.median(seconds) / statistics.median(times[ours])
            row += [with_range(ratio, within, 2), compared(within)]
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def compared(ratios: Sequence[float]) -> str:
    """State which contender is faster, from the other's seconds divided by ours in each repeat.

    >>> compared([1.1, 1.3]), compared([0.94, 0.97]), compared([0.88, 1.2]), compared([8.5])
    ('ours is faster', 'ours is slower', 'no clear difference', 'measured once')
    """
    if len(ratios) == 1:
        return "measured once"
    if min(ratios) > 1:
        return "ours is faster"
    return "ours is slower" if max(ratios) < 1 else "no clear difference"


def with_range(value: float, values: Sequence[float], digits: int) -> str:
    """Format a value, and the range of several measurements of it, if there is more than one."""
    low, high = rounded(min(values), digits), rounded(max(values), digits)
    return f"{rounded(value, digits)} ({low} to {high})" if len(values) > 1 else rounded(value, digits)


def rounded(value: float, digits: int) -> str:
    """Format with this many significant digits, without an exponent; digits before the point are never rounded."""
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(max(value, 1e-9))))}f}"
