"""What `lmc connect` prints and writes: a sentence and tables, or one JSON object, and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lmc_utils.cli.text_tables import aligned
from lmc_utils.publishing import standalone_page

if TYPE_CHECKING:
    import xarray as xr

    from lmc_utils.connect import Report

CONDITIONS = "Conditions"
_NOTES = ("_left_out", "best_chosen_on")  # attributes of the agreement and the average of all
Tables = Mapping[str, Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Target:
    """Where results go.

    Attributes:
        as_json: to standard output as one JSON object instead of text.
        page: also to this HTML file, where it is given.
        names: of the files.
    """

    as_json: bool
    page: Path | None
    names: Sequence[str]

    def show(self, sentence: str, tables: Tables, told: Mapping[str, Any], body: str | None = None) -> None:
        """Print a sentence with tables, or an object; the page has these, or a body of its own."""
        if self.page is not None:
            body = body or f"<p>{escape(sentence)}</p>{_html_tables(tables)}"
            standalone_page.write(self.page, " and ".join(self.names), body)
            typer.echo(self.page, err=True)
        if self.as_json:
            typer.echo(json.dumps(told, allow_nan=False))
            return
        typer.echo(sentence)
        for title, rows in tables.items():
            lines = aligned(rows) if title != CONDITIONS else "\n".join(f"{name}: {value}" for name, value in rows[1:])
            typer.echo(f"\n{title}\n{lines}")


def print_report(target: Target, report: Report) -> None:
    """The report of a line."""
    body = report._repr_html_() if target.page is not None else None
    told = {"checkpoints": list(target.names), **report.to_json()}
    target.show(report.sentence, report.tables(), told, body)


def print_matrix(target: Target, matrix: xr.Dataset, further: Sequence[xr.Dataset] = ()) -> None:
    """The barriers of all pairs, and why pairs have none; their agreement; and the average and ensemble of all."""
    from lmc_utils.connect.reports.report import finite
    from lmc_utils.connect.reports.tables import titled

    for each in further:
        notes = {name: value for name, value in each.attrs.items() if str(name).endswith(_NOTES)}
        matrix = matrix.assign(each.data_vars).assign_attrs(notes)
    names = matrix.first.values.tolist()
    squares = {str(name): each for name, each in matrix.data_vars.items() if name != "failed" and each.dims}
    failed = [line for row, lines in enumerate(matrix.failed.values) for line in lines[row + 1 :] if line]
    numbers = {
        titled(name, each): [["", *names], *_rows(names, each.values.tolist())] for name, each in squares.items()
    }
    reasons = {"Not measured": [["pair and reason"], *([line] for line in failed)]} if failed else {}
    conditions = _conditions({name: value for name, value in matrix.attrs.items() if name != "equal"})
    tables = {**numbers, **_average_and_ensemble(matrix), **reasons, **conditions}
    equal = matrix.attrs.get("equal")
    told = {
        "checkpoints": names, **{name: each.values for name, each in matrix.data_vars.items()}, "failed": failed,
        **matrix.attrs,
    }  # fmt: skip
    pairs = len(names) * (len(names) - 1) // 2
    done = int((~squares["loss_barrier"].isnull()).sum() - len(names)) // 2 if "loss_barrier" in squares else 0
    parts = [f"{done} of {pairs} pairs were measured", *([f"{len(failed)} could not be"] if failed else [])]
    parts += [f"equal networks, whose barrier is 0: {equal}"] if equal else []
    sentence = f"{'; '.join(parts)}."
    target.show(sentence, tables, finite({**told, "summary": sentence}))


def _average_and_ensemble(found: xr.Dataset) -> Tables:
    """The table of the average and the ensemble of all networks, if they were measured."""
    names = {"average": "average of all", "best": "best single network", "single": "mean of the single networks"}
    rows = [
        [names.get(name, name), *(f"{float(found[f'{name}_{score}']):.4g}" for score in ("loss", "error"))]
        for name in ("average", "ensemble", "best", "single")
        if f"{name}_error" in found
    ]
    return {"Average of all and ensemble": [["candidate", "loss (nats)", "error (%)"], *rows]} if rows else {}


def print_soup(target: Target, found: xr.Dataset) -> None:
    """The averages of several networks beside the networks themselves."""
    from lmc_utils.connect.reports.report import finite
    from lmc_utils.connect.reports.tables import titled

    scores = [name for name in ("loss", "error", "selection_loss") if name in found]
    candidates = found.candidate.values.tolist()
    rows = [[name, *(f"{float(found[each].sel(candidate=name)):.4g}" for each in scores)] for name in candidates]
    weights = {str(name): found.weight.sel(average=name).values.tolist() for name in found.average.values}
    shares = [[name, *(f"{weights[each][row]:.3g}" for each in weights)] for row, name in enumerate(target.names)]
    sentence = str(found.attrs["summary"])
    tables = {
        "Networks and averages": [["candidate", *(titled(name, found[name]) for name in scores)], *rows],
        "Weights": [["network", *weights], *shares],
        **_conditions({name: value for name, value in found.attrs.items() if name != "summary"}),
    }
    numbers = {name: found[name].values for name in scores} | {"weights": weights}
    told = finite({"checkpoints": list(target.names), "candidates": candidates, **numbers, **found.attrs})
    target.show(sentence, tables, told)


def print_plane(target: Target, found: xr.Dataset) -> None:
    """The plane through three networks: its extremes, all its numbers as JSON, and its map on the page."""
    from lmc_utils.connect.reports.report import finite
    from lmc_utils.connect.reports.tables import titled

    scores = [name for name in ("loss", "error") if name in found]
    done = int(found.loss.notnull().sum())
    sentence = f"{done} of {found.loss.size} points of the plane through {', '.join(target.names)} were measured."
    extremes = {name: (float(found[name].min()), float(found[name].max())) for name in scores}
    rows = [[titled(name, found[name]), *(f"{value:.4g}" for value in both)] for name, both in extremes.items()]
    where: dict[str, Any] = {}  # a measurement that was stopped lacks it
    arrays = {name: found[name].transpose("row", "column").values for name in scores}
    if "corner" in found:
        corners = found.corner.transpose("point", "axis").values
        arrays |= {"x": found.x.values, "y": found.y.values, "corner": corners}
        named = [[name, *(f"{each:.4g}" for each in row)] for name, row in zip(target.names, corners, strict=True)]
        where = {"Where the networks are": [["network", "x", "y"], *named]}
    tables = {"On the plane": [["quantity", "lowest", "highest"], *rows], **where, **_conditions(found.attrs)}
    told = finite({"checkpoints": list(target.names), **arrays, **found.attrs, "summary": sentence})
    target.show(sentence, tables, told, _map(found, target, sentence, tables) if target.page is not None else None)


def _map(found: xr.Dataset, target: Target, sentence: str, tables: Tables) -> str:
    from lmc_utils.figures import elements  # here, as drawing takes long to import
    from lmc_utils.figures.connections import plane_map
    from lmc_utils.figures.theme import themed

    svg = ""
    if "corner" in found:
        with themed():
            svg = elements.svg(plane_map(found, target.names), sentence)
    return f"<p>{escape(sentence)}</p>{svg}{_html_tables(tables)}"


def _html_tables(tables: Tables) -> str:
    return "".join(f"<h2>{escape(title)}</h2>{standalone_page.html_table(rows)}" for title, rows in tables.items())


def _rows(names: Sequence[str], values: Sequence[Sequence[float]]) -> list[list[str]]:
    return [[name, *(f"{value:.4g}" for value in row)] for name, row in zip(names, values, strict=True)]


def _conditions(attrs: Mapping[Any, Any]) -> Tables:
    from lmc_utils.connect.reports.tables import conditions

    return {CONDITIONS: conditions(attrs)} if attrs else {}
