"""What would change verdicts: another bound, found anew by trying bounds one by one, and more parents."""

import numpy as np
import pytest
import xarray as xr

from lmc_utils.chapters import recipe_verdicts
from lmc_utils.chapters.claims_elsewhere import CLAIMS, GeneralClaim
from lmc_utils.chapters.one_recipe import FORKS
from lmc_utils.chapters.recipe_verdicts import Row
from lmc_utils.chapters.verdict_sensitivity import bound_for_all, what_would_change
from lmc_utils.measure.claims import Rule
from lmc_utils.measure.statistics import correlation


def row(mean: float, recipe: str = "mlp_relu", parents: int = 10) -> Row:
    return Row(recipe, "digits", xr.Dataset({"value": ("parent", mean + np.linspace(-1, 1, parents))}))


def claim(*rules: Rule, unit: str = "points") -> GeneralClaim:
    return GeneralClaim("x", "It is so.", 2, "barrier", unit, rules, lambda found: found.value)


ROWS = [row(mean, parents=parents) for mean, parents in [(1.0, 5), (2.0, 10), (0.4, 10), (3.0, 5)]]
RANKS = (Rule("above", 0.9),)


def correlated(noise: float, parents: int) -> Row:
    random = np.random.default_rng(parents)
    truth = random.standard_normal((3, parents))
    values = {"truth": truth, "guess": truth + noise * random.standard_normal(truth.shape)}
    found = {name: (("fork", "parent"), each) for name, each in values.items()}
    return Row("mlp_relu", "digits", xr.Dataset(found, {"fork": [*FORKS], "parent": range(parents)}))


def ranked(*rules: Rule) -> GeneralClaim:
    return GeneralClaim("r", "", 3, "correlation", "", rules, lambda found: correlation(found.guess, found.truth))


def everywhere(*rules: Rule) -> bool:
    return {each.outcome for each in recipe_verdicts.judge(claim(*rules), ROWS)} == {"holds"}


def said(rules: tuple[Rule, ...], rows: list[Row], unit: str = "points") -> str:
    return what_would_change(claim(*rules, unit=unit), rows).sentences().replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("old", [-9.0, 0.0, 9.0])
def test_the_bound_is_the_strictest_of_two_digits_with_which_the_claim_holds_everywhere(old: float) -> None:
    above = max(each for each in np.arange(-300, 300) / 100 if everywhere(Rule("above", each)))
    below = min(each for each in np.arange(0, 60) / 10 if everywhere(Rule("below", each)))
    assert bound_for_all(claim(Rule("above", old)), ROWS) == pytest.approx(above)
    assert bound_for_all(claim(Rule("below", old)), ROWS) == pytest.approx(below)


def test_a_claim_with_two_bounds_has_one_at_the_same_distance_on_both_sides() -> None:
    between = min(each for each in np.arange(0, 60) / 10 if everywhere(Rule("above", -each), Rule("below", each)))
    assert bound_for_all(claim(Rule("above", -0.5), Rule("below", 0.5)), ROWS) == pytest.approx(between)


def test_the_bound_of_a_correlation_is_the_end_of_its_interval() -> None:
    strong = correlated(0.5, 12)
    low = correlation(strong.found.guess, strong.found.truth).low
    assert low - 0.011 < bound_for_all(ranked(*RANKS), [strong]) <= low
    assert -1 <= bound_for_all(ranked(*RANKS), [correlated(3.0, 10), correlated(3.0, 11)]) < 0.5


def test_rows_without_an_interval_do_not_count_and_alone_give_no_bound() -> None:
    unknown, above = row(np.nan), claim(Rule("above", 0.0))
    assert bound_for_all(above, [*ROWS, unknown]) == bound_for_all(above, ROWS)
    assert np.isnan(bound_for_all(above, [unknown]))
    assert said(above.rules, [row(2.0), unknown]) == (
        "It holds for the 1 that have an interval even with a bound of 1.5 points instead of 0. "
        "Four times as many parents would not decide the open verdict."
    )


def test_too_few_parents_for_an_interval_are_not_made_enough_by_counting_them_four_times() -> None:
    change = what_would_change(ranked(Rule("above", 0.0)), [correlated(0.1, 5)])
    assert change.decided.total() == 0
    assert np.isnan(change.bound)


def test_more_parents_decide_open_verdicts_and_change_no_other() -> None:
    rows = [row(0.4), row(2.0), row(-2.0), row(0.0), row(-0.4)]
    now = [each.outcome for each in recipe_verdicts.judge(claim(Rule("above", 0.0)), rows)]
    assert now == ["cannot tell", "holds", "fails", "cannot tell", "cannot tell"]
    assert what_would_change(claim(Rule("above", 0.0)), rows).decided == {"holds": 1, "fails": 1}


@pytest.mark.parametrize(
    ("rules", "rows", "words"),
    [
        (
            (Rule("above", 0.5),),
            [row(2.0)],
            "It holds for all 1 even with a bound of 1.5 points instead of 0.5.",
        ),
        (
            (Rule("below", 1.0),),
            [row(0.0), row(2.0, "cnn")],
            "Fails on the digits (CNN). It would hold for all 2 with a bound of 2.5 points instead of 1 "
            "(farthest out: CNN, digits).",
        ),
        (
            (Rule("at least", 1.0),),
            [row(-1.0), row(-2.0)],
            "Fails on the digits (all 2). No positive bound makes it hold for all 2.",
        ),
        (
            (Rule("above", 0.0),),
            [row(0.4), row(1.0, "cnn")],  # 0.4 less 2.26 standard errors of 0.213 is -0.081
            "For all 2 one can only say: barrier above \N{MINUS SIGN}0.082 points (farthest out: MLP, ReLU, digits). "
            "Four times as many parents would decide the open verdict.",
        ),
    ],
)
def test_the_sentences_follow_from_the_rows(rules: tuple[Rule, ...], rows: list[Row], words: str) -> None:
    assert said(rules, rows) == words


def test_doublings_are_factors() -> None:
    both = (Rule("above", -1.0), Rule("below", 1.0))
    assert "with a bound of a factor of 2.83 instead of 2" in said(both, [row(1.0)], "doublings")


@pytest.mark.parametrize("one", CLAIMS, ids=lambda claim: claim.name)
def test_the_claims_of_the_book_hold_everywhere_with_the_bounds_that_are_named(one: GeneralClaim) -> None:
    rows = recipe_verdicts.measured()
    bound = bound_for_all(one, rows)
    slack = 0.11 * abs(bound) + 1e-9  # two digits

    def outcomes(bound: float) -> set[str]:
        rules = [Rule(rule.side, -bound if len(one.rules) > 1 and rule.upwards else bound) for rule in one.rules]
        changed = GeneralClaim("x", "", 2, "", "", tuple(rules), one.statistic, one.activations)
        return {each.outcome for each in recipe_verdicts.judge(changed, rows) if not np.isnan(each.low)}

    stricter = bound + slack if len(one.rules) == 1 and one.rules[0].upwards else bound - slack
    assert outcomes(bound) == {"holds"} != outcomes(stricter)
