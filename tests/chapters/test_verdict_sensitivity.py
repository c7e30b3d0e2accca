"""What would change verdicts: another bound, found anew by trying bounds one by one, and more parents."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from lmc_utils.chapters import recipe_verdicts, verdict_sensitivity
from lmc_utils.chapters.claims_elsewhere import CLAIMS, GeneralClaim
from lmc_utils.chapters.recipe_verdicts import Row
from lmc_utils.measure.claims import Rule


def row(mean: float, recipe: str = "mlp_relu", parents: int = 10) -> Row:
    return Row(recipe, "digits", xr.Dataset({"value": ("parent", mean + np.linspace(-1, 1, parents))}))


def claim(*rules: Rule, unit: str = "points") -> GeneralClaim:
    return GeneralClaim("x", "It is so.", 2, "", unit, rules, lambda found: found.value)


ROWS = [row(mean, parents=parents) for mean, parents in [(1.0, 5), (2.0, 10), (0.4, 10), (3.0, 5)]]


def everywhere(*rules: Rule) -> bool:
    return {each.outcome for each in recipe_verdicts.judge(claim(*rules), ROWS)} == {"holds"}


@pytest.mark.parametrize("old", [-9.0, 0.0, 9.0])
def test_the_bound_is_the_strictest_of_two_digits_with_which_the_claim_holds_everywhere(old: float) -> None:
    tried = np.arange(-300, 300) / 100
    above = max(each for each in tried if everywhere(Rule("above", each)))
    below = min(each for each in np.arange(0, 60) / 10 if everywhere(Rule("below", each)))
    assert verdict_sensitivity.bound_for_all(claim(Rule("above", old)), ROWS) == pytest.approx(above)
    assert verdict_sensitivity.bound_for_all(claim(Rule("below", old)), ROWS) == pytest.approx(below)


def test_a_claim_with_two_bounds_has_one_at_the_same_distance_on_both_sides() -> None:
    between = min(each for each in np.arange(0, 60) / 10 if everywhere(Rule("above", -each), Rule("below", each)))
    both = claim(Rule("above", -0.5), Rule("below", 0.5))
    assert verdict_sensitivity.bound_for_all(both, ROWS) == pytest.approx(between)


def test_rows_without_an_interval_do_not_count_and_alone_give_no_bound() -> None:
    unknown, above = row(np.nan), claim(Rule("above", 0.0))
    assert verdict_sensitivity.bound_for_all(above, [*ROWS, unknown]) == verdict_sensitivity.bound_for_all(above, ROWS)
    assert np.isnan(verdict_sensitivity.bound_for_all(above, [unknown]))
    assert verdict_sensitivity.what_would_change(above, [unknown]).startswith("Four times")


def test_more_parents_leave_the_mean_and_narrow_the_interval() -> None:
    (more,) = verdict_sensitivity.with_more_parents([row(1.0)], 4)
    before, after = (recipe_verdicts.judge(claim(Rule("above", 0.0)), [each])[0] for each in (row(1.0), more))
    narrower = stats.t.ppf(0.975, 39) / stats.t.ppf(0.975, 9) * np.sqrt(9 / 39)
    assert after.estimate == pytest.approx(before.estimate)
    assert after.high - after.low == pytest.approx((before.high - before.low) * narrower)


@pytest.mark.parametrize(
    ("rules", "rows", "said"),
    [
        ((Rule("above", 0.5),), [row(2.0)], "It holds for all even with a bound of 1.5 points instead of 0.5."),
        (
            (Rule("below", 0.0),),
            [row(0.0), row(2.0, "cnn")],
            "Fails on digits (CNN). It would hold for all with a bound of 2.5 points instead of 0. "
            "Four times as many parents would decide 0 of 1 open verdicts.",
        ),
        (
            (Rule("at least", 1.0),),
            [row(-1.0), row(-2.0)],
            "Fails on digits (all 2). No positive bound makes it hold for all.",
        ),
        (
            (Rule("above", 0.0),),
            [row(0.4)],  # its interval begins at -0.0813
            "It would hold for all with a bound of \N{MINUS SIGN}0.082 points instead of 0. "
            "Four times as many parents would decide 1 of 1 open verdicts.",
        ),
    ],
)
def test_the_sentences_follow_from_the_rows(rules: tuple[Rule, ...], rows: list[Row], said: str) -> None:
    assert verdict_sensitivity.what_would_change(claim(*rules), rows).replace("\N{NO-BREAK SPACE}", " ") == said


def test_the_claims_of_the_book_hold_everywhere_with_the_bounds_that_are_named() -> None:
    rows = recipe_verdicts.measured()
    for one in (each for each in CLAIMS if each.name in ("late_stable", "formula_ranks", "same_trace")):
        bound = verdict_sensitivity.bound_for_all(one, rows)
        rules = [Rule(rule.side, -bound if len(one.rules) > 1 and rule.upwards else bound) for rule in one.rules]
        changed = GeneralClaim("x", "", 2, "", "", tuple(rules), one.statistic)
        assert {each.outcome for each in recipe_verdicts.judge(changed, rows) if not np.isnan(each.low)} == {"holds"}
