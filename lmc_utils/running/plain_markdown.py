"""Convert MyST to the Markdown of Jupyter, VS Code and GitHub: equations, citations, terms, remarks and links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_FENCE = re.compile(r"^```\{(math|admonition)\}[ ]*(.*)\n((?:.*\n)*?)```[ ]*$", re.MULTILINE)
_OPTION = re.compile(r"^:(\w+): *(.*)$\n?", re.MULTILINE)
_ROLE = re.compile(r"\{(cite:p|cite:t|eq|term|mod|doc)\}`([^`]*)`")
_OUTSIDE = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)[^)]*\)")
_SECTION = re.compile(r"^\(([\w-]+)\)=\n", re.MULTILINE)


def equation_labels(text: str) -> list[str]:
    """The labels of the equations of a text, in order.

    >>> equation_labels("```{math}\\n:label: eq-a\\nx\\n```")
    ['eq-a']
    """
    fences = [each for each in _FENCE.finditer(text) if each[1] == "math"]
    return [label for each in fences if (label := dict(_OPTION.findall(each[3])).get("label"))]


def to_plain_markdown(text: str, equations: Mapping[str, str], works: Mapping[str, tuple[str, str, str]]) -> str:
    """Convert MyST text to plain Markdown.

    Args:
        text: MyST text of a cell.
        equations: the number or location of each equation, by its label.
        works: authors, year and URL by the keys of the bibliography; an unknown key is shown unchanged.

    >>> print(to_plain_markdown("By {eq}`eq-a`:\\n```{math}\\n:label: eq-a\\nx^2\\n```", {"eq-a": "1"}, {}))
    By (1):
    $$
    x^2 \\tag{1}
    $$
    >>> to_plain_markdown("{term}`siblings <sibling>` of {cite:t}`a2020`", {}, {"a2020": ("A and B", "2020", "https://a.b")})
    'siblings of [A and B (2020)](https://a.b)'
    """
    plain = _FENCE.sub(lambda fence: _fence(fence, equations), text)
    plain = _ROLE.sub(lambda role: _role(role[1], role[2], equations, works), plain)
    return _SECTION.sub("", _OUTSIDE.sub(r"\1", plain))  # pages of the book are not beside this file


def read_bibliography(path: Path) -> dict[str, tuple[str, str, str]]:
    """Authors, year and URL of the works in a BibTeX file, by key; empty without such a file."""
    if not path.is_file():
        return {}
    from pybtex.database import parse_file
    from pybtex.richtext import Text

    try:
        entries = parse_file(path).entries
    except Exception:  # invalid BibTeX; citations then show keys
        return {}
    result = {}
    for key, entry in entries.items():
        persons = entry.persons.get("author", [])
        last = [str(Text.from_latex(" ".join(person.last_names))) for person in persons]
        who = f"{last[0]} et al." if len(last) > 2 else " and ".join(last)
        preprint = f"https://arxiv.org/abs/{entry.fields['eprint']}" if "eprint" in entry.fields else ""
        doi = f"https://doi.org/{entry.fields['doi']}" if "doi" in entry.fields else ""
        result[key] = (who, entry.fields.get("year", ""), preprint or doi)
    return result


def _fence(fence: re.Match[str], equations: Mapping[str, str]) -> str:
    kind, title, body = fence[1], fence[2], fence[3]
    options = dict(_OPTION.findall(body))
    inside = _OPTION.sub("", body).strip("\n")
    if kind == "admonition":
        return "\n".join(f"> {line}".rstrip() for line in (f"**{title}**", "", *inside.split("\n")))
    if "\\\\" in inside and "\\begin" not in inside:
        inside = f"\\begin{{aligned}}\n{inside}\n\\end{{aligned}}"
    number = equations.get(options.get("label", ""))
    return f"$$\n{inside.rstrip()}" + (f" \\tag{{{number}}}" if number else "") + "\n$$"


def _role(kind: str, content: str, equations: Mapping[str, str], works: Mapping[str, tuple[str, str, str]]) -> str:
    shown, _, target = content.partition("<")
    if kind == "eq":
        return f"({equations.get(content, content)})"
    if kind == "mod":
        return f"`{content}`"
    if not kind.startswith("cite"):
        return shown.strip() if target else content
    form = "{} ({})" if kind == "cite:t" else "{}, {}"
    listed = "; ".join(_citation(key.strip(), works, form) for key in content.split(","))
    return listed if kind == "cite:t" else f"({listed})"


def _citation(key: str, works: Mapping[str, tuple[str, str, str]], form: str) -> str:
    if key not in works:
        return key
    who, year, address = works[key]
    return f"[{form.format(who, year)}]({address})" if address else form.format(who, year)
