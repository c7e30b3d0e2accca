"""`lmc compare`: runs of one notebook side by side."""

from __future__ import annotations

import csv
import html
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from lmc_utils.publishing import standalone
from lmc_utils.running import comparing
from lmc_utils.settings import require
from lmc_utils.showing import LONGEST_VALUE, one_line


def compare(
    notebook: Annotated[list[Path], Argument(help="Executed notebooks, two or more, of one source.")],
    as_json: Annotated[bool, Option("--json", help="As one JSON object; what is missing is null.")] = False,
    as_csv: Annotated[bool, Option("--csv", help="The numbers as a table of comma-separated values.")] = False,
    page: Annotated[Path | None, Option("--html", help="Also write a page with tables and a picture.")] = None,
) -> None:
    """Lay runs of one notebook side by side: the parameters that differ, and every number with its difference."""
    require(not (as_json and as_csv), "json", "one of --json and --csv", "both")
    standalone.require_name(page)
    found = comparing.compare(notebook)
    if page is not None:
        _write(page, found)
        typer.echo(page, err=True)
    if as_json:
        typer.echo(json.dumps(found.to_json(), allow_nan=False))
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(found.rows())
    else:
        typer.echo(_table(_parameters(found)) if found.differing else "no parameter differs")
        typer.echo()
        typer.echo(_table(_numbers(found)))


def _parameters(found: comparing.Comparison) -> list[list[str]]:
    return [["parameter", *found.runs], *([name, *map(_value, each)] for name, each in found.differing.items())]


def _numbers(found: comparing.Comparison) -> list[list[str]]:
    return [list(map(_number, row)) for row in found.rows()]


def _write(page: Path, found: comparing.Comparison) -> None:
    from lmc_utils.figures import compared, parts, theme  # here, as drawing takes long to import

    theme.use_theme()
    barriers = {name: each for name, each in found.forks.items() if "barrier" in name and len(each) > 1}
    sections = {"What differs": _html(_parameters(found))}
    if barriers:
        drawn = compared.by_fork(barriers, found.runs)
        sections["Barriers by fork"] = parts.svg(drawn, "Barriers against the fork epoch, a line for each run")
    sections["All numbers"] = _html(_numbers(found))
    body = "".join(f"<h2>{title}</h2>{section}" for title, section in sections.items())
    standalone.write(page, " and ".join(found.runs), body)


def _html(rows: Sequence[Sequence[str]]) -> str:
    def line(row: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"

    head, *others = rows
    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in others)}</table>"


def _table(rows: Sequence[Sequence[str]]) -> str:
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(wide[0]), *(cell.rjust(width) for cell, width in zip(row[1:], wide[1:], strict=True))])
        for row in rows
    )


def _value(value: Any) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), LONGEST_VALUE)


def _number(value: Any) -> str:
    if isinstance(value, str):
        return one_line(value, LONGEST_VALUE)
    return "–" if value is None else f"{value:.6g}"
