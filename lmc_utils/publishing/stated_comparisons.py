"""Check sentences that compare recorded numbers against conditions on these numbers.

A sentence of a page that quotes a number and compares it ("falls", "about twice", "none") has an entry in
`book/comparisons/PAGE.yml`: a unique part of the sentence, and a condition on recorded numbers, or `defined` if the
sentence is true by definition of the number ("the largest barrier is 1.2"). The build of the book fails if a condition
does not hold.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lmc_utils.publishing.site import Site
from lmc_utils.running import notebook_files, recorded_numbers
from lmc_utils.running.quoted_numbers import quoted_formats
from lmc_utils.settings import ParameterError

COMPARISONS = re.compile(
    r"\b(?:more|less|fewer|most(?:ly)?|least|higher|lower|highest|lowest|larger|smaller|largest|smallest|greater|greatest|"
    r"above|below|exceeds?|at most|only|alone|almost|nearly|hardly|barely|scarcely|about|around|roughly|twice|half|"
    r"double|none|nothing|never|always|every(?:where)?|same|equal(?:ly)?|alike|unchanged|different|differs?|better|"
    r"worse|best|worst|rises?|rose|falls?|fell|grows?|grew|drops?|shrinks?|climbs?|stands? out|little|large|small|"
    r"high|low|far|near|close|strong(?:ly)?|weak(?:ly)?|clearly|significant(?:ly)?|too|enough|within|outside|"
    r"agrees?|disagrees?|contradicts?|whatever|flat|level|steep|[a-z]+er than)\b",
    re.IGNORECASE,
)
"""Words that compare; a sentence that has one beside a quoted number needs a condition."""

_FENCE = re.compile(r"^ *(`{3,}|~{3,})(.*)$")
_SENTENCE_END = re.compile(r"(?<=[.!?])[*)\"”_]*\s+(?=[^a-z])")
_OTHER_CHAPTER = re.compile(r"^(?:.*/)?(\d\d)_.*::")
_KNOWN = {"abs": abs, "min": min, "max": max, "round": round, "isnan": math.isnan, "defined": True}


def sentences(markdown: str) -> Iterator[str]:
    """Yield the sentences of MyST Markdown, each on one line, without code, equations, headings and tables.

    >>> list(sentences("# A title\\n\\nOne is high.\\nThe other is low.\\n\\n| a | b |"))
    ['One is high.', 'The other is low.']
    """
    paragraphs = itertools.groupby(_prose_lines(markdown), key=bool)
    for _, lines in (each for each in paragraphs if each[0]):
        yield from _SENTENCE_END.split(" ".join(lines))


def comparing(markdown: str) -> list[str]:
    """The sentences that quote a number and compare it.

    >>> comparing("At fork 0 it is {glue:text}`a:.1f`. It is higher than {glue:text}`b`. Higher is worse.")
    ['It is higher than {glue:text}`b`.']
    """
    roles = re.compile(r"\{[\w:]+\}`[^`]*`|\$[^$]*\$|`[^`]*`|\[\]\([^)]*\)|(?<=\])\([^)]*\)")
    return [each for each in sentences(markdown) if quoted_formats(each) and COMPARISONS.search(roles.sub(" ", each))]


def unmet(prose: str, conditions: Mapping[str, str], numbers: Mapping[str, float]) -> list[str]:
    """A message for each condition that does not hold, or that matches no sentence.

    Numbers quoted in the sentence are compared as printed, so that no rounding contradicts the words.

    Args:
        prose: text of the page, as MyST Markdown.
        conditions: parts of sentences with their conditions, Python expressions on the names of numbers.
        numbers: the recorded numbers by name.

    >>> unmet("It falls to {glue:text}`a:.0f`, from {glue:text}`b:.0f`.", {"It falls": "a < b"}, {"a": 0.6, "b": 1.4})
    ["'It falls': a < b does not hold (a = 1, b = 1)"]
    """
    said = list(sentences(prose))
    return [line for part, condition in conditions.items() if (line := _fault(part, condition, said, numbers))]


def unmet_of_book(site: Site) -> list[str]:
    """A message for each condition of the book that does not hold for its executed notebooks.

    The numbers of a chapter are available by name on its own page, and on every page with the prefix of the chapter, as
    in `c02_NAME`.

    Raises:
        ParameterError: a file is not a mapping from parts of sentences to conditions.
    """
    executed = sorted(site.executed.glob("[01]*.ipynb"))
    chapters = {path.stem: recorded_numbers.recorded(notebook_files.read(path)) for path in executed}
    everywhere = {
        f"c{stem[:2]}_{name}": number for stem, numbers in chapters.items() for name, number in numbers.items()
    }
    result = []
    for path in sorted((site.root / "book" / "comparisons").glob("*.yml")):
        found = unmet(prose_of(site.root, path.stem), read(path), everywhere | chapters.get(path.stem, {}))
        result += [f"{path.stem}: {line}" for line in found]
    return result


def prose_of(root: Path, page: str) -> str:
    """The Markdown of a page, from a chapter's source or a file in `book/`."""
    notebook = root / "notebooks" / f"{page}.ipynb"
    if not notebook.is_file():
        return (root / "book" / f"{page}.md").read_text(encoding="utf-8")
    cells = notebook_files.read(notebook)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def read(path: Path) -> dict[str, str]:
    """Read a file of conditions by parts of sentences.

    Raises:
        ParameterError: the file is not such a mapping.
    """
    content = yaml.safe_load(path.read_bytes())
    if not isinstance(content, dict) or not all(isinstance(each, str) for pair in content.items() for each in pair):
        raise ParameterError(f"{path.name} must map parts of sentences to conditions")
    return content


def _prose_lines(markdown: str) -> Iterator[str]:
    """Yield lines of prose, with empty ones between paragraphs, list items and other blocks."""
    fence, skipping = "", False
    for line in markdown.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence, skipping = mark[1], not re.match(r"\{(admonition|dropdown|note|tip|warning|important)", mark[2])
        elif mark and mark[1] == fence and not mark[2].strip():
            fence, skipping = "", False
        elif not skipping and not line.lstrip().startswith(("#", "|", ":", "<")):
            if re.match(r" *([-*+]|\d+\.) ", line):
                yield ""
            yield line.strip()
            continue
        yield ""


def _fault(part: str, condition: str, said: list[str], numbers: Mapping[str, float]) -> str | None:
    found = [each for each in said if part in each]
    if len(found) != 1:
        return f"'{part}' is in {len(found)} sentences, and must be in one"
    quoted = ((_OTHER_CHAPTER.sub(r"c\1_", name), form) for name, form in quoted_formats(found[0]))
    printed = {name: _as_printed(numbers[name], form) for name, form in quoted if name in numbers}
    known: dict[str, Any] = {**numbers, **printed}
    try:
        code = compile(condition, part, "eval")
        holds = eval(code, {"__builtins__": {}, **_KNOWN}, known)  # trusted: from a file of the book itself
    except (NameError, SyntaxError, TypeError, ArithmeticError) as error:
        return f"'{part}': {condition} cannot be evaluated: {error}"
    values = ", ".join(f"{name} = {known[name]:g}" for name in code.co_names if name in known)
    return None if holds else f"'{part}': {condition} does not hold ({values})"


def _as_printed(number: float, form: str) -> float:
    text = format(number, form)
    return float(text[:-1]) / 100 if text.endswith("%") else float(text.replace(",", ""))
