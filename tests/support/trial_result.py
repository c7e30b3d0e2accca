"""The outcome of one kind of attack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """Description, number of cases, number of passed cases, and the shortest description of a failure."""

    what: str
    tried: int
    held: int
    worst: str = ""
