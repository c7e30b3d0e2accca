"""The recipe explorer: numbers and verdicts are those of the data for each claim and recipe; errors take one line."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr
from playwright.sync_api import Locator, Page
from widget_pages import compute, recipes, show

from lmc_utils.settings import ParameterError
from lmc_utils.widgets import RecipeExplorer

CORRECTED = {  # where the verdict is "cannot tell" although the interval alone decides
    (0, 3): ["No part of the interval is allowed"],
    (1, 0): ["The whole interval is allowed"],
    (2, 0): ["The whole interval is allowed"],
}
MARKS = {"holds": "✓", "fails": "✗", "cannot tell": "?"}


def choose(main: Locator, claim: int, recipe: int | None = None) -> None:
    main.get_by_role("combobox", name="Claim").select_option(index=claim)
    if recipe is not None:
        main.get_by_role("combobox", name="Recipe").select_option(index=recipe)


def chosen(main: Locator) -> str:
    """The recipe in the list, which is also the marked verdict."""
    name: str = main.get_by_role("combobox", name="Recipe").evaluate("one => one.selectedOptions[0].textContent")
    label = main.get_by_role("radio", checked=True).get_attribute("aria-label") or ""
    assert label.startswith(f"{name}: ")
    return name


def table(main: Locator, at: int) -> dict[str, list[str]]:
    rows = main.locator(".lmc-numbers").nth(at).locator("tbody tr").all()
    cells = [[text.replace("−", "-") for text in row.locator("th, td").all_inner_texts()] for row in rows]
    return {name: rest for name, *rest in cells}


def digits(*numbers: float) -> str:
    return " to ".join(f"{float(f'{number:.3g}'):g}" for number in numbers)


def about(statistics: xr.Dataset) -> list[tuple[int, int]]:
    return [(int(claim), int(recipe)) for claim, recipe in np.argwhere(statistics.outcome.values != "")]


def test_the_numbers_of_each_claim_and_recipe_are_those_of_the_data(page: Page) -> None:
    errors, statistics, claims = recipes()
    main = show(page, RecipeExplorer(errors, statistics, claims))
    for claim, recipe in about(statistics):
        choose(main, claim, recipe)
        found = statistics.isel(claim=claim, recipe=recipe)
        shown = table(main, 1)
        interval = digits(float(found.low), float(found.high)) if found.low.notnull() else "–"
        assert shown["estimate"] == [digits(float(found.estimate)) if found.estimate.notnull() else "–"]
        assert shown["95 % interval"] == [interval]
        assert shown["allowed"] == [" and ".join(f"{side} {bound:g}" for side, bound in claims[claim]["rules"])]
        known = found["values"].dropna("parent").values
        circles = main.get_by_role("img", name="Statistic of the claim").locator(".lmc-parent")
        assert circles.count() == len(known)
        if len(known):
            assert shown[f"{len(known)} parents"] == [digits(known.min(), known.max())]
        for fork, line in zip(errors.fork.values, errors.values[recipe], strict=True):
            middle = (line[0] + line[-1]) / 2
            expected = [f"{value:.1f}" for value in (middle, line[2], line[2] - middle)]
            assert table(main, 0)[f"{fork} fork"] == (expected if np.isfinite(line).all() else ["–"] * 3)


def test_the_verdict_is_said_with_its_numbers(page: Page) -> None:
    errors, statistics, claims = recipes()
    main = show(page, RecipeExplorer(errors, statistics, claims, caption="Made-up recipes."))
    words = {"holds": "This holds for", "fails": "This fails for", "cannot tell": "We cannot tell for"}
    for claim, recipe in about(statistics):
        choose(main, claim, recipe)
        found = statistics.isel(claim=claim, recipe=recipe)
        text = main.locator("p[role=status]").inner_text().replace("−", "-")
        start = f"{claims[claim]['statement']} {words[str(found.outcome.values)]} {errors.recipe.values[recipe]}: "
        assert text.startswith(start)
        if found.low.isnull():
            assert text == f"{start}there is no estimate."
            continue
        unit = f" {claims[claim]['unit']}".rstrip()
        interval = digits(float(found.low), float(found.high))
        assert text.startswith(f"{start}{digits(float(found.estimate))}{unit}, 95 % interval {interval}.")
        why = [each for each in ("The whole interval is allowed", "No part of the interval is allowed") if each in text]
        assert why == CORRECTED.get((claim, recipe), [])
    assert "Made-up recipes." in main.inner_text()


def test_the_curves_and_the_dots_are_at_the_values(page: Page) -> None:
    errors, statistics, claims = recipes()
    main = show(page, RecipeExplorer(errors, statistics, claims))
    choose(main, 0, 1)
    lines = main.get_by_role("img", name="Training error along the line").locator(".lmc-train")
    drawn = [line.get_attribute("d") or "" for line in lines.all()]
    heights = [[float(point.split()[1]) for point in each.removeprefix("M").split("L")] for each in drawn]
    assert np.corrcoef(np.ravel(heights), errors.values[1].ravel())[0, 1] == pytest.approx(-1, abs=1e-4), (
        "y points down"
    )
    chart = main.get_by_role("img", name="Statistic of the claim")

    def level(kind: str, name: str) -> list[float]:
        return [float(one.get_attribute(name) or "") for one in chart.locator(kind).all()]

    found = statistics.isel(claim=0, recipe=1)
    values = [*found["values"].values, float(found.estimate), float(found.low), float(found.high), *[2.0] * 2]
    ends = level("line.lmc-estimate", "y1")[1:]  # the caps
    bound = level(".lmc-bound", "y1")
    bottom = level(".lmc-allowed", "y")[0] + level(".lmc-allowed", "height")[0]  # allowed is at least 2
    places = [*level(".lmc-parent", "cy"), *level("circle.lmc-estimate", "cy"), *ends, *bound, bottom]
    assert np.corrcoef(places, values)[0, 1] == pytest.approx(-1, abs=1e-4)


def test_a_verdict_chooses_its_recipe_by_mouse_and_by_key(page: Page) -> None:
    errors, statistics, claims = recipes()
    main = show(page, RecipeExplorer(errors, statistics, claims))
    names = errors.recipe.values.tolist()
    marks = main.locator(".lmc-outcome:visible .lmc-mark")
    assert marks.all_inner_texts() == [MARKS[outcome] for outcome in statistics.outcome.values[0]]
    main.get_by_role("radio", name=f"{names[2]}: cannot tell").click()
    assert chosen(main) == names[2]
    page.keyboard.press("ArrowLeft")
    assert chosen(main) == names[1]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert chosen(main) == names[-1], "arrows go round"
    assert names[-1] in main.locator("p[role=status]").inner_text()
    counts = main.locator(".lmc-key [data-outcome]").all_inner_texts()
    expected = [f"{each}: {(statistics.outcome.values[0] == each).sum()}" for each in MARKS]
    assert [count.split("\n")[-1].lstrip("✓✗? ") for count in counts] == expected
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowUp")
    assert chosen(main) == names[-2]


def test_a_recipe_that_a_claim_is_not_about_is_not_offered_for_it(page: Page) -> None:
    errors, statistics, claims = recipes()
    names = errors.recipe.values.tolist()
    main = show(page, RecipeExplorer(errors, statistics, claims))
    choose(main, 0, 2)
    choose(main, 1)
    assert main.get_by_role("combobox", name="Recipe").locator("option:disabled").all_inner_texts() == [names[2]]
    assert main.get_by_role("radio").count() == 3
    assert chosen(main) == names[0]
    assert main.locator(".lmc-key").first.inner_text().startswith("Verdicts for 3 recipes:")
    choose(main, 0)
    assert chosen(main) == names[2], "the reader's choice, where it is offered again"


def test_missing_values_are_said_and_not_drawn(page: Page) -> None:
    errors, statistics, claims = recipes()
    main = show(page, RecipeExplorer(errors, statistics, claims))
    choose(main, 2, 3)
    assert "there is no estimate" in main.locator("p[role=status]").inner_text()
    lines, chart = main.get_by_role("img").all()
    assert "no values" in chart.inner_html()
    assert chart.locator(".lmc-parent, .lmc-estimate").count() == 0
    assert "not measured" in lines.inner_html()
    assert lines.locator(".lmc-train").count() == 0
    choose(main, 0, 2)
    assert "late fork not measured" in (lines.get_attribute("aria-label") or "")
    assert lines.locator(".lmc-train").count() == 2


def test_a_number_stays_on_its_side_of_a_bound(page: Page) -> None:
    errors, statistics, claims = recipes()
    numbers = {"estimate": 1.9, "low": 1.80004, "high": 1.99964, "outcome": "holds"}
    for name, value in numbers.items():
        statistics[name][1, 0] = value
    claims[1] = claims[1] | {"rules": [["below", 1.99968], ["above", 1.8]]}
    main = show(page, RecipeExplorer(errors, statistics, claims))
    choose(main, 1, 0)
    shown = table(main, 1)
    assert shown["allowed"] == ["below 2 and above 1.8"]
    assert shown["95 % interval"] == ["1.80004 to 1.9996"]


def test_the_scale_has_a_margin_and_the_allowed_range_is_between_the_bounds(page: Page) -> None:
    files = ("chart.js", "recipe_explorer.js")
    for values, ends in [([0, 100], [-9, 109]), ([0, 0], [-1, 1]), ([5], [0, 10])]:
        assert compute(page, *files, expression="aroundValues(values)", values=values) == pytest.approx(ends)
    for rules, ends in [([["above", -1], ["below", 1]], [-1, 1]), ([["at most", 3]], [-np.inf, 3])]:
        assert compute(page, *files, expression="allowedRange(rules)", rules=rules) == ends


def test_long_labels_fit_a_phone(page: Page) -> None:
    errors, statistics, claims = recipes()
    page.set_viewport_size({"width": 390, "height": 900})
    names = [f"{name}, with batch normalisation and a very long name" for name in errors.recipe.values]
    claims = [claim | {"statement": 3 * claim["statement"]} for claim in claims]
    main = show(
        page, RecipeExplorer(errors.assign_coords(recipe=names), statistics.assign_coords(recipe=names), claims)
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    right = main.locator("select, .lmc-outcome, p").evaluate_all("all => all.map(e => e.getBoundingClientRect().right)")
    assert max(right) <= 382, "the page has a margin of 8"


def test_the_data_stay_small() -> None:
    random = np.random.default_rng(0)
    claims = [
        {
            "statement": "x" * 150,
            "axis": "value",
            "unit": "of a logarithm to base 2",
            "rules": [["above", -1], ["below", 1]],
        }
    ] * 26
    errors = xr.DataArray(
        random.uniform(0, 90, (24, 3, 11)),
        {"recipe": [f"ResNet-20, batch norm · data {k}" for k in range(24)], "fork": ["first", "early", "late"]}
        | {"alpha": np.linspace(0, 1, 11).round(1)},
    )
    numbers = np.sort(random.normal(0, 1, (26, 24, 3)))
    statistics = xr.Dataset(
        {name: (("claim", "recipe"), numbers[..., at]) for at, name in enumerate(("low", "estimate", "high"))}
        | {"outcome": (("claim", "recipe"), np.full((26, 24), "cannot tell"))}
        | {"values": (("claim", "recipe", "parent"), random.normal(0, 1, (26, 24, 10)))},
        {"recipe": errors.recipe},
    )
    assert len(json.dumps(RecipeExplorer(errors, statistics, claims).scene)) < 150_000


def put(statistics: xr.Dataset, **changed: Any) -> xr.Dataset:
    """Change numbers of the first claim and recipe."""
    result = statistics.copy(deep=True)
    for name, value in changed.items():
        result[name][0, 0] = value
    return result


def only(statistics: xr.Dataset, about: xr.DataArray) -> xr.Dataset:
    """Leave out the outcomes of other claims or recipes."""
    return statistics.assign(outcome=statistics.outcome.where(about, ""))


def first(claims: list[dict[str, Any]], **changed: Any) -> list[dict[str, Any]]:
    return [claims[0] | changed, *claims[1:]]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda e, s, c: (e[0], s, c), "errors must be an array with the dimensions recipe, fork, alpha (got"),
        (lambda e, s, c: (e, s.drop_vars("low"), c), "statistics.low must be an array with the dimensions claim, rec"),
        (lambda e, s, c: (e, s.isel(parent=0), c), "statistics.values must be an array with the dimensions claim, r"),
        (lambda e, s, c: (e[::-1], s, c), "recipe must be the same in errors and statistics, ['ResNet"),
        (lambda e, s, c: (e[[0, 0]], s.isel(recipe=[0, 0]), c), "recipe must be different labels (got ['MLP"),
        (lambda e, s, c: (e[..., ::-1], s, c), "alpha must be increasing (got [1.0, 0.75"),
        (lambda e, s, c: (e[..., 1:], s, c), "alpha must be values that include 0, 0.5 and 1 (got [0.25"),
        (lambda e, s, c: (e.where(e.alpha != 0.5), s, c), "errors must be between 0 and 100, or NaN along a whole "
                                                          "line; they are not at recipe MLP, ReLU · MNIST-1D, fork f"),
        (lambda e, s, c: (e * 2, s, c), "errors must be between 0 and 100"),
        (lambda e, s, c: (e, s, c[1:]), "claims must be a list of 3, as many as in statistics (got 2)"),
        (lambda e, s, c: (e, s, [*c[:2], {"unit": ""}]), "claims[2] must be a dict with the keys ['statement', 'axi"),
        (lambda e, s, c: (e, s, [*c[:2], "x"]), "claims[2] must be a dict with the keys ['statement', 'axis', 'unit'"),
        (lambda e, s, c: (e, s, first(c, unit=None)), "claims[0].unit must be a string (got None)"),
        (lambda e, s, c: (e, s, first(c, statement=" ")), "claims[0].statement must be a sentence (got ' ')"),
        (lambda e, s, c: (e, s, first(c, rules=[])), "claims[0].rules must be a non-empty list of [side, bound] (got"),
        (lambda e, s, c: (e, s, first(c, rules=["above", 2])), "claims[0].rules must be a non-empty list of [side,"),
        (lambda e, s, c: (e, s, first(c, rules=[["over", 2]])), "unknown side in claims[0].rules 'over'"),
        (lambda e, s, c: (e, s, first(c, rules=[["above", "2"]])), "bound in claims[0].rules must be a finite numbe"),
        (lambda e, s, c: (e, s, first(c, rules=[["above", 2], ["below", 1]])), "claims[0].rules must be rules that s"),
        (lambda e, s, c: (e, put(s, outcome="true"), c), "unknown outcome of claim barrier, recipe MLP, ReLU · MNIST"),
        (lambda e, s, c: (e, put(s, outcome="fails"), c), "outcome 'fails' contradicts the 95 % interval 3 to 5, "
                                                          "which gives 'holds': claim barrier, recipe MLP, ReLU"),
        (lambda e, s, c: (e, put(s, high=np.inf), c), "statistics must be finite or NaN; they are infinite at claim"),
        (lambda e, s, c: (e, put(s, low=np.nan), c), "low <= high and an estimate are needed where there is an int"),
        (lambda e, s, c: (e, put(s, estimate=np.nan), c), "low <= high and an estimate are needed where there is a"),
        (lambda e, s, c: (e, only(s, s.claim != "barrier"), c), "claim barrier has no outcome for any recipe; leave"),
        (lambda e, s, c: (e, only(s, s.recipe != "CNN"), c), "recipe CNN has no outcome for any claim; leave it out"),
    ],
)  # fmt: skip
def test_invalid_arguments_are_one_line_errors(change: Any, line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        RecipeExplorer(*change(*recipes()))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
