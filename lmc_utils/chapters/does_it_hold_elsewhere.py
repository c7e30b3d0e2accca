"""The chapter on other recipes: its parameters, and tables, numbers and figures of the verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from lmc_utils.chapters.claims_elsewhere import CLAIMS, FIRST, LATE
from lmc_utils.chapters.recipe_verdicts import DATA, RECIPES, Row, Verdict, count, judge, measured, random_labels
from lmc_utils.chapters.verdict_sensitivity import Change
from lmc_utils.forking import result_tables
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Outcome, Rule
from lmc_utils.settings import Settings, at_least, parameter

__all__ = [
    "Parameters",
    "as_table",
    "barriers_and_errors",
    "claim_table",
    "described",
    "errors_along_lines",
    "errors_of_recipes",
    "failing",
    "how_tables_were_made",
    "numbers",
    "numbers_by_data",
    "numbers_of_changes",
    "numbers_of_rows",
    "of_chapter",
    "panels",
    "verdict_table",
]

_NAMED = {claim.name: claim for claim in CLAIMS}
_EVERY = Rule("at least", 1.0)


@dataclass(frozen=True)
class Parameters(Settings):
    """How the chapter checks its own statistics."""

    shuffles: int = parameter(120, "random orders of the forks, as a negative control", at_least(1))
    simulations: int = parameter(4000, "samples to measure the coverage of intervals", at_least(10))
    seed: int = parameter(0, "random seed of both", at_least(0))

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"shuffles": 2, "simulations": 100}}

    def overview(self) -> dict[str, str]:
        """The experiments behind the tables, see `Settings.overview`."""
        return {
            "data": ", ".join(DATA.values()),
            "network": "; ".join(name for recipe, name in RECIPES.items() if recipe in result_tables.ELSEWHERE_RECIPES),
            "training": "done before, 40 epochs (24 for ResNet-8); this notebook reads tables",
            "parents": "ten of each perceptron, five of other networks, each with two siblings at every fork",
            "forks": "at initialisation, after a twentieth and after three eighths of training",
        }


def as_table(judged: Mapping[str, Sequence[Verdict]], rows: Sequence[Row]) -> xr.Dataset:
    """Verdicts as labelled arrays.

    Args:
        judged: by the name of each claim.
        rows: all rows; where a claim is not about one, its outcome is empty, and its numbers are NaN.

    Returns:
        With the dimensions claim and recipe: `estimate`, `low`, `high` and `outcome`; with parent as well, the `values`
        of each parent, NaN where the statistic is a correlation over all of them.
    """
    names = [row.name for row in rows]
    dims, shape = ("claim", "recipe"), (len(judged), len(names))
    parents = range(max(row.found.sizes["parent"] for row in rows))
    table = xr.Dataset(
        {
            **{name: (dims, np.full(shape, np.nan)) for name in ("estimate", "low", "high")},
            "outcome": (dims, np.full(shape, "", dtype="U11")),
            "values": ((*dims, "parent"), np.full((*shape, len(parents)), np.nan)),
        },
        {"claim": [*judged], "recipe": names, "parent": parents},
    )
    for claim, verdicts in judged.items():
        for verdict in verdicts:
            at = {"claim": claim, "recipe": verdict.row.name}
            for name in ("estimate", "low", "high", "outcome"):
                table[name].loc[at] = getattr(verdict, name)
            statistic = _NAMED[claim].statistic(verdict.row.found)
            if isinstance(statistic, xr.DataArray):
                table["values"].loc[{**at, "parent": statistic.parent}] = statistic.values
    return table


def panels(
    table: xr.Dataset, names: Sequence[str]
) -> tuple[dict[str, xr.Dataset], dict[str, tuple[Rule, ...]], dict[str, str]]:
    """Verdicts, rules and axes of some claims by title, as `figures.forest` draws them; `table` is from `as_table`."""
    chosen = {name.replace("_", " "): _NAMED[name] for name in names}
    return (
        {title: table.sel(claim=claim.name) for title, claim in chosen.items()},
        {title: claim.rules for title, claim in chosen.items()},
        {title: claim.axis for title, claim in chosen.items()},
    )


def described(table: xr.Dataset) -> list[dict[str, Any]]:
    """Statement, axis, unit and rules of the claims of a table from `as_table`, as `RecipeExplorer` shows them."""
    claims = [_NAMED[name] for name in table.claim.values.tolist()]
    return [
        {
            "statement": claim.statement,
            "axis": claim.axis,
            "unit": claim.unit,
            "rules": [[rule.side, rule.bound] for rule in claim.rules],
        }
        for claim in claims
    ]


def errors_along_lines(rows: Iterable[Row]) -> xr.DataArray:
    """Mean training error (percent) along the line between siblings, with the dimensions recipe, fork and alpha."""
    by_name = {row.name: row.found.error_along_line for row in rows}
    errors: xr.DataArray = xr.concat(by_name.values(), xr.Variable("recipe", [*by_name]))
    return errors


def barriers_and_errors(row: Row) -> xr.Dataset:
    """Means over parents of error barriers (points) and errors (percent) by fork."""
    return row.found[["error_barrier", "train_error", "test_error"]].mean("parent")


def how_tables_were_made() -> str:
    """The commands and the provenance of all tables, in Markdown."""
    return result_tables.made(row.found for row in [*measured(), random_labels()])


def claim_table(judged: Mapping[str, Sequence[Verdict]]) -> ClaimTable:
    """The claims as statements about all recipes: each holds if it holds for every recipe that it is about.

    Args:
        judged: by the name of each claim.
    """
    return ClaimTable(
        tuple(
            Claim(
                _NAMED[name].statement,
                ((_EVERY, (_Recipes("recipes and data sets", tuple(map(_as_number, verdicts))),)),),
            )
            for name, verdicts in judged.items()
        )
    )


def numbers(judged: Mapping[str, Sequence[Verdict]]) -> dict[str, dict[str, int]]:
    """How many verdicts of each claim there are of each kind, and of all claims together.

    Returns:
        `holds`, `fails`, `unknown` and `of` (their sum), and `tested`, the number of verdicts with an interval; each by
        the name of the claim, and `all`.
    """
    counts = {name: count(verdicts) for name, verdicts in judged.items()}
    counts["all"] = sum(counts.values(), Counter())
    kinds: dict[str, tuple[Outcome, ...]] = {
        "holds": ("holds",), "fails": ("fails",), "unknown": ("cannot tell",),
        "of": ("holds", "fails", "cannot tell"),
    }  # fmt: skip
    found = {
        kind: {name: sum(each[one] for one in ones) for name, each in counts.items()} for kind, ones in kinds.items()
    }
    tested = {name: sum(not np.isnan(each.low) for each in verdicts) for name, verdicts in judged.items()}
    return {**found, "tested": tested | {"all": sum(tested.values())}}


def numbers_of_rows(rows: Sequence[Row]) -> dict[str, Any]:
    """What the text quotes of the rows themselves.

    Returns:
        `unchanged_by_alignment`, for how many rows alignment changes no barrier of the first fork at all; for each data
        set the `lowest` and `highest` mean over parents among its recipes of the late siblings' `test_error` and
        `disagreement` (percent); and `same_trace_alone`, for how many rows the trace would be the same without a
        correction.
    """
    same = [bool((row.found.error_barrier.sel(fork=FIRST) == row.found.aligned_barrier).all()) for row in rows]
    alone = [judge(_NAMED["same_trace"], [row])[0].outcome for row in rows]
    late: dict[str, dict[str, dict[str, float]]] = {"test_error": {}, "disagreement": {}}
    for name, by_data in late.items():
        for data in DATA:
            means = [float(row.found[name].sel(fork=LATE).mean()) for row in rows if row.data == data]
            by_data[data] = {"lowest": min(means), "highest": max(means)}
    return {"unchanged_by_alignment": sum(same), "same_trace_alone": alone.count("holds"), **late}


def numbers_of_changes(changes: Iterable[Change]) -> dict[str, dict[str, int]]:
    """`decided`: how many open verdicts more parents would decide, by outcome and in `all`."""
    decided = sum((each.decided for each in changes), Counter())
    return {"decided": {"holds": decided["holds"], "fails": decided["fails"], "all": decided.total()}}


def verdict_table(changes: Iterable[Change]) -> str:
    """For how many recipes each claim holds, by data set, where it fails, and what would change that, in Markdown.

    Rows whose statistic has no interval are not counted.

    Args:
        changes: of each claim, from `verdict_sensitivity.what_would_change`.
    """
    lines = [["claim, where it fails, and what would change the verdicts", *DATA.values()]]
    lines += [["---", *["---:"] * len(DATA)]]
    for each in changes:
        held = [_held(each.verdicts, data) for data in DATA]
        said = f"**{each.claim.statement}** (Chapter {each.claim.chapter}.)<br>{each.sentences()}"
        lines.append([f'<span style="display: inline-block; min-width: 15em">{said}</span>', *held])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def failing(judged: Mapping[str, Sequence[Verdict]]) -> str:
    """The claims that fail for any row, as a Markdown list."""
    return "\n".join(f"- {_NAMED[name].statement}" for name, verdicts in judged.items() if count(verdicts)["fails"])


def _held(verdicts: Sequence[Verdict], data: str) -> str:
    of_data = [verdict for verdict in verdicts if verdict.row.data == data and not np.isnan(verdict.low)]
    return f"{count(of_data)['holds']} of {len(of_data)}" if of_data else ""


def numbers_by_data(judged: Mapping[str, Sequence[Verdict]]) -> dict[str, dict[str, dict[str, int]]]:
    """`holds`, `fails` and `of`: for how many recipes on each data set a claim holds and fails, and is tested."""
    kinds: dict[str, tuple[Outcome, ...]] = {
        "holds": ("holds",), "fails": ("fails",), "of": ("holds", "fails", "cannot tell"),
    }  # fmt: skip
    return {
        kind: {
            name: {data: sum(each.outcome in outcomes for each in verdicts if each.row.data == data) for data in DATA}
            for name, verdicts in judged.items()
        }
        for kind, outcomes in kinds.items()
    }


def of_chapter(number: int) -> str:
    """What other recipes say about the claims of a chapter, as a Markdown list for that chapter."""
    rows = measured()
    said = [
        f"- {claim.statement} {_Recipes('', tuple(map(_as_number, judge(claim, rows)))).describe(_EVERY).capitalize()}."
        for claim in CLAIMS
        if claim.chapter == number
    ]
    return "\n".join(["**Elsewhere.** Chapter 12 tests such claims on other recipes and data sets:", "", *said])


def errors_of_recipes(rows: Iterable[Row]) -> xr.Dataset:
    """Mean training and test error of the late siblings of each recipe (percent), and the number of its parents."""
    chosen = list(rows)
    late = [row.found.sel(fork=LATE).mean("parent") for row in chosen]
    return xr.Dataset(
        {
            "training error (%)": ("recipe", [float(each.train_error) for each in late]),
            "test error (%)": ("recipe", [float(each.test_error) for each in late]),
            "parents": ("recipe", [row.found.sizes["parent"] for row in chosen]),
        },
        {"recipe": [row.name for row in chosen]},
    )


@dataclass(frozen=True)
class _Recipes(Cases):
    """Verdicts as numbers: 1 where a claim holds, 0 where it fails, NaN where one cannot tell."""

    def describe(self, rule: Rule) -> str:
        known = [value for value in self.values if value == value]
        kinds = {"holds": known.count(1.0), "fails": known.count(0.0), "cannot tell": len(self.values) - len(known)}
        said = ", ".join(f"{kind} for {number}" for kind, number in kinds.items() if number)
        return f"{said} of {len(self.values)}"

    def required(self, rule: Rule) -> str:
        return "one holds"


def _as_number(verdict: Verdict) -> float:
    return {"holds": 1.0, "fails": 0.0}.get(verdict.outcome, float("nan"))
