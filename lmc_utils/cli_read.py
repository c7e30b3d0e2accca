"""What executed notebooks have to say: `lmc results`, `lmc compare`, `lmc page`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from lmc_utils.formatting import LONGEST_VALUE, one_line
from lmc_utils.publishing import run_page, standalone_page
from lmc_utils.running import comparison, recorded_numbers
from lmc_utils.running.recorded_curves import Curves
from lmc_utils.settings import require


def show_results(
    notebook: Annotated[list[Path], Argument(help="Executed notebooks.")],
    as_json: Annotated[bool, Option("--json", help="As one JSON object; what is not finite is null.")] = False,
    with_parameters: Annotated[bool, Option("--parameters", help="Also the parameters of the run.")] = False,
) -> None:
    """Print the headline numbers that executed notebooks recorded."""
    found = {str(path): recorded_numbers.read(path) for path in notebook}
    used = {str(path): comparison.parameters(path) if with_parameters else {} for path in notebook}
    if as_json and len(notebook) == 1 and not with_parameters:
        typer.echo(recorded_numbers.as_json(found[str(notebook[0])]))
        return
    if as_json:
        told = {
            path: {
                **({"parameters": used[path]} if with_parameters else {}),
                "numbers": recorded_numbers.finite(numbers),
            }
            for path, numbers in found.items()
        }
        typer.echo(json.dumps(told, indent=1, allow_nan=False))
        return
    for path, numbers in found.items():
        if len(notebook) > 1:
            typer.echo(typer.style(path, bold=True))
        said = {name: json.dumps(value, ensure_ascii=False) for name, value in used[path].items()}
        said |= {name: f"{number:.6g}" for name, number in numbers.items()}
        names = [one_line(name, LONGEST_VALUE) for name in said]
        for name, value in zip(names, said.values(), strict=True):
            typer.echo(f"{name:{max(map(len, names))}}  {value}")


def write_page(
    notebook: Annotated[Path, Argument(help="An executed notebook, of `lmc run` or of papermill.")],
    out: Annotated[Path | None, Option("-o", "--out", help="The page; default STEM.html.")] = None,
    root: Annotated[Path, Option(help="A checkout of the book, whose look the page gets.")] = Path(),
) -> None:
    """Write a run as one page in the look of the book: a single file that asks for nothing else."""
    target = out or Path(f"{notebook.stem}.html")
    run_page.require_place(target, root)
    run_page.write(root, notebook, target)
    typer.echo(target)


def compare(
    notebook: Annotated[list[Path], Argument(help="Executed notebooks, two or more, of one source.")],
    as_json: Annotated[bool, Option("--json", help="As one JSON object; what is missing is null.")] = False,
    as_csv: Annotated[bool, Option("--csv", help="The numbers as a table of comma-separated values.")] = False,
    html_page: Annotated[Path | None, Option("--html", help="Also write a page with tables and a picture.")] = None,
) -> None:
    """Lay runs of one notebook side by side: the parameters that differ, and every number with its difference."""
    require(not (as_json and as_csv), "json", "one of --json and --csv", "both")
    standalone_page.require_name(html_page)
    found = comparison.compare(notebook)
    if html_page is not None:
        _write(html_page, found)
        typer.echo(html_page, err=True)
    if as_json:
        typer.echo(json.dumps(found.to_json(), allow_nan=False))
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(found.rows())
    else:
        typer.echo(_table(_parameters(found)) if found.differing else "no parameter differs")
        typer.echo()
        typer.echo(_table(_numbers(found)))


def _parameters(found: comparison.Comparison) -> list[list[str]]:
    return [["parameter", *found.runs], *([name, *map(_value, each)] for name, each in found.differing.items())]


def _numbers(found: comparison.Comparison) -> list[list[str]]:
    return [list(map(_number, row)) for row in found.rows()]


def _write(page: Path, found: comparison.Comparison) -> None:
    from lmc_utils.figures import elements, run_comparison, theme  # here, as drawing takes long to import

    theme.use_theme()
    barriers = {name: each for name, each in found.forks.items() if "barrier" in name and len(each) > 1}
    sections = {"What differs": standalone_page.table(_parameters(found))}
    if barriers:
        drawn = run_comparison.numbers_by_fork(barriers, found.runs)
        sections["Barriers by fork"] = elements.svg(drawn, "Barriers against the fork epoch, a line for each run")
    for name, each in found.curves.items():
        drawn = run_comparison.curves_by_fork([_by_fork(curves) for curves in each], found.runs)
        said = name.replace("_", " ").capitalize()
        sections[said] = elements.svg(drawn, f"{said}, a panel for each fork epoch, a line for each run")
    sections["All numbers"] = standalone_page.table(_numbers(found))
    body = "".join(f"<h2>{title}</h2>{section}" for title, section in sections.items())
    standalone_page.write(page, " and ".join(found.runs), body)


def _by_fork(curves: Curves | None) -> dict[int, tuple[list[float], list[float]]]:
    return {} if curves is None else {fork: (curves.places, values) for fork, values in curves.forks.items()}


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
