"""Progress bars of jobs, cells and points on standard error, with the elapsed time."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def job_progress(console: Console | None = None, *, hidden: bool = False) -> Progress:
    """A bar with counts, elapsed time and a description; without a terminal, only its last state is printed.

    Args:
        console: where to draw; by default standard error.
        hidden: draw and print nothing.
    """
    columns = SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    return Progress(*columns, console=console or Console(stderr=True, soft_wrap=True), disable=hidden)
