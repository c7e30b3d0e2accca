"""Comparison of runs of one notebook, as text tables and as a page with figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmc_utils.formatting import LONGEST_VALUE, one_line
from lmc_utils.publishing import standalone_page
from lmc_utils.running.comparison import Comparison
from lmc_utils.running.recorded_curves import Curves


def parameters(comparison: Comparison) -> list[list[str]]:
    """A table of differing parameters, with the names of the runs as header."""
    written = {
        name: [one_line(json.dumps(value, ensure_ascii=False), LONGEST_VALUE) for value in values]
        for name, values in comparison.differing_parameters.items()
    }
    return [["parameter", *comparison.runs], *([name, *values] for name, values in written.items())]


def numbers(comparison: Comparison) -> list[list[str]]:
    """A table of recorded numbers, with a header; missing numbers are dashes."""
    return [list(map(_written, row)) for row in comparison.rows()]


def write(page: Path, comparison: Comparison) -> None:
    """Write a page with the differing parameters, figures of barriers and curves of all runs, and all numbers."""
    from lmc_utils.figures import elements, run_comparison, theme  # slow to import

    theme.use_theme()
    barriers = {name: each for name, each in comparison.numbers_by_fork.items() if "barrier" in name and len(each) > 1}
    sections = {"What differs": standalone_page.html_table(parameters(comparison))}
    if barriers:
        drawn = run_comparison.numbers_by_fork(barriers, comparison.runs)
        sections["Barriers by fork"] = elements.svg(drawn, "Barriers against the fork epoch, a line for each run")
    for name, each in comparison.curves.items():
        drawn = run_comparison.curves_by_fork([_by_fork(curves) for curves in each], comparison.runs)
        title = name.replace("_", " ").capitalize()
        sections[title] = elements.svg(drawn, f"{title}, a panel for each fork epoch, a line for each run")
    sections["All numbers"] = standalone_page.html_table(numbers(comparison))
    body = "".join(f"<h2>{title}</h2>{section}" for title, section in sections.items())
    standalone_page.write(page, " and ".join(comparison.runs), body)


def _by_fork(curves: Curves | None) -> dict[float, tuple[list[float], list[float]]]:
    return {} if curves is None else {fork: (curves.places, values) for fork, values in curves.forks.items()}


def _written(value: Any) -> str:
    if isinstance(value, str):
        return one_line(value, LONGEST_VALUE)
    return "–" if value is None else f"{value:.6g}"
