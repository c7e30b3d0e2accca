"""Show the book's commentary in reruns, collapsed where it may not apply."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping

from lmc_utils.running.quoted_numbers import DASH, fill_in_numbers, quoted_names

SUMMARY = "Commentary on the book's run"
MARK = "<!-- commentary -->"
_BEGINS = re.compile(rf"\*\*What\s+we\s+see|{MARK}")
_ENDS = re.compile(r"\*\*What\s+to\s+look\s+for")
_HEADING = re.compile(r"#{1,6} ")
_FENCE = re.compile(r"`{3,}|~{3,}|:{3,}")


def fold(text: str, numbers: Mapping[str, float], book: Mapping[str, float], *, other_parameters: bool) -> str:
    """Fill in a text's numbers; collapse parts that may not be true of this run, with the numbers of the book's run.

    Parts that would read differently with the numbers of this run are collapsed, and, if it has other parameters, all
    commentary: from "What we see" or the comment `<!-- commentary -->` up to a heading, to "What to look for" or to the
    end of the cell.

    Args:
        text: text of a cell.
        numbers: numbers of this run.
        book: numbers of the book's run.
        other_parameters: whether this run has other parameters than the book's.

    >>> print(fold("## A\\n\\n**What we see.** It is {glue:text}`a:.0f`.", {"a": 1}, {"a": 2}, other_parameters=True))
    ## A
    <BLANKLINE>
    <details class="lmc-fold">
    <summary>Commentary on the book's run</summary>
    <BLANKLINE>
    **What we see.** It is 2.
    <BLANKLINE>
    </details>
    """
    parts = []
    for (comments, _), blocks in itertools.groupby(_classified(text), key=lambda each: each[:2]):
        part = "\n\n".join(block for *_, block in blocks)
        own, books = fill_in_numbers(part, numbers), fill_in_numbers(part, book)
        if own == books and not (comments and other_parameters):
            parts.append(own)
            continue
        if any(name not in book for name in quoted_names(part)):
            reason = "not recorded in" if book else "no numbers are stored of"
            books += f"\n\n*{DASH}: {reason} the book's run.*"
        parts.append(folded(SUMMARY, books))
    return "\n\n".join(parts)


def folded(summary: str, text: str, *, unfolded: bool = False) -> str:
    """Collapsible Markdown, in a form supported by Jupyter, VS Code, GitHub and the pages of this book."""
    unfold = " open" if unfolded else ""
    return f'<details class="lmc-fold"{unfold}>\n<summary>{summary}</summary>\n\n{text}\n\n</details>'


def _classified(text: str) -> Iterator[tuple[bool, bool, str]]:
    """Yield blocks of a text, with two flags first: whether it is commentary, or else quotes numbers."""
    commentary = False
    for block in _blocks(text):
        if _HEADING.match(block) or _ENDS.search(block):
            commentary = False
        elif _BEGINS.match(block):
            commentary = True
        yield commentary, not commentary and bool(quoted_names(block)), block


def _blocks(text: str) -> Iterator[str]:
    """Yield paragraphs, tables, lists and headings; a fenced block is a single block."""
    lines: list[str] = []
    fence = ""
    for line in [*text.split("\n"), ""]:
        begins = _FENCE.match(line)
        if fence:
            fence = "" if line.rstrip() == fence else fence
        elif begins:
            fence = begins[0]
        alone = not fence and _HEADING.match(line)
        if lines and not fence and (alone or not line.strip()):
            yield "\n".join(lines)
            lines = []
        if alone:
            yield line
        elif lines or line.strip():
            lines.append(line)
    if lines:  # an unclosed fence
        yield "\n".join(lines).rstrip()
