"""Claims that a notebook has computed, read back out of the executed notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lmc_utils.running import notebook_files
from lmc_utils.settings import ParameterError

MIME = "application/vnd.lmc.claims+json"


class RecordedClaim(NamedTuple):
    """A claim as a notebook's output has it, see `measure.claims.Claims`.

    Attributes:
        statement: what is claimed.
        outcome: `holds`, `fails` or `cannot tell`.
        reason: the evidence and what was required of it, in words.
        evidence: each piece with its numbers, the rule that it was judged by and its own outcome; null for NaN.
        decisive: the piece of evidence that decides, in words.
    """

    statement: str
    outcome: str
    reason: str
    evidence: list[dict[str, Any]]
    decisive: str = ""


def read(path: Path) -> list[RecordedClaim]:
    """The claims of an executed notebook, in their order.

    Raises:
        ParameterError: there is no such notebook, or it has no claims.
    """
    result = recorded(notebook_files.read(path, "an executed notebook"))
    if not result:
        raise ParameterError(f"no claims recorded in '{path}'; was it executed?")
    return result


def recorded(notebook: Mapping[str, Any]) -> list[RecordedClaim]:
    """The claims in the content of an executed notebook; what has another form is passed over.

    >>> said = [{"statement": "It rains.", "outcome": "fails", "reason": "0 of 3 days", "evidence": []}]
    >>> recorded({"cells": [{"outputs": [{"data": {"application/vnd.lmc.claims+json": said}}]}]})[0].outcome
    'fails'
    """
    result: list[RecordedClaim] = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            said = output.get("data", {}).get(MIME)
            try:
                result += [RecordedClaim(**each) for each in said]
            except TypeError:  # nothing, or written by others
                continue
    return result
