"""Read the claims computed by an executed notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lmc_utils.running import notebook_files
from lmc_utils.settings import ParameterError

MIME = "application/vnd.lmc.claims+json"


class RecordedClaim(NamedTuple):
    """A claim in a notebook's output, see `measure.claims.Claim`.

    Attributes:
        statement: the claim, in words.
        outcome: `holds`, `fails` or `cannot tell`.
        reason: the evidence and its requirements, in words.
        evidence: each piece with its numbers, rule and outcome; null for NaN.
        decisive: the decisive piece of evidence, in words.
    """

    statement: str
    outcome: str
    reason: str
    evidence: list[dict[str, Any]]
    decisive: str = ""


def read(path: Path) -> list[RecordedClaim]:
    """The claims of an executed notebook, in order.

    Raises:
        ParameterError: there is no such notebook, or it has no claims.
    """
    result = recorded(notebook_files.read(path, "an executed notebook"))
    if not result:
        raise ParameterError(f"no claims recorded in '{path}'; was it executed?")
    return result


def recorded(notebook: Mapping[str, Any]) -> list[RecordedClaim]:
    """The claims in the content of an executed notebook; outputs of another form are skipped.

    >>> said = [{"statement": "It rains.", "outcome": "fails", "reason": "0 of 3 days", "evidence": []}]
    >>> recorded({"cells": [{"outputs": [{"data": {"application/vnd.lmc.claims+json": said}}]}]})[0].outcome
    'fails'
    """
    result: list[RecordedClaim] = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            said = output.get("data", {}).get(MIME)
            try:
                found = [RecordedClaim(**each) for each in said]
            except TypeError:  # missing or of another form
                continue
            result += [each for each in found if _is_valid(each)]
    return result


def _is_valid(claim: RecordedClaim) -> bool:
    """Whether all words are strings, and the evidence is a list of mappings."""
    words = (claim.statement, claim.outcome, claim.reason, claim.decisive)
    pieces = claim.evidence
    return (
        all(isinstance(each, str) for each in words)
        and isinstance(pieces, list)
        and all(isinstance(each, dict) for each in pieces)
    )
