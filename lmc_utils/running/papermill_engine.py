"""Papermill engine that shows the time of each cell, and writes unfinished notebooks less often.

By default papermill writes the whole notebook before and after every cell, even of prose: with a hundred cells and some
figures that takes as long as executing them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from papermill.engines import NBClientEngine, papermill_engines
from rich.progress import Progress, TaskID

from lmc_utils import progress
from lmc_utils.formatting import one_line
from lmc_utils.running.progress_bars import job_progress

__all__ = ["NAME", "describe_cell", "throttled"]

NAME = "lmc"
_WRITING_FRACTION = 0.05  # fraction of the time spent on writing
_SHOWN = 60  # characters of a cell


class _Engine(NBClientEngine):  # type: ignore[misc]
    """As papermill's own, but with a progress bar over code cells, and only the final write is certain."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        code = [cell for cell in nb_man.nb.cells if cell.cell_type == "code"]
        bar = job_progress(hidden=progress.is_hidden())
        advance = partial(_advance, bar, bar.add_task("cells", total=len(code)))
        nb_man.save = throttled(nb_man.save, _WRITING_FRACTION)
        nb_man.cell_complete = _followed_by(nb_man.cell_complete, advance)
        try:
            with bar:
                return super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            del nb_man.save, nb_man.cell_complete


def _advance(bar: Progress, task: TaskID, cell: Any) -> None:
    """Advance the bar at the end of a code cell, and print the cell's time above it."""
    if cell.cell_type == "code":
        bar.advance(task)
        line = f"{cell.metadata.papermill.get('duration', 0.0):7.1f} s  {describe_cell(cell.source)}"
        if not bar.disable:
            bar.console.print(line, markup=False, highlight=False)


def _followed_by(complete: Callable[..., None], act: Callable[[Any], None]) -> Callable[..., None]:
    """Papermill's hook at the end of a cell, followed by another action."""

    def complete_and_act(cell: Any, *arguments: Any, **options: Any) -> None:
        complete(cell, *arguments, **options)
        act(cell)

    return complete_and_act


def describe_cell(source: str) -> str:
    """The first line of a code cell that is not a comment or an import, cut at 60 characters.

    >>> describe_cell("# a comment\\nimport os\\n\\nresult = 1"), describe_cell("import os")
    ('result = 1', 'import os')
    """
    lines = [line.strip() for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    telling = [line for line in lines if not line.startswith(("import ", "from "))]
    return one_line((telling or lines or [""])[0], _SHOWN)


papermill_engines.register(NAME, _Engine)


def throttled(
    act: Callable[[], None], fraction: float, now: Callable[[], float] = time.monotonic
) -> Callable[[], None]:
    """Throttle an action: skip calls so that they take at most this fraction of the elapsed time.

    >>> ticks = iter([0, 1, 2, 10, 21, 22, 30])  # it takes a second, from 1 to 2 and from 21 to 22
    >>> said = throttled(lambda: print("done"), fraction=0.05, now=lambda: next(ticks))
    >>> said(), said(), said(), said()
    done
    done
    (None, None, None, None)
    """
    begun, spent = now(), 0.0

    def call_if_affordable() -> None:
        nonlocal spent
        since = now()
        if spent <= fraction * (since - begun):
            act()
            spent += now() - since

    return call_if_affordable
