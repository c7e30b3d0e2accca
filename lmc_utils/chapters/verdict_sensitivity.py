"""What would change the verdicts on other recipes: another bound, or more parents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lmc_utils.chapters.claims_elsewhere import GeneralClaim
from lmc_utils.chapters.recipe_verdicts import DATA, RECIPES, Row, Verdict, count, judge
from lmc_utils.measure.claims import Rule
from lmc_utils.measure.statistics import Correlation

__all__ = ["bound_for_all", "decided_by_more_parents", "with_more_parents", "what_would_change"]

_STEPS = 12  # of a bisection
_FARTHER = 2.0  # half-widths of an interval: Holm's correction for 24 tests and five parents needs 1.6


def with_more_parents(rows: Sequence[Row], times: int = 4) -> list[Row]:
    """The rows as if each had more parents like its own: every parent counts several times.

    A projection, not a measurement: means stay as they are, and intervals become narrower by about the root of `times`.

    Args:
        rows: as measured.
        times: how often each parent counts.
    """
    return [
        replace(row, found=row.found.isel(parent=np.tile(np.arange(row.found.sizes["parent"]), times))) for row in rows
    ]


def bound_for_all(claim: GeneralClaim, rows: Sequence[Row]) -> float:
    """The strictest bound with which a claim holds for every row whose statistic has an interval.

    Of a claim with two bounds, -b and b, it is b. Verdicts are corrected as in `recipe_verdicts.judge`, so the bound
    lies between the ends of uncorrected intervals and those with Bonferroni's correction; found by bisection.

    Returns:
        In the unit of the claim, rounded to two digits on the side where the claim holds; NaN where there is no such
        bound, or no row with an interval.

    >>> import xarray as xr
    >>> barriers = xr.Dataset({"barrier": ("parent", np.arange(10.0))})
    >>> claim = GeneralClaim("high", "", 2, "", "points", (Rule("above", 7.0),), lambda found: found.barrier)
    >>> bound_for_all(claim, [Row("mlp_relu", "mnist1d", barriers)])  # the 95 % interval begins at 2.33
    2.3
    """
    known = [verdict for verdict in judge(claim, rows) if not math.isnan(verdict.low)]
    if not known:
        return math.nan
    chosen = [verdict.row for verdict in known]

    def holds(bound: float) -> bool:
        changed = replace(claim, rules=_with_bound(claim.rules, bound))
        return count(judge(changed, chosen))["holds"] == len(chosen)

    strict, loose = _bracket(claim.rules, known)
    if isinstance(claim.statistic(chosen[0].found), Correlation):
        loose = max(loose, -1.0)
    if not holds(loose):
        return math.nan
    for _ in range(_STEPS):
        middle = (strict + loose) / 2
        strict, loose = (strict, middle) if holds(middle) else (middle, loose)
    return _rounded(loose, up=loose > strict)


def decided_by_more_parents(claim: GeneralClaim, rows: Sequence[Row], times: int = 4) -> int:
    """How many verdicts, of those that cannot tell, would be decided; see `with_more_parents`."""
    now, later = (count(judge(claim, each))["cannot tell"] for each in (rows, with_more_parents(rows, times)))
    return now - later


def what_would_change(claim: GeneralClaim, rows: Sequence[Row]) -> str:
    """For which rows a claim fails, with which bound it would hold for all, and what more parents would decide.

    Returns:
        Sentences in Markdown.
    """
    verdicts = judge(claim, rows)
    unknown, decided = count(verdicts)["cannot tell"], decided_by_more_parents(claim, rows)
    more = f"Four times as many parents would decide {decided} of {unknown} open verdicts."
    everywhere = count(verdicts)["holds"] == len(verdicts)
    said = [_failing(verdicts), _other_bound(claim, bound_for_all(claim, rows), everywhere), more if unknown else ""]
    return " ".join(filter(None, said))


def _failing(verdicts: Sequence[Verdict]) -> str:
    places = []
    for data, name in DATA.items():
        of_data = [verdict for verdict in verdicts if verdict.row.data == data]
        failing = [RECIPES[verdict.row.recipe] for verdict in of_data if verdict.outcome == "fails"]
        whole = f"all {len(of_data)}" if len(failing) == len(of_data) else "; ".join(failing)
        places += [f"on {name} ({whole})"] if failing else []
    return f"Fails {', '.join(places)}." if places else ""


def _other_bound(claim: GeneralClaim, bound: float, everywhere: bool) -> str:
    """Where a claim would just hold for all rows."""
    old = claim.rules[-1].bound
    if math.isnan(bound):
        return ""
    if len(claim.rules) == 1 and claim.rules[0].upwards and bound <= 0 < old:
        return "No positive bound makes it hold for all."
    space = "" if claim.unit == "%" else "\N{NO-BREAK SPACE}"
    new, instead = (f"{'±' if len(claim.rules) > 1 else ''}{float(f'{each:.2g}'):g}" for each in (bound, old))
    moved = f"with a bound of {new}{space}{claim.unit}".rstrip() + f" instead of {instead}"
    return f"{'It holds for all even' if everywhere else 'It would hold for all'} {moved}.".replace(
        "-", "\N{MINUS SIGN}"
    )


def _with_bound(rules: Sequence[Rule], bound: float) -> tuple[Rule, ...]:
    if len(rules) == 1:
        return (replace(rules[0], bound=bound),)
    return tuple(replace(rule, bound=-bound if rule.upwards else bound) for rule in rules)


def _bracket(rules: Sequence[Rule], known: Sequence[Verdict]) -> tuple[float, float]:
    """A bound at which uncorrected intervals just hold, and one that is loose enough for any correction."""
    low, high = (np.array([getattr(each, end) for each in known]) for end in ("low", "high"))
    margin = _FARTHER * (high - low) / 2
    if len(rules) > 1:
        away = np.maximum(abs(low), abs(high))
        return float(away.max()), float((away + margin).max())
    if rules[0].upwards:
        return float(low.min()), float((low - margin).min())
    return float(high.max()), float((high + margin).max())


def _rounded(value: float, *, up: bool) -> float:
    """To two digits, upwards or downwards."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    steps = math.ceil(value / unit) if up else math.floor(value / unit)
    return float(f"{steps * unit:.2g}")
