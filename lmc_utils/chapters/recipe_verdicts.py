"""Verdicts of the general claims on each recipe, from the tables of `one_recipe`, corrected for the number of tests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import xarray as xr

from lmc_utils.chapters.claims_elsewhere import CLAIMS, GeneralClaim
from lmc_utils.chapters.one_recipe import FORKS
from lmc_utils.forking import result_tables
from lmc_utils.measure import holm
from lmc_utils.measure.claims import Outcome, Rule
from lmc_utils.measure.statistics import Correlation

__all__ = [
    "DATA",
    "RECIPES",
    "Row",
    "Verdict",
    "corrected",
    "count",
    "judge",
    "judged_alone",
    "measured",
    "random_labels",
    "shuffled",
    "uncorrected",
    "unfold",
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
_SIGNIFICANT = 0.025  # one-sided, as for 95 % intervals


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
        meets: p-value of the hypothesis that the statistic breaks a rule of the claim, corrected as the outcome is.
        breaks: p-value of the hypothesis that it meets all rules, likewise.
        outcome: the verdict, corrected for the number of rows, see `judge`.
    """

    row: Row
    estimate: float
    low: float
    high: float
    meets: float
    breaks: float
    outcome: Outcome = "cannot tell"


@cache
def measured() -> tuple[Row, ...]:
    """All rows, in the order of `result_tables.ELSEWHERE_DATA` and `ELSEWHERE_RECIPES`.

    Read once in each process, as that takes a second.
    """
    return tuple(
        _read(recipe, data) for data in result_tables.ELSEWHERE_DATA for recipe in result_tables.ELSEWHERE_RECIPES
    )


def unfold(table: xr.Dataset) -> xr.Dataset:
    """The numbers NAME_FORK_parent_0, NAME_parent_0 and NAME_FORK_alpha_0.5 of a table as labelled arrays.

    They keep the attributes of the table.

    >>> table = xr.Dataset({f"b_{fork}_parent_{each}": each for fork in FORKS for each in (0, 1)})
    >>> unfold(table).b.sel(fork="late").values.tolist()
    [0.0, 1.0]
    """
    pattern = re.compile(rf"(\w+?)(?:_({'|'.join(FORKS)}))?_(parent|alpha)_([\d.]+)")
    parts: dict[str, dict[str, dict[float, float]]] = {}
    dims: dict[str, str] = {}
    for key, value in table.variables.items():  # plain variables: ten times as fast as labelled arrays
        if (match := pattern.fullmatch(str(key))) is not None:
            name, fork, dim, label = match.groups()
            parts.setdefault(name, {}).setdefault(fork or "", {})[float(label)] = float(value.values.item())
            dims[name] = dim
    arrays = {}
    for name, by_fork in parts.items():
        labels = {dims[name]: [*next(iter(by_fork.values()))]}
        if "" in by_fork:
            arrays[name] = xr.DataArray([*by_fork[""].values()], labels)
        else:
            values = [[*by_fork[fork].values()] for fork in FORKS]
            arrays[name] = xr.DataArray(values, {"fork": [*FORKS], **labels})
    return xr.Dataset(arrays, attrs=table.attrs)


def uncorrected(row: Row, statistic: xr.DataArray | Correlation, rules: Sequence[Rule], times: int = 1) -> Verdict:
    """Test the statistic of a claim for one row, without a correction; for `times` see `judge`."""
    if isinstance(statistic, Correlation):
        parents = row.found.sizes["parent"]
        above = [holm.correlation_above(statistic, rule.bound, parents, times) for rule in rules]
        estimate, low, high = statistic
    else:
        above = [holm.mean_above(statistic.values, rule.bound, times) for rule in rules]
        estimate, low, high = holm.interval(statistic.values)
    wrong_side = [p if rule.upwards else 1 - p for rule, p in zip(rules, above, strict=True)]
    right_side = [1 - p for p in wrong_side]
    breaks = float(np.minimum(1.0, len(right_side) * min(right_side)))  # unlike `min`, keeps NaN
    return Verdict(row, estimate, low, high, max(wrong_side), breaks)


def corrected(found: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts of a family of tests, see `judge`."""
    holds, fails = (holm.adjusted([getattr(each, name) for each in found]) for name in ("meets", "breaks"))
    return [
        replace(each, meets=meets, breaks=breaks, outcome=_outcome(meets, breaks))
        for each, meets, breaks in zip(found, holds, fails, strict=True)
    ]


def judge(claim: GeneralClaim, rows: Iterable[Row], times: int = 1) -> list[Verdict]:
    """Test a claim on all rows that it is about, with verdicts corrected for their number.

    It holds for a row if the hypothesis that its statistic breaks a rule is rejected, and fails if the hypothesis that
    it meets all rules is; both at one-sided 2.5 %, with p-values adjusted by Holm's procedure over the rows. So if
    p-values are exact, the verdicts of a claim, *holds* and *fails* together, are all right with a probability of at
    least 95 %. A row whose statistic is unknown does not count as a test.

    Args:
        claim: what is tested.
        rows: all recipes and data sets.
        times: as if each row had so many times as many parents, with the same means and standard deviations: p-values
            and outcomes are projections then; estimates and intervals are as measured.
    """
    chosen = [row for row in rows if not claim.activations or row.activation in claim.activations]
    return corrected([uncorrected(row, claim.statistic(row.found), claim.rules, times) for row in chosen])


def count(judged: Iterable[Verdict]) -> Counter[Outcome]:
    """How many verdicts there are of each kind."""
    return Counter(each.outcome for each in judged)


def random_labels() -> Row:
    """The perceptron that was trained on random labels."""
    return _read("mlp_random_labels", "mnist1d")


def judged_alone(row: Row) -> dict[str, list[Verdict]]:
    """All claims on one row, without a correction for others, by their names."""
    return {claim.name: judge(claim, [row]) for claim in CLAIMS}


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


def _read(recipe: str, data: str) -> Row:
    found = unfold(result_tables.read(f"elsewhere_{recipe}_{data}"))
    return Row(recipe, data, found, "gelu" if recipe == "mlp_gelu" else "relu")


def _outcome(meets: float, breaks: float) -> Outcome:
    return "holds" if meets <= _SIGNIFICANT else "fails" if breaks <= _SIGNIFICANT else "cannot tell"
