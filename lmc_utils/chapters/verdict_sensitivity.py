"""What would change the verdicts on other recipes: another bound, or more parents."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmc_utils.chapters.claims_elsewhere import GeneralClaim
from lmc_utils.chapters.recipe_verdicts import DATA, RECIPES, Row, Verdict, corrected, count, judge, uncorrected
from lmc_utils.measure.claims import Outcome, Rule
from lmc_utils.measure.statistics import Correlation

__all__ = ["Change", "bound_for_all", "what_would_change"]

MORE = 4  # times as many parents; the sentences say "four"
_STEPS = 12  # of a bisection
_FARTHER = 2.0  # half-widths of an interval: Holm's correction for 24 tests and five parents needs 1.6
_LIMIT = 1 - 1e-6  # of a correlation


@dataclass(frozen=True)
class Change:
    """What would change the verdicts of a claim.

    Attributes:
        claim: that is tested.
        verdicts: as they are.
        bound: the strictest one with which it would hold for every row that has an interval, see `bound_for_all`.
        decided: how many open verdicts `MORE` times as many parents would decide, by outcome, if all means and standard
            deviations stayed the same; rows without an interval stay open.
    """

    claim: GeneralClaim
    verdicts: tuple[Verdict, ...]
    bound: float
    decided: Counter[Outcome]

    def sentences(self) -> str:
        """Where the claim fails, the bound, and what more parents would decide, in Markdown."""
        return " ".join(filter(None, [self._failing(), self._other_bound(), self._more_parents()]))

    def _failing(self) -> str:
        places = []
        for data, name in DATA.items():
            of_data = [verdict for verdict in self.verdicts if verdict.row.data == data]
            failing = [RECIPES[verdict.row.recipe] for verdict in of_data if verdict.outcome == "fails"]
            every = len(failing) == len(of_data) > 1
            places += (
                [f"on {'the ' * (data == 'digits')}{name} ({f'all {len(of_data)}' if every else '; '.join(failing)})"]
                if failing
                else []
            )
        return f"Fails {', '.join(places)}." if places else ""

    def _other_bound(self) -> str:
        if math.isnan(self.bound):
            return ""
        known = _with_interval(self.verdicts)
        everywhere = count(known)["holds"] == len(known)
        which = f"all {len(known)}" if len(known) == len(self.verdicts) else f"the {len(known)} that have an interval"
        rule = self.claim.rules[-1]
        if rule.upwards and self.bound <= 0 < rule.bound:
            return f"No positive bound makes it hold for {which}."
        new, old = (self._number(bound) for bound in (self.bound, rule.bound))
        unit = {"doublings": "", "": "", "%": "%"}.get(self.claim.unit, f"\N{NO-BREAK SPACE}{self.claim.unit}")
        new = f"{'a factor of ' * (self.claim.unit == 'doublings')}{new}{unit}"
        farthest = min(known, key=lambda verdict: _strictest(self.claim.rules, verdict)).row.name
        if everywhere:
            return f"It holds for {which} even with a bound of {new} instead of {old}."
        if rule.bound == 0:  # beyond zero it would be nearly the opposite claim
            side = "above" if rule.upwards else "below"
            return f"For {which} one can only say: {self.claim.quantity} {side} {new} (farthest out: {farthest})."
        return f"It would hold for {which} with a bound of {new} instead of {old} (farthest out: {farthest})."

    def _number(self, bound: float) -> str:
        """Doublings as a factor, and two bounds at the same distance from zero as one."""
        if self.claim.unit == "doublings":
            return f"{2**bound:.3g}"
        sign = "±" if len(self.claim.rules) > 1 else ""
        return f"{sign}{float(f'{bound:.2g}'):g}".replace("-", "\N{MINUS SIGN}")

    def _more_parents(self) -> str:
        unknown, decided = count(self.verdicts)["cannot tell"], self.decided.total()
        if not unknown:
            return ""
        if unknown == 1:
            return f"Four times as many parents would {'decide the' if decided else 'not decide the'} open verdict."
        part = {0: "none of the ", unknown: "all "}.get(decided, f"{decided} of the ")
        return f"Four times as many parents would decide {part}{unknown} open verdicts."


def what_would_change(claim: GeneralClaim, rows: Sequence[Row]) -> Change:
    """What would change the verdicts of a claim on rows."""
    now, later = judge(claim, rows), judge(claim, rows, MORE)
    decided = [new.outcome for old, new in zip(now, later, strict=True) if old.outcome == "cannot tell"]
    return Change(
        claim, tuple(now), bound_for_all(claim, rows), Counter(each for each in decided if each != "cannot tell")
    )


def bound_for_all(claim: GeneralClaim, rows: Sequence[Row]) -> float:
    """The strictest bound with which a claim holds for every row whose statistic has an interval.

    Of a claim with two bounds, -b and b, it is b. Verdicts are corrected as in `recipe_verdicts.judge`, so the bound
    lies between the ends of uncorrected intervals and those with Bonferroni's correction; found by bisection.

    Returns:
        In the unit of the claim, rounded to two digits on the side where the claim holds; NaN where no row has an
        interval, or a correlation could have any value.

    >>> import xarray as xr
    >>> barriers = xr.Dataset({"barrier": ("parent", np.arange(10.0))})
    >>> claim = GeneralClaim("high", "", 2, "", "points", (Rule("above", 7.0),), lambda found: found.barrier)
    >>> bound_for_all(claim, [Row("mlp_relu", "mnist1d", barriers)])  # the 95 % interval begins at 2.33
    2.3
    """
    known = _with_interval(judge(claim, rows))
    if not known:
        return math.nan
    measured = [(verdict.row, claim.statistic(verdict.row.found)) for verdict in known]
    correlation = isinstance(measured[0][1], Correlation)

    def possible(bound: float) -> float:
        return float(np.clip(bound, -_LIMIT, _LIMIT)) if correlation else bound

    def holds(bound: float) -> bool:
        rules = _with_bound(claim.rules, bound)
        return count(corrected([uncorrected(*each, rules) for each in measured]))["holds"] == len(known)

    strict, loose = _bracket(claim.rules, known)
    loose = possible(loose)
    while not holds(loose):
        if correlation and abs(loose) == _LIMIT:
            return math.nan
        loose = possible(loose + (loose - strict))
    for _ in range(_STEPS):
        middle = (strict + loose) / 2
        strict, loose = (strict, middle) if holds(middle) else (middle, loose)
    return _rounded(loose, up=loose > strict)


def _with_interval(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if not math.isnan(verdict.low)]


def _with_bound(rules: Sequence[Rule], bound: float) -> tuple[Rule, ...]:
    if len(rules) == 1:
        return (replace(rules[0], bound=bound),)
    return tuple(replace(rule, bound=-bound if rule.upwards else bound) for rule in rules)


def _strictest(rules: Sequence[Rule], verdict: Verdict) -> float:
    """The strictest bound that the uncorrected interval meets; larger ones are stricter."""
    if len(rules) > 1:
        return -max(abs(verdict.low), abs(verdict.high))
    return verdict.low if rules[0].upwards else -verdict.high


def _bracket(rules: Sequence[Rule], known: Sequence[Verdict]) -> tuple[float, float]:
    """A bound at which uncorrected intervals just hold, and one that is loose enough for most corrections."""
    strict = min(_strictest(rules, verdict) for verdict in known)
    loose = min(_strictest(rules, verdict) - _FARTHER * (verdict.high - verdict.low) / 2 for verdict in known)
    sign = 1 if len(rules) == 1 and rules[0].upwards else -1
    return sign * strict, sign * min(loose, strict - 1e-9)


def _rounded(value: float, *, up: bool) -> float:
    """To two digits, upwards or downwards."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    steps = round(value / unit, 6)
    return float(f"{(math.ceil(steps) if up else math.floor(steps)) * unit:.2g}")
