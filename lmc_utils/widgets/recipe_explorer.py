"""Recipe explorer: whether a claim holds for a recipe, with the line between siblings and the claim's statistic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import anywidget
import matplotlib as mpl
import numpy as np
import traitlets
import xarray as xr

from lmc_utils.figures.theme import fork_colours
from lmc_utils.measure.barriers import midpoint_barrier
from lmc_utils.measure.claims import Rule, combine
from lmc_utils.settings import ParameterError, require, require_choice
from lmc_utils.widgets.assets import join_scripts, require_dimensions, round_significant, static_text
from lmc_utils.widgets.plane_map import require_dims

_LINES = ("recipe", "fork", "alpha")
_RESULTS = ("claim", "recipe")
_NUMBERS = ("estimate", "low", "high")
_STATISTICS = {**dict.fromkeys((*_NUMBERS, "outcome"), _RESULTS), "values": (*_RESULTS, "parent")}
_SIDES = ("above", "at least", "below", "at most")
_NOT_ABOUT = ""


class RecipeExplorer(anywidget.AnyWidget):
    """Choose a recipe and a claim: the training error between siblings, the claim's statistic, and the verdict.

    The reader also sees the verdicts of the claim for all recipes. A recipe that a claim is not about is not offered
    for it.

    Args:
        errors: training error along the line between siblings, in percent; dimensions recipe, fork and alpha, which is
            increasing and includes 0, 1/2 and 1. The labels of `recipe` are shown to the reader, and those of `fork`
            before the word "fork". NaN along a whole line is shown as not measured.
        statistics: `estimate`, `low` and `high` of the 95 % interval (NaN where there is none), and `outcome`, with the
            dimensions claim and recipe; `values` of each parent with the dimensions claim, recipe and parent (NaN where
            a recipe has fewer parents, or the statistic has no value for each parent). An outcome is "holds", "fails"
            or "cannot tell", or empty if the claim is not about the recipe. It follows from the interval, or is
            "cannot tell" because it is corrected for the number of recipes.
        claims: for each label of `claim`, in their order: `statement` (a sentence), `axis` (a label), `unit` (may be
            empty), and `rules`, a list of [side, bound], where side is "above", "at least", "below" or "at most".
        caption: shown below the figure.

    Raises:
        ParameterError: the arrays have other dimensions or differ in their recipes; a number is infinite, or a line
            has only some values; a claim lacks a part; an outcome is unknown or contradicts its interval; a claim has
            no recipe, or a recipe no claim.

    Attributes:
        scene: all data of the figure. Numbers have three significant digits, or as many as keep them on their side of
            a bound; heights of lines have one decimal. About 105 kilobytes for 26 claims, 24 recipes and 10 parents.

    >>> where = {"recipe": ["MLP"], "fork": ["first"], "alpha": [0, 0.5, 1]}
    >>> errors = xr.DataArray([[[2.0, 12.0, 4.0]]], where)
    >>> numbers = {"estimate": 8.9999, "low": 1.9996, "high": 16.0, "outcome": "cannot tell"}
    >>> statistics = xr.Dataset({name: (_RESULTS, [[each]]) for name, each in numbers.items()}, {"recipe": ["MLP"]})
    >>> statistics["values"] = (*_RESULTS, "parent"), [[[8.44444, 9.55554]]]
    >>> claim = {"statement": "There is a barrier.", "axis": "barrier", "unit": "", "rules": [["at least", 2.0]]}
    >>> scene = RecipeExplorer(errors, statistics, [claim]).scene
    >>> scene["heights"], scene["results"][0][0]["low"], scene["results"][0][0]["values"]
    ([[[3.0, 12.0, 9.0]]], 1.9996, [8.44, 9.56])
    """

    _esm = join_scripts("chart.js", "recipe_explorer.js")
    _css = static_text("widgets.css") + static_text("recipe_explorer.css")

    scene: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(
        self, errors: xr.DataArray, statistics: xr.Dataset, claims: Sequence[Mapping[str, Any]], *, caption: str = ""
    ) -> None:
        require_dimensions(errors, "errors", _LINES)
        require_dims(statistics, "statistics", _STATISTICS)
        recipes = errors.recipe.values.tolist()
        theirs = statistics.recipe.values.tolist()
        require(recipes == theirs, "recipe", f"the same in errors and statistics, {recipes}", theirs)
        require(len(set(recipes)) == len(recipes), "recipe", "different labels", recipes)
        errors = errors.transpose(*_LINES)
        _check_errors(errors)
        count = statistics.sizes["claim"]
        require(len(claims) == count, "claims", f"a list of {count}, as many as in statistics", len(claims))
        for at, claim in enumerate(claims):
            _check_claim(f"claims[{at}]", claim)
        statistics = statistics.transpose(*_RESULTS, "parent")
        _check_statistics(statistics, claims)
        scenes = [_claim_scene(statistics.isel(claim=at), claim) for at, claim in enumerate(claims)]
        super().__init__(
            scene={
                "recipes": [str(label) for label in recipes],
                "forks": [str(label) for label in errors.fork.values],
                "alphas": errors.alpha.values.tolist(),
                "colours": [mpl.colors.to_hex(colour) for colour in fork_colours(errors.fork.values).values()],
                "errors": _lines(errors),
                "heights": _heights(errors),
                "claims": [claim for claim, _ in scenes],
                "results": [results for _, results in scenes],
                "caption": caption,
            }
        )


def _check_errors(errors: xr.DataArray) -> None:
    alphas = errors.alpha.values
    require(bool((np.diff(alphas) > 0).all()), "alpha", "increasing", alphas.tolist())
    complete = all(np.isclose(alphas, needed).any() for needed in (0, 0.5, 1))
    require(complete, "alpha", "values that include 0, 0.5 and 1", alphas.tolist())
    valid = ((errors >= 0) & (errors <= 100)).all("alpha") | errors.isnull().all("alpha")
    for recipe, fork in np.argwhere(~valid.values)[:1]:
        where = f"recipe {errors.recipe.values[recipe]}, fork {errors.fork.values[fork]}"
        raise ParameterError(f"errors must be between 0 and 100, or NaN along a whole line; they are not at {where}")


def _check_claim(name: str, claim: Mapping[str, Any]) -> None:
    needed = ["statement", "axis", "unit", "rules"]
    found = list(claim) if isinstance(claim, Mapping) else claim
    require(isinstance(claim, Mapping) and set(claim) == set(needed), name, f"a dict with the keys {needed}", found)
    for part in ("statement", "axis", "unit"):
        require(isinstance(claim[part], str), f"{name}.{part}", "a string", claim[part])
    require(bool(claim["statement"].strip()), f"{name}.statement", "a sentence", claim["statement"])
    rules = claim["rules"]
    pairs = isinstance(rules, (list, tuple)) and all(
        isinstance(rule, (list, tuple)) and len(rule) == 2 for rule in rules
    )
    allowed = "a non-empty list of [side, bound]"
    require(pairs and len(rules) > 0, f"{name}.rules", allowed, rules, hint='for example [["above", 0]]')
    for side, bound in rules:
        require_choice(f"side in {name}.rules", str(side), _SIDES)
        number = isinstance(bound, (int, float, np.number)) and not isinstance(bound, bool) and np.isfinite(bound)
        require(bool(number), f"bound in {name}.rules", "a finite number", bound)
    low = max((bound for side, bound in rules if side in _SIDES[:2]), default=-np.inf)
    high = min((bound for side, bound in rules if side in _SIDES[2:]), default=np.inf)
    require(low < high, f"{name}.rules", "rules that some interval of numbers meets", rules)


def _check_statistics(statistics: xr.Dataset, claims: Sequence[Mapping[str, Any]]) -> None:
    """Raise ParameterError, naming the place, where an outcome or a number is invalid, or nothing can be chosen."""
    about = statistics.outcome != _NOT_ABOUT
    for (at, recipe), outcome in np.ndenumerate(statistics.outcome.values):
        where = f"claim {statistics.claim.values[at]}, recipe {statistics.recipe.values[recipe]}"
        if outcome == _NOT_ABOUT:
            continue
        require_choice(f"outcome of {where}:", str(outcome), ("holds", "fails", "cannot tell"))
        here = statistics.isel(claim=at, recipe=recipe)
        estimate, low, high = (float(here[name]) for name in _NUMBERS)
        if np.isinf([estimate, low, high, *here["values"].values]).any():
            raise ParameterError(f"statistics must be finite or NaN; they are infinite at {where}")
        if not np.isnan([low, high]).all() and not (low <= high and np.isfinite(estimate)):
            raise ParameterError(
                f"low <= high and an estimate are needed where there is an interval; not so at {where}"
            )
        alone = _alone(claims[at]["rules"], low, high)
        if outcome not in (alone, "cannot tell"):
            said = f"{str(outcome)!r} contradicts the 95 % interval {low:.6g} to {high:.6g}, which gives {alone!r}"
            raise ParameterError(f"outcome {said}: {where}")
    for dim, other in (_RESULTS, _RESULTS[::-1]):
        for label in statistics[dim].values[~about.any(other).values][:1]:
            raise ParameterError(f"{dim} {label} has no outcome for any {other}; leave it out")


def _alone(rules: Iterable[Sequence[Any]], low: float, high: float) -> str:
    """What an interval says about rules, without a correction; one of no width at the bound itself decides nothing."""
    return combine(
        "cannot tell" if low == high == bound else Rule(side, bound).judge(low, high) for side, bound in rules
    )


def _claim_scene(found: xr.Dataset, claim: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any] | None]]:
    """A claim with rounded bounds, and its results for each recipe; None where it is not about one."""
    about = found.outcome.values != _NOT_ABOUT
    ends = np.concatenate([found[name].values[about] for name in _NUMBERS])
    bounds = [_round_beside(float(bound), ends[~np.isnan(ends)]) for _, bound in claim["rules"]]
    rules = [[str(side), bound] for (side, _), bound in zip(claim["rules"], bounds, strict=True)]

    def rounded(value: float) -> float | None:
        return None if np.isnan(value) else _round_beside(value, bounds)

    results: list[dict[str, Any] | None] = []
    for at, outcome in enumerate(found.outcome.values):
        here = found.isel(recipe=at)
        values = [rounded(float(value)) for value in here["values"].values]
        result = {
            "outcome": str(outcome),
            "alone": _alone(claim["rules"], float(here.low), float(here.high)),
            **{name: rounded(float(here[name])) for name in _NUMBERS},
            "values": [] if values.count(None) == len(values) else values,
        }
        results.append(result if about[at] else None)
    words = {part: claim[part].strip() for part in ("statement", "axis", "unit")}
    return {**words, "rules": rules}, results


def _round_beside(value: float, others: Iterable[float]) -> float:
    """Round to three significant digits, or as many as keep the number less, equal or greater than each other one.

    >>> _round_beside(1.9996, [2.0]), _round_beside(1.9996, [0.0])
    (1.9996, 2.0)
    """
    beside = np.asarray([*others], dtype=np.float64)
    sides = np.sign(value - beside)
    candidates = (float(f"{value:.{digits}g}") for digits in range(3, 17))
    return next((each for each in candidates if (np.sign(each - beside) == sides).all()), value)


def _lines(errors: xr.DataArray) -> list[list[list[float] | None]]:
    """The errors along the line for each recipe and fork; None where they were not measured."""
    return [
        [None if np.isnan(line).any() else round_significant(line, 3).tolist() for line in lines]
        for lines in errors.values
    ]


def _heights(errors: xr.DataArray) -> list[list[list[float] | None]]:
    """Mean of the siblings, midpoint and midpoint barrier for each recipe and fork; None where not measured."""
    siblings, midpoint = (errors.sel(alpha=at, method="nearest").mean("alpha") for at in ([0, 1], [0.5]))
    found = xr.concat([siblings, midpoint, midpoint_barrier(errors)], "height", coords="minimal", compat="override")
    rounded = found.transpose("recipe", "fork", "height").round(1).values
    return [[None if np.isnan(row).any() else row.tolist() for row in rows] for rows in rounded]
