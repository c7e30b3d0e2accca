"""`lmc list`, `run`, `results`, `compare`, `page` and `parameters`: run notebooks and read their results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from lmc_utils.cli.options import AsJson, CellTimeout, CsvFile, HtmlFile, NotebookName, Preset, Root
from lmc_utils.cli.text_tables import aligned, write_table
from lmc_utils.formatting import LONGEST_VALUE, one_line, short_repr
from lmc_utils.output_files import require_writable
from lmc_utils.running import notebooks
from lmc_utils.settings import ParameterError, require

Executed = Annotated[list[Path], Argument(help="Executed notebooks.")]


def list_notebooks(
    notebook: Annotated[
        str | None, Argument(help="List the parameters of this notebook: a name, the beginning of one, or a path.")
    ] = None,
    root: Root = Path(),
) -> None:
    """List the notebooks with their titles; or one notebook's parameters: type, default, meaning and range."""
    if notebook is not None:
        _list_parameters(notebooks.find(notebook, root / "notebooks"))
        return
    paths = notebooks.notebook_paths(root / "notebooks")
    if not paths:
        raise ParameterError(f"'{root.resolve()}' is not a checkout of the book: it has no notebooks; give --root")
    width = max(len(path.stem) for path in paths)
    for path in paths:
        typer.echo(f"{path.stem:{width}}  {notebooks.Notebook(path).title}")


def _list_parameters(found: notebooks.Notebook) -> None:
    typer.echo(f"{found.path.stem}  {found.title}")
    rows = [
        (
            each.name,
            each.type,
            json.dumps(each.default, default=repr),
            f"{each.meaning} [{each.allowed}]" if each.allowed else each.meaning,
        )
        for each in found.parameters.values()
    ]
    if not rows:
        typer.echo("no parameters: no assignment in a cell with the tag 'parameters'")
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, kind, default, meaning in rows:
        typer.echo(f"  {name:{widths[0]}}  {kind:{widths[1]}}  {default:{widths[2]}}  {meaning}")


def write_parameters(
    notebook: Annotated[list[str] | None, Argument(help="Names or paths of notebooks; default: all chapters.")] = None,
    root: Root = Path(),
) -> None:
    """Update the parameters cell and the parameter table of notebooks after their Settings class changed."""
    from lmc_utils.running import parameter_cells

    folder = root / "notebooks"
    for path in [notebooks.find(name, folder).path for name in notebook or map(str, notebooks.notebook_paths(folder))]:
        if parameter_cells.update(path):
            typer.echo(path)


def run(
    notebook: NotebookName,
    *,
    out: Annotated[Path | None, Option("-o", "--out", help="Output notebook; default: NAME.out.ipynb.")] = None,
    parameter: Annotated[
        list[str] | None,
        Option("-p", "--parameter", metavar="NAME=VALUE", help="Set a parameter to a YAML value; may be repeated."),
    ] = None,
    preset: Preset = "default",
    timeout: CellTimeout = notebooks.TIMEOUT,
    html: HtmlFile = None,
    check: Annotated[bool, Option(hidden=True, help="Check the parameters even if none was given.")] = True,
    as_source: Annotated[
        bool, Option(hidden=True, help="Keep the prose of the source, for a page of the book.")
    ] = False,
    root: Root = Path(),
) -> None:
    """Execute a notebook with your own parameters, which are checked first."""
    from lmc_utils.publishing import run_page
    from lmc_utils.running import readable_notebook

    found = notebooks.find(notebook, root / "notebooks")
    given = found.preset(preset) | dict(_assignment(text) for text in parameter or [])
    if check or given:
        found.check(given)
    target = out or Path(f"{found.path.stem}.out.ipynb")
    require(target.suffix == ".ipynb", "out", "a file name ending in .ipynb", str(target))
    if html is not None:
        run_page.require_target(html, "html", root)
    notebooks.execute(found, given, target, timeout=timeout)
    if not as_source:
        readable_notebook.rewrite(target, given, found)
    typer.echo(target)
    if html is not None:
        run_page.write(root, target, html)
        typer.echo(html)


def results(
    notebook: Executed,
    *,
    as_json: AsJson = False,
    table: CsvFile = None,
    with_parameters: Annotated[bool, Option("--parameters", help="Also print the parameters of the run.")] = False,
) -> None:
    """Print the headline numbers of executed notebooks."""
    from lmc_utils.running import comparison, recorded_numbers

    if table is not None:
        require_writable(table, "csv", ".csv")
    found = {str(path): recorded_numbers.read(path) for path in notebook}
    used = {str(path): comparison.parameters(path) if with_parameters else {} for path in notebook}
    if table is not None:
        names = dict.fromkeys(name for numbers in found.values() for name in numbers)
        rows = [[name, *(numbers.get(name) for numbers in found.values())] for name in names]
        write_table(table, [["number", *found], *rows])
        typer.echo(table, err=True)
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
        shown = [one_line(name, LONGEST_VALUE) for name in said]
        for name, value in zip(shown, said.values(), strict=True):
            typer.echo(f"{name:{max(map(len, shown))}}  {value}")


def compare(
    notebook: Annotated[list[Path], Argument(help="Two or more executed versions of one notebook.")],
    *,
    as_json: AsJson = False,
    table: CsvFile = None,
    html: HtmlFile = None,
) -> None:
    """Compare runs of one notebook: print the parameters that differ, and all numbers and their differences."""
    from lmc_utils.publishing import comparison_page
    from lmc_utils.running import comparison

    for path, option, suffix in ((html, "html", ".html"), (table, "csv", ".csv")):
        if path is not None:
            require_writable(path, option, suffix)
    found = comparison.compare(notebook)
    if html is not None:
        comparison_page.write(html, found)
        typer.echo(html, err=True)
    if table is not None:
        write_table(table, found.rows())
        typer.echo(table, err=True)
    if as_json:
        typer.echo(json.dumps(found.to_json(), allow_nan=False))
    else:
        typer.echo(aligned(comparison_page.parameters(found)) if found.differing_parameters else "no parameter differs")
        typer.echo()
        typer.echo(aligned(comparison_page.numbers(found)))


def page(
    notebook: Annotated[Path, Argument(help="Notebook executed by `lmc run`, papermill, Jupyter or Colab.")],
    out: Annotated[Path | None, Option("-o", "--out", help="Output page; default: NAME.html.")] = None,
    root: Root = Path(),
) -> None:
    """Write an executed notebook as a self-contained HTML page in the style of the book."""
    from lmc_utils.publishing import run_page

    target = out or Path(f"{notebook.stem}.html")
    run_page.require_target(target, "out", root)
    run_page.write(root, notebook, target)
    typer.echo(target)


def _assignment(text: str) -> tuple[str, Any]:
    from lmc_utils.running import yaml_values

    name, equals, value = text.partition("=")
    if not equals:
        raise ParameterError(f"-p takes a name and a value, e.g. -p epochs 10 (got {short_repr(text)})")
    return name, yaml_values.parse(name, value)
