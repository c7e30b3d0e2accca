"""What each recipe says about each claim: tables, verdicts that are corrected for many tests, and negative controls."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from lmc_utils.chapters.claims_elsewhere import CLAIMS, LATE, GeneralClaim
from lmc_utils.chapters.one_recipe import FORKS
from lmc_utils.forking import result_tables
from lmc_utils.measure import holm
from lmc_utils.measure.claim_table import ClaimTable
from lmc_utils.measure.claims import Cases, Claim, Outcome, Rule
from lmc_utils.measure.statistics import Correlation
from lmc_utils.settings import Settings, at_least, parameter

__all__ = [
    "Parameters",
    "Row",
    "Verdict",
    "as_table",
    "barriers_and_errors",
    "claim_table",
    "count",
    "described",
    "errors_along_lines",
    "errors_of_recipes",
    "failing",
    "how_tables_were_made",
    "judge",
    "judged_alone",
    "measured",
    "not_measured",
    "numbers",
    "numbers_by_data",
    "of_chapter",
    "panels",
    "random_labels",
    "shuffled",
    "verdict_table",
]

RECIPES = {
    "mlp_relu": "MLP, ReLU",
    "mlp_gelu": "MLP, GELU",
    "mlp_deep": "deep MLP",
    "mlp_wide": "wide MLP",
    "mlp_adamw": "MLP, AdamW",
    "cnn": "CNN",
    "resnet8_batch": "ResNet-8, batch",
    "resnet8_group": "ResNet-8, group",
    "mlp_random_labels": "random labels",
}
DATA = {"mnist1d": "MNIST-1D", "digits": "digits", "fashion_mnist": "Fashion-MNIST"}
_NAMED = {claim.name: claim for claim in CLAIMS}
_EVERY = Rule("at least", 1.0)
_SIGNIFICANT = 0.025  # one-sided, as for 95 % intervals


@dataclass(frozen=True)
class Parameters(Settings):
    """How the chapter checks its own statistics."""

    shuffles: int = parameter(40, "random orders of the forks, as a negative control", at_least(1))
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


@dataclass(frozen=True)
class Row:
    """A recipe on a data set, and what was measured of it.

    Attributes:
        recipe, data: their names in the tables.
        found: as `one_recipe.measure` returns it.
        activation: the activation function of its networks.
    """

    recipe: str
    data: str
    found: xr.Dataset
    activation: str = "relu"

    @property
    def name(self) -> str:
        """The recipe and the data set, as readers see them."""
        return f"{RECIPES[self.recipe]}, {DATA[self.data]}"


@dataclass(frozen=True)
class Verdict:
    """The statistic of a claim for one row, with its 95 % interval and p-values (all NaN where it is unknown).

    Attributes:
        meets: p-value of the hypothesis that the statistic breaks a rule of the claim.
        breaks: p-value of the hypothesis that it meets all rules.
        outcome: the verdict, corrected for the number of rows, see `judge`.
    """

    row: Row
    estimate: float
    low: float
    high: float
    meets: float
    breaks: float
    outcome: Outcome = "cannot tell"


def measured() -> list[Row]:
    """The rows whose tables were made, in the order of `result_tables.ELSEWHERE`."""
    return [
        Row(recipe, data, unfold(result_tables.read(name)), "gelu" if recipe == "mlp_gelu" else "relu")
        for data in result_tables.ELSEWHERE_DATA
        for recipe in result_tables.ELSEWHERE_RECIPES
        if (name := f"elsewhere_{recipe}_{data}").removeprefix("elsewhere_") in result_tables.SWEPT["elsewhere"]
    ]


def not_measured() -> str:
    """The recipes and data sets whose tables were not made yet, as a sentence in Markdown; empty if there are none."""
    lacking = [
        f"{RECIPES[recipe]}, {DATA[data]}"
        for data in DATA
        for recipe in RECIPES
        if f"{recipe}_{data}" in result_tables.NOT_MADE_YET
    ]
    return f"*Not measured yet, so left out everywhere:* {'; '.join(lacking)}." if lacking else ""


def unfold(table: xr.Dataset) -> xr.Dataset:
    """The numbers NAME_FORK_parent_0, NAME_parent_0 and NAME_FORK_alpha_0.5 of a table as labelled arrays.

    >>> table = xr.Dataset({f"b_{fork}_parent_{each}": each for fork in FORKS for each in (0, 1)})
    >>> unfold(table).b.sel(fork="late").values.tolist()
    [0.0, 1.0]
    """
    pattern = re.compile(rf"(\w+?)(?:_({'|'.join(FORKS)}))?_(parent|alpha)_([\d.]+)")
    parts: dict[str, dict[str, dict[float, float]]] = {}
    dims: dict[str, str] = {}
    for key, value in table.squeeze(drop=True).items():
        if (match := pattern.fullmatch(str(key))) is not None:
            name, fork, dim, label = match.groups()
            parts.setdefault(name, {}).setdefault(fork or "", {})[float(label)] = float(value)
            dims[name] = dim
    arrays = {}
    for name, by_fork in parts.items():
        dim = dims[name]
        each = {fork: xr.DataArray([*values.values()], {dim: [*values]}) for fork, values in by_fork.items()}
        arrays[name] = (
            each[""] if "" in each else xr.concat([each[fork] for fork in FORKS], xr.Variable("fork", [*FORKS]))
        )
    return xr.Dataset(arrays)


def uncorrected(claim: GeneralClaim, row: Row) -> Verdict:
    """Test a claim on one row, without a correction."""
    statistic = claim.statistic(row.found)
    if isinstance(statistic, Correlation):
        parents = row.found.sizes["parent"]
        above = [holm.correlation_above(statistic, rule.bound, parents) for rule in claim.rules]
        estimate, low, high = statistic
    else:
        above = [holm.mean_above(statistic.values, rule.bound) for rule in claim.rules]
        estimate, low, high = holm.interval(statistic.values)
    wrong_side = [p if _upwards(rule) else 1 - p for rule, p in zip(claim.rules, above, strict=True)]
    right_side = [1 - p for p in wrong_side]
    breaks = float(np.minimum(1.0, len(right_side) * min(right_side)))  # unlike `min`, keeps NaN
    return Verdict(row, estimate, low, high, max(wrong_side), breaks)


def judge(claim: GeneralClaim, rows: Iterable[Row]) -> list[Verdict]:
    """Test a claim on all rows that it is about, with verdicts corrected for their number.

    It holds for a row if the hypothesis that its statistic breaks a rule is rejected, and fails if the hypothesis that
    it meets all rules is; both at one-sided 2.5 %, with p-values adjusted by Holm's procedure over the rows. So if
    p-values are exact, the verdicts of a claim, *holds* and *fails* together, are all right with a probability of at
    least 95 %. A row whose statistic is unknown does not count as a test.
    """
    chosen = [row for row in rows if not claim.activations or row.activation in claim.activations]
    found = [uncorrected(claim, row) for row in chosen]
    holds, fails = (holm.adjusted([getattr(each, name) for each in found]) for name in ("meets", "breaks"))
    return [
        Verdict(each.row, each.estimate, each.low, each.high, each.meets, each.breaks, _outcome(meets, breaks))
        for each, meets, breaks in zip(found, holds, fails, strict=True)
    ]


def count(judged: Iterable[Verdict]) -> Counter[Outcome]:
    """How many verdicts there are of each kind."""
    return Counter(each.outcome for each in judged)


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
    """Verdicts, rules and units of some claims by title, as `figures.forest` draws them; `table` is from `as_table`."""
    chosen = {name.replace("_", " "): _NAMED[name] for name in names}
    return (
        {title: table.sel(claim=claim.name) for title, claim in chosen.items()},
        {title: claim.rules for title, claim in chosen.items()},
        {title: claim.unit for title, claim in chosen.items()},
    )


def described(table: xr.Dataset) -> list[dict[str, Any]]:
    """Statement, unit and rules of each claim of a table from `as_table`, as `widgets.RecipeExplorer` shows them."""
    claims = [_NAMED[name] for name in table.claim.values.tolist()]
    return [
        {
            "statement": claim.statement,
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


def random_labels() -> Row:
    """The perceptron that was trained on random labels, a negative control."""
    recipe, data = "mlp_random_labels", "mnist1d"
    return Row(recipe, data, unfold(result_tables.read(f"elsewhere_{recipe}_{data}")))


def judged_alone(row: Row) -> dict[str, list[Verdict]]:
    """All claims on one row, without a correction for others, by their names."""
    return {claim.name: judge(claim, [row]) for claim in CLAIMS}


def barriers_and_errors(row: Row) -> xr.Dataset:
    """Means over parents of error barriers (points) and errors (percent) by fork."""
    return row.found[["error_barrier", "train_error", "test_error"]].mean("parent")


def how_tables_were_made() -> str:
    """The commands and the provenance of all tables, in Markdown."""
    names = [f"elsewhere_{row.recipe}_{row.data}" for row in [*measured(), random_labels()]]
    return result_tables.made(map(result_tables.read, names))


def shuffled(row: Row, seed: int) -> Row:
    """The row with its forks in random order for each parent, a negative control: nothing depends on the fork now."""
    random = np.random.default_rng(seed)
    orders = np.stack([random.permutation(len(FORKS)) for _ in range(row.found.sizes["parent"])], 1)
    changed = {
        name: (("fork", "parent"), np.take_along_axis(values.transpose("fork", "parent").values, orders, 0))
        for name, values in row.found.items()
        if set(values.dims) == {"fork", "parent"}
    }
    return replace(row, found=row.found.assign(changed))


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
        `holds`, `fails`, `unknown` and `of` (their sum), each by the name of the claim, and `all`.
    """
    counts = {name: count(verdicts) for name, verdicts in judged.items()}
    counts["all"] = sum(counts.values(), Counter())
    kinds: dict[str, tuple[Outcome, ...]] = {
        "holds": ("holds",), "fails": ("fails",), "unknown": ("cannot tell",),
        "of": ("holds", "fails", "cannot tell"),
    }  # fmt: skip
    return {
        kind: {name: sum(each[one] for one in ones) for name, each in counts.items()} for kind, ones in kinds.items()
    }


def verdict_table(judged: Mapping[str, Sequence[Verdict]]) -> str:
    """For how many recipes each claim holds, by data set, and for which it fails, as a Markdown table."""
    head = ["chapter", "claim", *DATA.values(), "fails for"]
    rows = [head, ["---:", "---", *["---:"] * len(DATA), "---"]]
    for name, verdicts in judged.items():
        claim = _NAMED[name]
        held = [_held(verdicts, data) for data in DATA]
        where = "; ".join(verdict.row.name for verdict in verdicts if verdict.outcome == "fails")
        rows.append([str(claim.chapter), claim.statement, *held, where])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def failing(judged: Mapping[str, Sequence[Verdict]]) -> str:
    """The claims that fail for any row, as a Markdown list."""
    return "\n".join(f"- {_NAMED[name].statement}" for name, verdicts in judged.items() if count(verdicts)["fails"])


def _held(verdicts: Sequence[Verdict], data: str) -> str:
    of_data = [verdict for verdict in verdicts if verdict.row.data == data]
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


def _upwards(rule: Rule) -> bool:
    return rule.side in ("above", "at least")


def _outcome(meets: float, breaks: float) -> Outcome:
    return "holds" if meets <= _SIGNIFICANT else "fails" if breaks <= _SIGNIFICANT else "cannot tell"
