"""The prose of a notebook and the numbers that it quotes: filled in, dashes for missing ones, rows for other forks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence

DASH = "–"
_QUOTED = re.compile(r"\{glue:text\}`([^`]*)`")
_ROW = re.compile(r"\| (fork )?(\d+) \|")
_POWER = re.compile(r"(-?[\d.]+)e([+-]\d+)")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FORK = re.compile(r"_fork_(\d+)$")


def quoted_names(text: str) -> list[str]:
    """The names of the numbers that a text quotes, without their formats.

    >>> quoted_names("of {glue:text}`width:.0f` units, {glue:text}`other.ipynb::share`")
    ['width', 'other.ipynb::share']
    """
    return [name for name, _ in quoted_formats(text)]


def quoted_formats(text: str) -> list[tuple[str, str]]:
    """The names of the numbers that a text quotes, each with its format.

    >>> quoted_formats("{glue:text}`width:.0f` units")
    [('width', '.0f')]
    """
    return [_split(quoted) for quoted in _QUOTED.findall(text)]


def with_fork_rows(text: str, forks: Sequence[int]) -> str:
    """The text with a row for each fork of the run, in every table that has a row for each fork of the book.

    Such a row begins with its fork, and all numbers that it quotes are of that fork. New rows are made from the one
    that quotes most.

    >>> print(with_fork_rows("| 0 | {glue:text}`a_fork_0:.1f` |\\n| 2 | {glue:text}`a_fork_2:.2f` |", [0, 8]))
    | 0 | {glue:text}`a_fork_0:.1f` |
    | 8 | {glue:text}`a_fork_8:.1f` |
    """
    result: list[str] = []
    for in_table, lines in itertools.groupby(text.split("\n"), lambda line: _fork_of(line) is not None):
        if not in_table:
            result += lines
            continue
        table = {fork: line for line in lines if (fork := _fork_of(line)) is not None}
        quoting_most, model = max(table.items(), key=lambda row: len(quoted_names(row[1])))
        result += [table.get(fork) or _renamed(model, quoting_most, fork) for fork in forks]
    return "\n".join(result)


def mark_missing(text: str, has: Callable[[str], bool]) -> str:
    """The text with a dash for each number that the run does not have, and below it the reason.

    >>> print(mark_missing("a {glue:text}`a:.1f`, b {glue:text}`b`", {"b"}.__contains__))
    a –, b {glue:text}`b`
    <BLANKLINE>
    *–: this run has no number named `a`.*
    """
    missing = list(dict.fromkeys(name for name in quoted_names(text) if not has(name)))
    if not missing:
        return text
    dashed = _QUOTED.sub(lambda quoted: quoted[0] if has(_split(quoted[1])[0]) else DASH, text)
    said = ", ".join(f"`{name.rpartition('::')[2]}`" for name in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return f"{dashed.rstrip()}\n\n*{DASH}: this run has no number named {said}{more}.*"


def fill_in_numbers(text: str, numbers: Mapping[str, float]) -> str:
    """The text with the numbers themselves in place of their names, and a dash for those that are missing.

    >>> fill_in_numbers("{glue:text}`a:.1f` of {glue:text}`b`", {"a": 0.25})
    '0.2 of –'
    """

    def number(quoted: re.Match[str]) -> str:
        name, form = _split(quoted[1])
        try:
            return typeset(format(numbers[name], form)) if name in numbers else DASH
        except ValueError:  # a format for something else than numbers
            return typeset(f"{numbers[name]:g}")

    return _QUOTED.sub(number, text)


def typeset(number: str) -> str:
    """A number as it is printed: with minus signs instead of hyphens, and powers of ten.

    >>> typeset("-1,500.0"), typeset("2e-16"), typeset("-12%"), typeset("nan")
    ('−1,500.0', '2 × 10⁻¹⁶', '−12%', 'nan')
    """
    found = _POWER.fullmatch(number)
    if found:
        power = str(int(found[2])).translate(_RAISED)
        number = f"{found[1]} × 10{power}" if int(found[2]) else found[1]
    return number.replace("-", "−")


def _split(quoted: str) -> tuple[str, str]:
    """Name and format; a name may tell its file, with two colons."""
    place, colons, rest = quoted.rpartition("::")
    name, _, form = rest.partition(":")
    return place + colons + name, form


def _fork_of(line: str) -> int | None:
    """The fork whose row of a table this is."""
    begins, quoted = _ROW.match(line), [FORK.search(name) for name in quoted_names(line)]
    of = {int(each[1]) if each else None for each in quoted}
    return int(begins[2]) if begins and of == {int(begins[2])} else None


def _renamed(line: str, old: int, new: int) -> str:
    label, rest = line.split(" |", 1)
    return f"{label.removesuffix(str(old))}{new} |{re.sub(rf'_fork_{old}(?=[:`])', f'_fork_{new}', rest)}"
