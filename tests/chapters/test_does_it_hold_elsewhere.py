"""Verdicts on several recipes: decided by the rules, corrected for their number; controls; the stored tables."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from lmc_utils.chapters import does_it_hold_elsewhere as chapter
from lmc_utils.chapters import negative_controls, recipe_verdicts
from lmc_utils.chapters.claims_elsewhere import CLAIMS, GeneralClaim
from lmc_utils.chapters.one_recipe import FORKS, RecipeExperiment
from lmc_utils.chapters.verdict_sensitivity import what_would_change
from lmc_utils.measure.claims import Rule
from lmc_utils.settings import ParameterError

NAMED = {claim.name: claim for claim in CLAIMS}


def row(
    *barriers: float, recipe: str = "mlp_relu", activation: str = "relu", spread: float = 0.1
) -> recipe_verdicts.Row:
    """Ten parents whose error barriers of the three forks are near these."""
    noise = spread * np.linspace(-1, 1, 10)
    values = np.array(barriers)[:, None] + noise
    found = xr.Dataset({"error_barrier": (("fork", "parent"), values)}, {"fork": [*FORKS], "parent": range(10)})
    return recipe_verdicts.Row(recipe, "mnist1d", found, activation)


@pytest.mark.parametrize(
    ("name", "barriers", "outcome"),
    [
        ("early_unstable", (40, 20, 0), "holds"),
        ("early_unstable", (1, 1, 0), "fails"),
        ("early_unstable", (2, 1, 0), "cannot tell"),
        ("late_stable", (40, 20, 0), "holds"),
        ("late_stable", (40, 20, 5), "fails"),
        ("barrier_falls", (0, 1, 5), "fails"),
    ],
)
def test_a_verdict_follows_the_rule(name: str, barriers: tuple[float, ...], outcome: str) -> None:
    (found,) = recipe_verdicts.judge(NAMED[name], [row(*barriers)])
    assert found.outcome == outcome


def test_verdicts_are_corrected_for_the_number_of_recipes() -> None:
    claim = GeneralClaim("x", "", 2, "", "", (Rule("above", 0.0),), lambda found: found.error_barrier.sel(fork="late"))
    weak = row(0, 0, 0.05, spread=0.1)  # its interval is above zero, but not by much
    alone, *_ = recipe_verdicts.judge(claim, [weak])
    assert alone.low > 0
    assert alone.outcome == "holds"
    among_many, *others = recipe_verdicts.judge(claim, [weak, *[row(0, 0, 0)] * 23])
    assert (among_many.low, among_many.outcome) == (alone.low, "cannot tell")
    assert {each.outcome for each in others} == {"cannot tell"}


def test_a_claim_with_two_bounds_needs_both_and_fails_beyond_either() -> None:
    claim = GeneralClaim(
        "x",
        "",
        2,
        "",
        "",
        (Rule("above", -1.0), Rule("below", 1.0)),
        lambda found: found.error_barrier.sel(fork="late"),
    )
    between, above, below, across = (recipe_verdicts.judge(claim, [row(0, 0, late)])[0] for late in (0, 3, -3, 1))
    outcomes = [each.outcome for each in (between, above, below, across)]
    assert outcomes == ["holds", "fails", "fails", "cannot tell"]


def test_an_unknown_statistic_is_no_test_and_does_not_count() -> None:
    claim, barely = NAMED["early_unstable"], row(1.93, 0, 0)
    (alone,) = recipe_verdicts.judge(claim, [barely])
    assert alone.outcome == "fails"
    among_unknown, *others = recipe_verdicts.judge(claim, [barely, *[row(np.nan, 0, 0)] * 23])
    assert among_unknown.outcome == "fails"
    assert all(np.isnan([each.meets, each.breaks]).all() and each.outcome == "cannot tell" for each in others)


def test_false_verdicts_are_as_rare_as_holms_procedure_says() -> None:
    random = np.random.default_rng(0)
    claim = GeneralClaim("x", "", 2, "", "", (Rule("above", 0.0),), lambda found: found.error_barrier.sel(fork="late"))

    def null() -> recipe_verdicts.Row:
        values = random.standard_normal((3, 10))
        return recipe_verdicts.Row(
            "mlp_relu",
            "mnist1d",
            xr.Dataset({"error_barrier": (("fork", "parent"), values)}).assign_coords(fork=[*FORKS]),
        )

    wrong = sum(
        any(each.outcome == "holds" for each in recipe_verdicts.judge(claim, [null() for _ in range(8)]))
        for _ in range(400)
    )
    assert stats.binomtest(wrong, 400, 0.025, alternative="greater").pvalue > 1e-3


def test_a_claim_about_smooth_networks_is_tested_on_those_only() -> None:
    rows = recipe_verdicts.measured()
    assert {each.row.activation for each in recipe_verdicts.judge(NAMED["no_kinks"], rows)} == {"gelu"}
    assert {each.row.activation for each in recipe_verdicts.judge(NAMED["kinks"], rows)} == {"relu"}


def test_the_books_tables_hold_all_that_the_claims_need() -> None:
    rows = recipe_verdicts.measured()
    assert (len(rows), len({each.recipe for each in rows}), len({each.data for each in rows})) == (24, 8, 3)
    for claim in CLAIMS:
        for verdict in recipe_verdicts.judge(claim, rows):
            correlation = claim.name.startswith("formula_ranks") or claim.name == "formula_beyond_distance"
            few = verdict.row.found.sizes["parent"] < 10
            missing = np.isnan(verdict.low) and not (correlation and few)
            assert not missing or claim.name in (
                "formula_magnitude",
                "kinks",
                "no_kinks",
                "alignment_falls",
                "late_alignment_low",
                "formula_ranks_layers",
            ), (claim.name, verdict.row.name)
    table = chapter.as_table({claim.name: recipe_verdicts.judge(claim, rows) for claim in CLAIMS}, rows)
    assert set(np.unique(table.outcome)) == {"", "holds", "fails", "cannot tell"}
    assert len(chapter.described(table)) == len(CLAIMS)
    counts = chapter.numbers({claim.name: recipe_verdicts.judge(claim, rows) for claim in CLAIMS})
    assert counts["of"]["all"] == counts["holds"]["all"] + counts["fails"]["all"] + counts["unknown"]["all"]


def test_the_table_of_verdicts_counts_cases_with_an_interval() -> None:
    rows = [row(40, 20, 0), row(40, 20, 5, recipe="mlp_deep"), row(40, 20, np.nan, recipe="cnn")]
    change = what_would_change(NAMED["late_stable"], rows)
    head, _, line = chapter.verdict_table([change]).splitlines()
    assert head.split(" | ")[1:] == ["MNIST-1D", "digits", "Fashion-MNIST |"]
    assert line.endswith("Four times as many parents would not decide the open verdict.</span> | 1 of 2 |  |  |")
    assert "Fails on MNIST-1D (deep MLP)." in line
    judged = {"late_stable": list(change.verdicts)}
    assert chapter.numbers(judged)["tested"] == {"late_stable": 2, "all": 2}
    assert chapter.numbers_of_changes([change])["decided"] == {"holds": 0, "fails": 0, "all": 0}


def test_numbers_of_rows_are_those_of_the_rows() -> None:
    rows = recipe_verdicts.measured()
    found = chapter.numbers_of_rows(rows)
    gone = [each.found.error_barrier.sel(fork="first") - each.found.aligned_barrier for each in rows]
    assert found["unchanged_by_alignment"] == sum(float(abs(each).max()) == 0 for each in gone)
    digits = [float(each.found.test_error.sel(fork="late").mean()) for each in rows if each.data == "digits"]
    assert found["test_error"]["digits"] == {"lowest": min(digits), "highest": max(digits)}


def test_no_curve_of_the_books_tables_diverged() -> None:
    """The claim on curves leaves out parents without a number, so one that diverged would not be seen."""
    for each in recipe_verdicts.measured():
        assert np.isfinite(each.found.curve_barrier).sum() == min(5, each.found.sizes["parent"]), each.name


def test_shuffled_forks_keep_the_values_of_each_parent() -> None:
    before = row(40, 20, 0)
    after = recipe_verdicts.shuffled(before, seed=1)
    assert not after.found.equals(before.found)
    assert np.array_equal(np.sort(after.found.error_barrier, 0), np.sort(before.found.error_barrier, 0))


def test_copies_have_no_barrier_to_the_bit() -> None:
    assert negative_controls.barrier_between_copies() == 0.0


def test_the_interval_covers_the_mean_of_a_normal_population() -> None:
    found = negative_controls.coverage_of_means(4000, seed=1).sel(shape="normal")
    assert abs(found - 0.95).max() < 0.015


@pytest.mark.parametrize("forks", [(0, 15), (0, 2, 40), (0, 1, 2, 15)])
def test_a_recipe_has_three_forks_before_the_end(forks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^fork_epochs must be three epochs before the end"):
        RecipeExperiment(fork_epochs=forks)


@pytest.mark.parametrize("wrong", [{"siblings": 3}, {"parents": 1}, {"batchnorm": "keep"}])
def test_a_recipe_that_cannot_be_measured_is_rejected_before_training(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"^{next(iter(wrong))} must be "):
        RecipeExperiment(**wrong)
