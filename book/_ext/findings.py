"""Sphinx extension: a page that is no notebook shows claims and figures of the executed chapters.

In Markdown, where a mark that names nothing, or more than one thing, fails the build:

- `<!-- claim 05 PART -->`, at the end of a row of a table, becomes three cells: the claim of chapter 5 whose statement
  has this part, its outcome, and the evidence that decides;
- `<!-- claims -->` becomes a table of such rows for each chapter that has claims, and `<!-- outcomes -->` how many of
  all claims hold, fail, and cannot be told;
- `<!-- figure 05 CELL -->`, on a line of its own, becomes the figure that this cell of chapter 5 has drawn.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from claim_outputs import label_of
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from lmc_utils.figures.dark_colours import with_dark_colours
from lmc_utils.running import recorded_claims
from lmc_utils.running.recorded_claims import RecordedClaim

_CLAIM = re.compile(r"<!-- claim (\d+) (.+?) -->")
_CLAIMS, _OUTCOMES = "<!-- claims -->", "<!-- outcomes -->"
_FIGURE = re.compile(r"^<!-- figure (\d+) (\S+) -->$", re.MULTILINE)
_DRAWN = {"image/svg+xml": ".svg", "image/png": ".png"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", bring_findings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def bring_findings(app: Sphinx, name: str, content: list[str]) -> None:
    """Put claims and figures into a page that asks for them."""
    text = content[0]
    if app.env.doc2path(name).endswith(".ipynb") or not any(
        (_CLAIM.search(text), _FIGURE.search(text), _CLAIMS in text, _OUTCOMES in text)
    ):
        return
    paths = sorted(Path(app.srcdir, "notebooks").glob("[0-9]*.ipynb"))
    for path in paths:
        app.env.note_dependency(str(path))
    executed = {path: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    claims = {path: recorded_claims.recorded(notebook) for path, notebook in executed.items()}

    def figure(asked: re.Match[str]) -> str:
        path = _chapter(asked[1], paths)
        drawn, suffix, alt = drawn_by(executed[path], asked[2])
        target = Path(app.outdir).parent / "figures" / f"{path.stem}-{asked[2]}{suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(with_dark_colours(drawn.decode()).encode() if suffix == ".svg" else drawn)
        address = f"/{Path(os.path.relpath(target, app.srcdir)).as_posix()}"
        return f":::{{div}} cell_output\n```{{image}} {address}\n:alt: {alt}\n```\n:::"

    def claim(asked: re.Match[str]) -> str:
        path = _chapter(asked[1], paths)
        return _row(path, *the_claim(claims[path], asked[2], asked[1]))

    text = _FIGURE.sub(figure, text)
    text = _CLAIM.sub(claim, text)
    text = text.replace(_OUTCOMES, outcomes([each.outcome for some in claims.values() for each in some]))
    content[0] = text.replace(_CLAIMS, "\n\n".join(_table(path, executed[path], claims[path]) for path in paths))


def the_claim(claims: list[RecordedClaim], part: str, chapter: str) -> tuple[int, RecordedClaim]:
    """The one claim whose statement has a part, and its number.

    Raises:
        ExtensionError: none has it, or several.
    """
    found = [(number, claim) for number, claim in enumerate(claims, 1) if part in claim.statement]
    if len(found) != 1:
        known = " / ".join(claim.statement for claim in claims) or "none"
        raise ExtensionError(
            f"findings: expected one claim of chapter {chapter} with '{part}', found {len(found)}; its claims: {known}"
        )
    return found[0]


def outcomes(found: list[str]) -> str:
    """How often each outcome was found.

    >>> outcomes(["holds", "fails", "holds"])
    '2 hold, 1 fails, and for 0 this run cannot tell'
    """
    count = Counter(found)
    holds, fails = ("holds" if count["holds"] == 1 else "hold"), ("fails" if count["fails"] == 1 else "fail")
    return f"{count['holds']} {holds}, {count['fails']} {fails}, and for {count['cannot tell']} this run cannot tell"


def drawn_by(notebook: dict[str, Any], identity: str) -> tuple[bytes, str, str]:
    """The last figure that a cell has drawn, the ending of its file, and its text for those who cannot see it.

    Raises:
        ExtensionError: there is no such cell, or it has drawn nothing.
    """
    for cell in notebook["cells"]:
        data = [each.get("data", {}) for each in cell.get("outputs", []) if cell.get("id") == identity]
        for bundle in reversed(data):
            for kind, suffix in _DRAWN.items():
                if kind in bundle:
                    said = "".join(bundle[kind])
                    alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
                    return (said.encode() if suffix == ".svg" else base64.b64decode(said)), suffix, alt
    raise ExtensionError(f"findings: expected a figure of the cell '{identity}', found none")


def _chapter(number: str, paths: list[Path]) -> Path:
    for path in paths:
        if path.stem.partition("_")[0] == number:
            return path
    raise ExtensionError(f"findings: expected an executed chapter {number}, found none")


def _title(path: Path, notebook: dict[str, Any]) -> str:
    words = "".join(notebook["cells"][0]["source"]).partition("\n")[0].lstrip("# ")
    return f"[{words}](notebooks/{path.name})"


def _table(path: Path, notebook: dict[str, Any], claims: list[RecordedClaim]) -> str:
    if not claims:
        return ""
    rows = (f"| {_row(path, number, claim)} |" for number, claim in enumerate(claims, 1))
    head = [f"### {_title(path, notebook)}", "", "| statement | outcome | evidence that decides |"]
    return "\n".join([*head, "| --- | --- | --- |", *rows])


def _row(path: Path, number: int, claim: RecordedClaim) -> str:
    chapter = int(path.stem.partition("_")[0])
    link = f"[{chapter}.{number}](#{label_of(path)})"
    said, decisive = (text.replace("|", r"\|") for text in (claim.statement, claim.decisive))
    return f"{link} {said} | **{claim.outcome}** | {decisive}"
