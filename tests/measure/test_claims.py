"""The outcome of a claim follows from its numbers, and can be checked from the printed numbers."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st

from lmc_utils.measure.claims import Cases, Claim, Interval, Rule, combine, intervals, strongest, weakest

NAN = float("nan")
ABOVE, AT_LEAST, BELOW, AT_MOST = (Rule(side, 2.0) for side in ("above", "at least", "below", "at most"))  # type: ignore[arg-type]


def between(low: float, high: float, label: str = "fork 0") -> Interval:
    return Interval(label, (low + high) / 2, low, high, "points")


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        (ABOVE, (2.1, 3.0), (1.0, 2.0)),
        (AT_LEAST, (2.0, 3.0), (1.0, 1.9)),
        (BELOW, (1.0, 1.9), (2.0, 3.0)),
        (AT_MOST, (1.0, 2.0), (2.1, 3.0)),
    ],
)
def test_only_whole_intervals_decide(rule: Rule, inside: tuple[float, float], outside: tuple[float, float]) -> None:
    assert between(*inside).judge(rule) == "holds"
    assert between(*outside).judge(rule) == "fails"
    for undecided in ((1.0, 3.0), (NAN, 3.0), (1.0, NAN), (NAN, NAN)):
        assert between(*undecided).judge(rule) == "cannot tell"
    assert between(2.0, 2.0).judge(rule) == ("holds" if rule in (AT_LEAST, AT_MOST) else "fails")


def test_one_case_that_breaks_the_rule_decides() -> None:
    assert Cases("flanks", (2.1, 3.0)).judge(ABOVE) == "holds"
    assert Cases("flanks", (2.1, 2.0)).judge(ABOVE) == "fails"
    assert Cases("flanks", (2.1, NAN)).judge(ABOVE) == "cannot tell"
    assert Cases("flanks", (2.0, NAN)).judge(ABOVE) == "fails"
    assert Cases("flanks", ()).judge(ABOVE) == "cannot tell"


def test_the_worst_piece_of_evidence_decides() -> None:
    far, near, cases = between(3, 4, "far"), between(2.5, 4, "near"), Cases("cases", (2.25, 9.0), "points")

    def decides(*pieces: Interval | Cases) -> str:
        return Claim("x", ((ABOVE, pieces),)).decisive.partition(":")[0]

    assert [decides(far, near), decides(far, near, cases), decides(cases, between(1, 3, "open"))] == [
        "near", "cases", "open",
    ]  # fmt: skip
    assert decides(between(1, 3, "open"), between(0, 1, "bad"), between(-1, 1, "worse")) == "worse"
    assert Claim("x", ((ABOVE, (far,)), (BELOW, ()))).decisive == "This run has no such networks"


def test_a_claim_needs_all_of_its_evidence() -> None:
    good, bad, open_ = between(3, 4, "good"), between(0, 1, "bad"), between(1, 3, "open")

    def outcome(*pieces: Interval) -> str:
        return Claim("x", ((ABOVE, pieces),)).outcome

    assert [outcome(good), outcome(good, open_), outcome(good, open_, bad), outcome()] == [
        "holds", "cannot tell", "fails", "cannot tell",
    ]  # fmt: skip
    assert Claim("x", ((ABOVE, (good,)), (BELOW, (good,)))).outcome == "fails"
    assert Claim("x", ((ABOVE, (good,)), (BELOW, ()))).outcome == "cannot tell", "a part without evidence is open"


def test_intervals_are_students_over_parents() -> None:
    # three parents with means 1, 2 and 3: 2 +- t(0.975, 2) / sqrt(3), and pairs of a parent count as one
    values = xr.DataArray([[0.0, 2.0], [2.0, 2.0], [5.0, 1.0]], dims=["parent", "pair"])
    (found,) = intervals(values, "nats", label="all")
    away = 4.302652729749462 / math.sqrt(3)
    assert found == Interval("all", 2.0, pytest.approx(2 - away), pytest.approx(2 + away), "nats")
    (one,) = intervals(values.isel(parent=[0]), "nats")
    assert (one.estimate, math.isnan(one.low), one.judge(ABOVE)) == (1.0, True, "cannot tell")
    assert one.describe(ABOVE) == "1.00 nats, no interval"
    (hole,) = intervals(values.where(values < 5), "nats")
    assert hole.describe(ABOVE) == "not measured nats, no interval"


def test_each_label_has_its_own_interval() -> None:
    coords = {"fork_epoch": [0, 4], "height": [0.0, 0.5]}
    means = xr.DataArray([[1.0, 2.0], [3.0, 4.0]], coords=coords)
    values = means + xr.DataArray([[-1.0], [1.0]], dims=["parent", "pair"])
    found = {each.label: each.estimate for each in intervals(values.transpose("parent", "height", ...), "nats")}
    assert found == {
        "height 0.0, fork 0": 1, "height 0.0, fork 4": 3, "height 0.5, fork 0": 2, "height 0.5, fork 4": 4
    }  # fmt: skip


@given(st.lists(st.tuples(st.floats(0, 4), st.floats(0, 4)).map(sorted), min_size=1, max_size=5))
def test_the_weakest_and_the_strongest_piece_decide_for_all(ends: list[list[float]]) -> None:
    for rule in (ABOVE, BELOW):
        pieces = [between(*each) for each in [*ends, [NAN, NAN]]]
        outcomes = {piece.judge(rule) for piece in pieces}
        assert weakest(rule, pieces).judge(rule) == combine(outcomes)
        best = next(each for each in ("holds", "cannot tell", "fails") if each in outcomes)
        assert strongest(rule, pieces).judge(rule) == best


def test_of_equal_outcomes_the_nearest_to_the_bound_is_the_weakest() -> None:
    near, far = between(2.5, 9.0, "near"), between(3.0, 4.0, "far")
    assert (weakest(ABOVE, [far, near]), strongest(ABOVE, [far, near])) == (near, far)


@given(
    st.lists(st.floats(-10, 10) | st.sampled_from([NAN, 2.0]), min_size=3, max_size=3).map(sorted),
    st.sampled_from([0.0, 2.0, 0.25]),
    st.sampled_from(["above", "at least", "below", "at most"]),
)
@example([1.9996, 1.9999, 2.0], 2.0, "below")
@example([-1e-9, 0.0, 30.0], 0.0, "above")
@example([2.0, 2.0, 2.0000000000000004], 2.0, "above")
def test_printed_numbers_lead_to_the_same_outcome(numbers: list[float], bound: float, side: str) -> None:
    rule = Rule(side, bound)  # type: ignore[arg-type]
    low, estimate, high = numbers
    piece = Interval("x", estimate, low, high)
    text = _ascii(piece.describe(rule))
    if found := re.search(r"\[(.+), (.+)\]", text):
        assert Interval("x", 0.0, *map(float, found.groups())).judge(rule) == piece.judge(rule), text
    else:
        assert piece.judge(rule) == "cannot tell"
    if not math.isnan(estimate):
        assert rule.judge(float(text.split()[0].rstrip(","))) == rule.judge(estimate), text
    cases = Cases("x", tuple(numbers))
    if not any(map(np.isnan, numbers)):
        counted, range_ = re.fullmatch(r"(\d of 3) \((.+)\)", _ascii(cases.describe(rule))).groups()  # type: ignore[union-attr]
        met = [rule.judge(float(each)) for each in range_.split(" to ")]
        assert (counted == "3 of 3") == (set(met) == {"holds"}) == (cases.judge(rule) == "holds")


def test_the_reason_names_every_piece_and_the_rule() -> None:
    pieces = (between(1.0, 1.9999, "fork 0"), between(-1.0, 38.0, "fork 1"))
    assert Claim("x", ((BELOW, pieces),)).reason == (
        "fork 0: 1.50 points [1.00, 1.9999] (holds); fork 1: 18.5 points [−1.0, 38.0] (cannot tell). "
        "Required: every 95 % interval below 2.0 points."
    )
    assert Claim("x", ((BELOW, pieces[:1]),)).reason.endswith("Required: the 95 % interval below 2.0 points.")
    cases = Cases("transformers", (0.5, 2.0, NAN), "points")
    assert Claim("x", ((BELOW, (cases,)),)).reason == (
        "transformers: 1 of 3 (0.50 to 2.00 points). Required: every one below 2.0 points."
    )
    assert Claim("x", ((BELOW, (Cases("networks", (NAN,)),)),)).reason.startswith("networks: 0 of 1. ")
    assert Claim("x", ((BELOW, ()),)).reason == "This run has no such networks."


def _ascii(text: str) -> str:
    """Numbers as Python reads them."""
    text = text.replace("−", "-")
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    return re.sub(r" × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda power: "e" + power[1].translate(raised), text)
