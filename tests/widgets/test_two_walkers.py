"""The two-walkers widget: its numbers are those of `toy.multidimensional` and `toy.descent`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import traitlets
from playwright.sync_api import Page
from widget_pages import compute, show

from lmc_utils import widgets
from lmc_utils.settings import ParameterError
from lmc_utils.toy import descent, multidimensional


@pytest.mark.parametrize("m", [2, 5, 6])
def test_the_plane_is_that_of_fields(page: Page, m: int) -> None:
    roots = multidimensional.on_circle(m) + np.array([0.3, -0.1])
    points = np.random.default_rng(m).normal(size=(20, 2))
    given = {"points": points.tolist(), "roots": roots.tolist()}
    values = compute(page, "toy_landscape.js", expression="points.map(([x, y]) => field(x, y, roots))", **given)
    slopes = compute(
        page, "toy_landscape.js", expression="points.map(([x, y]) => [...fieldGradient(x, y, roots)])", **given
    )
    np.testing.assert_allclose(values, multidimensional.value(points, roots), rtol=1e-12)
    np.testing.assert_allclose(slopes, multidimensional.gradient(points, roots), rtol=1e-10)
    np.testing.assert_allclose(
        compute(page, "toy_landscape.js", expression="units(roots)", **given), multidimensional.units(roots), rtol=1e-12
    )
    between = compute(page, "toy_landscape.js", expression="barrierBetween(points[0], points[1], roots)", **given)
    curve = multidimensional.barrier_curve(points[0], points[1], np.linspace(0, 1, 41), roots)
    assert between == pytest.approx(float(curve.max()), rel=1e-10, abs=1e-12)


def test_one_step_without_noise_is_that_of_descent(page: Page) -> None:
    roots, start, step_size = multidimensional.on_circle(5), [1.4, 0.3], 0.005
    given = {"roots": roots.tolist(), "start": start}
    walk = {"steps": 200, "step_size": step_size, "temperature": 0, "cooling": 1, "seed": 0}
    found = compute(
        page,
        "toy_landscape.js",
        "toy_descent.js",
        expression="walkPair(landscapeUnits(roots), walk, { fork: 0, pair: 0, start }).ends",
        walk=walk,
        **given,
    )
    ends = descent.descend(
        roots, starts=[start], fork_times=[0.0], seed=0, steps=200, step_size=step_size, temperature=0.0
    )
    np.testing.assert_allclose(found, ends[:, 0], rtol=1e-9)


def test_siblings_that_never_separate_coincide(page: Page) -> None:
    first, second = compute(
        page,
        "toy_landscape.js",
        "toy_descent.js",
        expression="walkPair(landscapeUnits(roots), walk, { fork: 1, pair: 3 }).ends",
        roots=multidimensional.on_circle(5).tolist(),
        walk={"steps": 300, "step_size": 0.005, "temperature": 0.3, "cooling": 1, "seed": 1},
    )
    assert first == second


@pytest.mark.parametrize("fork", [0.0, 0.4, 0.8])
def test_ridges_are_as_frequent_as_in_descent(page: Page, fork: float) -> None:
    """Noise differs, so fractions are compared: within five standard errors of both, wrong in one of a million runs."""
    roots, pairs = multidimensional.on_circle(5), 400
    expression = """Array.from({ length: pairs }, (_, pair) => outcome(land, walkPair(land, walk, { fork, pair }).ends))
        .map(({ apart, ridge }) => [apart, ridge])"""
    found = compute(
        page,
        "toy_landscape.js",
        "toy_descent.js",
        expression=expression.replace("land,", "landscapeUnits(roots),"),
        roots=roots.tolist(),
        pairs=pairs,
        fork=fork,
        walk={"steps": 500, "step_size": 0.005, "temperature": 0.3, "cooling": 1, "seed": 0},
    )
    starts = descent.random_starts(roots, pairs, 0)
    ends = descent.descend(roots, starts=starts, fork_times=[fork], seed=0, steps=500)
    share = float((descent.sibling_barriers(ends, roots) > 0.1).mean())
    ours = float(np.mean([ridge for _, ridge in found]))
    error = np.sqrt((max(share * (1 - share), 0.01) + max(ours * (1 - ours), 0.01)) / pairs)
    assert abs(share - ours) < 5 * error


def test_wilson_is_that_of_descent(page: Page) -> None:
    for share, n in [(0.0, 10), (0.3, 50), (1.0, 7)]:
        found = compute(page, "toy_descent.js", expression="wilsonInterval(share, n)", share=share, n=n)
        np.testing.assert_allclose(found, descent.wilson_interval(share, n), atol=1e-15)


def test_friends_walk_count_and_sweep(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    main = show(page, widgets.TwoWalkers(steps=200))
    main.get_by_role("button", name="Walk", exact=True).click()
    assert "They end in" in main.locator(".lmc-verdict").inner_text()
    main.get_by_role("slider", name="Fork after").fill("100")
    main.get_by_role("button", name="Walk 100 times").click()
    page.wait_for_function("model.get('tally').some((row) => row.fork === 100 && row.pairs === 100)")
    (never,) = [row for row in page.evaluate("model.get('tally')") if row["fork"] == 100]
    assert never["apart"] == never["ridge"] == 0
    main.get_by_role("button", name="Sweep").click()
    page.wait_for_function("model.get('tally').length === 6")
    assert "0 %:" in (main.locator("svg.lmc-picture").get_attribute("aria-label") or "")
    main.get_by_role("button", name="Start over").click()
    assert page.evaluate("model.get('tally')") == []


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"solutions": [[0, 0]]}, "solutions must be at least two points in the plane (got"),
        ({"solutions": [[0, 0], [0, 0]]}, "solutions must be solutions with barriers between them"),
        ({"solutions": "abc"}, "solutions must be at least two points in the plane (got 'abc')"),
        ({"steps": 1.5}, "steps must be a whole number (got 1.5)"),
        ({"steps": 0}, "steps must be finite and >= 1 (got 0)"),
        ({"temperature": -1}, "temperature must be finite and >= 0 (got -1.0)"),
        ({"cooling": 0}, "cooling must be finite and > 0 (got 0.0)"),
        ({"seed": -1}, "seed must be finite and >= 0 (got -1)"),
        ({"step_size": 1.0}, "step_size must be > 0 and < 0.0"),
    ],
)
def test_wrong_settings_are_one_line_errors(given: dict[str, Any], line: str) -> None:
    with pytest.raises((ParameterError, traitlets.TraitError)) as caught:
        widgets.TwoWalkers(**given)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
