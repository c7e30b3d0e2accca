"""Papermill engine that writes unfinished notebooks less often.

By default papermill writes the whole notebook before and after every cell, even of prose: with a hundred cells and some
figures that takes as long as executing them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from papermill.engines import NBClientEngine, papermill_engines

__all__ = ["NAME", "throttled"]

NAME = "lmc"
_WRITING_FRACTION = 0.05  # fraction of the time spent on writing


class _Engine(NBClientEngine):  # type: ignore[misc]
    """As papermill's own, but only the final write is certain."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        nb_man.save = throttled(nb_man.save, _WRITING_FRACTION)
        try:
            return super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            del nb_man.save


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
