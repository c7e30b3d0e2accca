"""Progress bars on standard error, which one setting shows or hides."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["bar", "hidden", "is_hidden"]

_hidden = ContextVar("_hidden", default=False)


def bar(
    items: Iterable[Any] | None = None, description: str = "", *, unit: str = "", total: int | None = None
) -> tqdm[Any]:
    """A progress bar around items, or one with a known total that is updated manually.

    It appears after half a second, so that quick work and immediate errors show none. The environment variable
    LMC_PROGRESS=0 hides all bars, `hidden` hides those of a block.

    >>> with hidden():
    ...     list(bar("ab", "reading", unit="letter"))
    ['a', 'b']
    """
    from tqdm import tqdm  # imported here, as exercises on toy landscapes need only NumPy

    return tqdm(items, description, total, unit=unit, delay=0.5, disable=is_hidden())


def is_hidden() -> bool:
    """Whether progress bars are hidden here."""
    return _hidden.get() or os.environ.get("LMC_PROGRESS") == "0"


@contextmanager
def hidden() -> Iterator[None]:
    """Hide the progress bars of a block."""
    token = _hidden.set(True)
    try:
        yield
    finally:
        _hidden.reset(token)
