"""A numbered table of claims as the output of a notebook's cell."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from lmc_utils.measure.claims import Claim
from lmc_utils.running.recorded_claims import MIME


@dataclass(frozen=True)
class ClaimTable:
    """Claims displayed as Markdown and text, and stored as data that `running.recorded_claims` reads back."""

    claims: tuple[Claim, ...]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        rows = [(claim.statement, claim.outcome, claim.reason) for claim in self.claims]
        plain = [f"{number}. {said} {outcome}: {why}" for number, (said, outcome, why) in enumerate(rows, 1)]
        markdown = ["| | statement | outcome | reason |", "| --- | --- | --- | --- |"]
        markdown += [
            f"| {number} | {_cell(said)} | **{outcome}** | {_cell(why)} |"
            for number, (said, outcome, why) in enumerate(rows, 1)
        ]
        data = [as_data(claim) for claim in self.claims]
        return {"text/markdown": "\n".join(markdown), "text/plain": "\n".join(plain), MIME: data}


def as_data(claim: Claim) -> dict[str, Any]:
    """A claim as a JSON object: its evidence with the rules; NaN and infinity become null."""
    evidence = [
        _finite(asdict(piece)) | {"rule": rule.side, "bound": rule.bound, "outcome": piece.judge(rule)}
        for rule, pieces in claim.requirements
        for piece in pieces
    ]
    said = {name: getattr(claim, name) for name in ("statement", "outcome", "reason", "decisive")}
    return said | {"evidence": evidence}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
