"""Claims that evidence decides by a rule fixed in the source: holds, fails or cannot tell."""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from lmc_utils.measure.statistics import bounds
from lmc_utils.running.quoted_numbers import typeset

Outcome = Literal["fails", "cannot tell", "holds"]
_WORST_FIRST: tuple[Outcome, ...] = ("fails", "cannot tell", "holds")
_NO_EVIDENCE = "This run has no such networks"
_COMPARISONS = {"above": operator.gt, "at least": operator.ge, "below": operator.lt, "at most": operator.le}


@dataclass(frozen=True)
class Rule:
    """A bound, and the side of it on which numbers must lie.

    >>> rule = Rule("above", 0.0)
    >>> rule.judge(0.5, 2.0), rule.judge(-1.0, 0.0), rule.judge(-0.5, 2.0), rule.judge(float("nan"))
    ('holds', 'fails', 'cannot tell', 'cannot tell')
    """

    side: Literal["above", "at least", "below", "at most"]
    bound: float

    @property
    def upwards(self) -> bool:
        """Whether larger numbers meet it."""
        return self.side in ("above", "at least")

    def judge(self, *numbers: float) -> Outcome:
        """Holds if all numbers lie on this side, fails if none does; cannot tell if they differ or are NaN."""
        met = {bool(_COMPARISONS[self.side](number, self.bound)) for number in numbers}
        if len(met) != 1 or any(map(math.isnan, numbers)):
            return "cannot tell"
        return "holds" if met == {True} else "fails"

    def distance(self, number: float) -> float:
        """How far a number lies on this side of the bound, negative on the other side."""
        return number - self.bound if self.upwards else self.bound - number


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its 95 % interval (NaN without an interval)."""

    label: str
    estimate: float
    low: float
    high: float
    unit: str = ""

    def judge(self, rule: Rule) -> Outcome:
        """Holds where the whole interval meets the rule, fails where no part of it does, otherwise cannot tell."""
        return rule.judge(self.low, self.high)

    def margin(self, rule: Rule) -> float:
        """Distance of the worse end from the bound, negative outside the rule; minus infinity without an interval."""
        distances = [rule.distance(self.low), rule.distance(self.high)]
        return -math.inf if any(map(math.isnan, distances)) else min(distances)

    def describe(self, rule: Rule) -> str:
        """The numbers, with enough digits to check them against the rule."""
        estimate, low, high = _printed((self.estimate, self.low, self.high), rule.bound)
        if math.isnan(self.low + self.high):
            return f"{estimate} {self.unit}".rstrip() + ", no interval"
        return f"{estimate} {self.unit}".rstrip() + f" [{low}, {high}]"

    def required(self, rule: Rule) -> str:
        """The requirement of the rule, in words."""
        return f"95 % interval {_in_words(rule, self.unit)}"


@dataclass(frozen=True)
class Cases:
    """Numbers each of which must meet a rule, such as one for each network; no inference beyond these networks."""

    label: str
    values: tuple[float, ...]
    unit: str = ""

    def judge(self, rule: Rule) -> Outcome:
        """Holds where every number meets the rule, fails where any does not, otherwise (NaN, or none) cannot tell."""
        return combine(rule.judge(value) for value in self.values)

    def margin(self, rule: Rule) -> float:
        """Distance of the worst number from the bound, negative outside the rule; minus infinity where any is NaN."""
        distances = [rule.distance(value) for value in self.values]
        return -math.inf if any(map(math.isnan, distances)) else min(distances, default=-math.inf)

    def describe(self, rule: Rule) -> str:
        """How many numbers meet the rule, and their range, with enough digits to check them against the rule."""
        known = [value for value in self.values if not math.isnan(value)]
        met = sum(rule.judge(value) == "holds" for value in known)
        counted = f"{met} of {len(self.values)}"
        if not known:
            return counted
        ends = dict.fromkeys(_printed((min(known), max(known)), rule.bound))
        return f"{counted} ({' to '.join(ends)} {self.unit}".rstrip() + ")"

    def required(self, rule: Rule) -> str:
        """The requirement of the rule, in words."""
        return f"one {_in_words(rule, self.unit)}"


Evidence = Interval | Cases
Requirement = tuple[Rule, tuple[Evidence, ...]]


@dataclass(frozen=True)
class Claim:
    """A statement and its requirements: rules, each with the evidence that must meet it.

    >>> flanks = Cases("flanks that fall", (0.2, 0.04), "nats")
    >>> claim = Claim("The loss falls on every flank.", ((Rule("above", 0.0), (flanks,)),))
    >>> claim.outcome, claim.reason
    ('holds', 'flanks that fall: 2 of 2 (0.040 to 0.200 nats). Required: every one above 0.0 nats.')
    >>> claim.decisive
    'flanks that fall: 2 of 2 (0.040 to 0.200 nats)'
    """

    statement: str
    requirements: tuple[Requirement, ...]

    @property
    def outcome(self) -> Outcome:
        """Holds where all evidence meets its rule, fails where any piece breaks it, otherwise cannot tell."""
        return combine(combine(piece.judge(rule) for piece in pieces) for rule, pieces in self.requirements)

    @property
    def decisive(self) -> str:
        """The piece of evidence that decides the outcome, with its numbers.

        Among the pieces with the worst outcome, the one furthest outside its rule, or least far inside.
        """
        everything = [(rule, piece) for rule, pieces in self.requirements for piece in pieces]
        rule, piece = min(everything, key=lambda each: _badness(*each), default=(None, None))
        if rule is None or piece is None or piece.judge(rule) != self.outcome:
            return _NO_EVIDENCE
        return f"{piece.label}: {piece.describe(rule)}"

    @property
    def reason(self) -> str:
        """Every piece of evidence with its numbers and requirement; with outcomes where they differ."""
        return " ".join(_reason(rule, pieces) for rule, pieces in self.requirements)


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """Fails where any fails, holds where all hold, otherwise (or where there are none) cannot tell.

    >>> combine(["holds", "cannot tell"]), combine(["holds", "cannot tell", "fails"]), combine([])
    ('cannot tell', 'fails', 'cannot tell')
    """
    return min(outcomes, key=_WORST_FIRST.index, default="cannot tell")


def intervals(values: xr.DataArray, unit: str, *, label: str = "") -> tuple[Interval, ...]:
    """Means over parents with t intervals, see `statistics.bounds`: one for each element of the other dimensions.

    Args:
        values: dimensions parent and pair, and any others.
        unit: of the values.
        label: a common label, before the labels of the other dimensions; fork_epoch is called fork.

    >>> heights = xr.DataArray([[[1.0], [2.0], [3.0]]], {"fork_epoch": [4]}, ["fork_epoch", "parent", "pair"])
    >>> [(each.label, each.estimate, round(each.low, 2)) for each in intervals(heights, "points")]
    [('fork 4', 2.0, -0.48)]
    """
    others = [dim for dim in values.dims if dim not in ("parent", "pair")]
    means = values.mean("pair", skipna=False).mean("parent", skipna=False).transpose(*others)
    ends = bounds(values).transpose(*others, "bound")
    result = []
    for place in np.ndindex(means.shape):
        at = dict(zip(others, place, strict=True))
        words = [f"{str(dim).removesuffix('_epoch')} {means[dim].values[at[dim]]}" for dim in others]
        low, high = map(float, ends[at].values)
        result.append(Interval(", ".join(filter(None, [label, *words])), float(means[at]), low, high, unit))
    return tuple(result)


def weakest(rule: Rule, pieces: Collection[Interval]) -> Interval:
    """The piece that decides whether all meet a rule: among those with the worst outcome, the furthest outside it."""
    return min(pieces, key=lambda piece: _badness(rule, piece))


def strongest(rule: Rule, pieces: Collection[Interval]) -> Interval:
    """The piece that decides whether any meets a rule: among those with the best outcome, the furthest inside it."""
    return max(pieces, key=lambda piece: _badness(rule, piece))


def _badness(rule: Rule, piece: Evidence) -> tuple[int, float]:
    """Sort key of evidence, from the worst for a claim to the best."""
    return _WORST_FIRST.index(piece.judge(rule)), piece.margin(rule)


def _reason(rule: Rule, pieces: tuple[Evidence, ...]) -> str:
    if not pieces:
        return f"{_NO_EVIDENCE}."
    outcomes = [piece.judge(rule) for piece in pieces]
    said = [
        f"{piece.label}: {piece.describe(rule)}" + (f" ({outcome})" if len(set(outcomes)) > 1 else "")
        for piece, outcome in zip(pieces, outcomes, strict=True)
    ]
    required = (
        f"{'the' if len(pieces) == 1 and isinstance(pieces[0], Interval) else 'every'} {pieces[0].required(rule)}"
    )
    return f"{'; '.join(said)}. Required: {required}."


def _in_words(rule: Rule, unit: str) -> str:
    return f"{rule.side} {typeset(repr(float(rule.bound)))} {unit}".rstrip()


def _printed(numbers: tuple[float, ...], bound: float) -> list[str]:
    """Format numbers with three digits of the largest, or as many as keep each on its side of the bound.

    >>> _printed((1.9996, 2.0, 0.5), 2.0)
    ['1.9996', '2.00', '0.50']
    """
    largest = max((abs(each) for each in numbers if math.isfinite(each)), default=0.0)
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest else 0

    def printed(number: float) -> str:
        forms = [f".{decimals}f", *(f".{digits}g" for digits in range(3, 17)), ".17g"]
        texts = (format(number + 0.0, form) for form in forms)
        side = number > bound, number < bound
        return next(text for text in texts if math.isnan(number) or (float(text) > bound, float(text) < bound) == side)

    return ["not measured" if math.isnan(each) else typeset(printed(each)) for each in numbers]
