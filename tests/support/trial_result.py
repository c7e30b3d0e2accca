"""The outcome of one kind of attack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """What was tried, how often, how often it held, and the shortest account of a case in which it did not."""

    what: str
    tried: int
    held: int
    worst: str = ""
