"""What an attack comes to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """What was tried, how often, how often it held, and the shortest account of a case in which it did not."""

    what: str
    tried: int
    held: int
    worst: str = ""
