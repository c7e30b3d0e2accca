"""The summary at the top of a rerun: changed parameters, recorded numbers, and outcomes of claims."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmc_utils.running import recorded_claims
from lmc_utils.running.commentary import folded
from lmc_utils.running.quoted_numbers import DASH, FORK, typeset


def summarise(
    executed: Mapping[str, Any],
    numbers: Mapping[str, float],
    *,
    changed: Mapping[str, Any],
    book: Mapping[str, Any],
    source: Path,
    just_run: bool = True,
) -> str:
    """The summary of a run in Markdown.

    Args:
        executed: the notebook as papermill wrote it.
        numbers: its recorded numbers.
        changed: the parameters that differ from the book's.
        book: all parameters of the book.
        source: the notebook's source.
        just_run: whether it was just executed here, so that the versions of packages are known.
    """
    about = executed["metadata"].get("papermill", {})
    when, took = (about.get("end_time") or "")[:16].replace("T", " "), about.get("duration") or 0.0
    finished = f", finished {when} UTC, {took:.0f} seconds" if when else ""  # Jupyter does not say
    with_what = ", ".join(f"{name} {version(name)}" for name in ("lmc-utils", "torch", "numpy") if just_run)
    said = f"{_title(source, again=bool(changed))}{finished}; {with_what}".rstrip("; ") + "."
    unchanged = "All parameters are as in the book." if source.is_file() else ""
    parameters = [(f"`{name}`", _value(book.get(name)), _value(value)) for name, value in changed.items()]
    claims = [(claim.statement, f"**{claim.outcome}**") for claim in recorded_claims.recorded(executed)]
    parts = [
        said,
        _table(["parameter", "in the book", "in this run"], parameters) or unchanged,
        folded("Numbers of this run", number_tables(numbers), unfolded=True) if numbers else "",
        _table(["claim, judged by this run", "outcome"], claims),
    ]
    return "\n\n".join(filter(None, parts))


def number_tables(numbers: Mapping[str, float]) -> str:
    """Tables of recorded numbers: one with a column for each fork epoch, one of all others.

    The ends of an interval are in brackets after their number.

    >>> print(number_tables({"loss_barrier_fork_0": 1.5, "loss_barrier_fork_2": 0.25}))
    | number | fork 0 | fork 2 |
    | --- | ---: | ---: |
    | loss barrier | 1.5 | 0.25 |
    >>> print(number_tables({"slope": 2.0, "slope_low": 1.125, "slope_high": 3.0}))
    | number | value |
    | --- | ---: |
    | slope | 2 [1.125, 3] |
    """
    rows: dict[str, dict[int, str]] = {}
    others: list[tuple[str, str]] = []
    for name, number in _with_intervals(numbers).items():
        if fork := FORK.search(name):
            rows.setdefault(name[: fork.start()], {})[int(fork[1])] = number
        else:
            others.append((_words(name), number))
    forks = sorted({fork for row in rows.values() for fork in row})
    by_fork = [(_words(name), *(row.get(fork, DASH) for fork in forks)) for name, row in rows.items()]
    tables = [_table(["number", *(f"fork {fork}" for fork in forks)], by_fork, numeric=True)]
    return "\n\n".join(filter(None, [*tables, _table(["number", "value"], others, numeric=True)]))


def _with_intervals(numbers: Mapping[str, float]) -> dict[str, str]:
    ends = {name: (f"{name}_low", f"{name}_high") for name in numbers}
    ends = {name: both for name, both in ends.items() if all(end in numbers for end in both)}
    are_ends = {end for both in ends.values() for end in both}
    return {
        name: _printed(number)
        + (f" [{', '.join(_printed(numbers[end]) for end in ends[name])}]" if name in ends else "")
        for name, number in numbers.items()
        if name not in are_ends
    }


def _printed(number: float) -> str:
    """A number with four significant digits, or all digits of an integer."""
    if not math.isfinite(number):
        return "not defined" if math.isnan(number) else typeset(str(number))
    whole = number == int(number) and abs(number) < 1e9
    return typeset(format(number, ",.0f" if whole else ".4g"))


def _title(source: Path, *, again: bool) -> str:
    chapter = re.match(r"0*(\d+)_", source.stem) if source.parent.name == "notebooks" else None
    run = "Rerun" if again else "Run"
    return f"**{run} of chapter {chapter[1]}** (`{source.stem}`)" if chapter else f"**{run} of `{source.stem}`**"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: bool = False) -> str:
    """A Markdown table, with numeric columns after the first right-aligned; empty without rows."""
    if not rows:
        return ""
    rule = ["---", *["---:" if numeric else "---"] * (len(head) - 1)]
    escaped = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *escaped])
