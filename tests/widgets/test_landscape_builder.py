"""The landscape builder: its numbers are those of `toy`, and minima can be moved by mouse, touch and keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page
from widget_pages import compute, drag, show

from lmc_utils import toy, widgets

ROOTS = [[-1.0, 1.0], [-1.0, -0.2, 0.3, 1.0], [0.0, 0.1, 2.0, 2.5, 7.0], [float(root) for root in toy.chebyshev(8)]]


@pytest.mark.parametrize("roots", ROOTS)
def test_landscape_and_derivatives_are_those_of_toy(page: Page, roots: list[float]) -> None:
    thetas = np.linspace(min(roots) - 0.5, max(roots) + 0.5, 31)
    found = compute(
        page,
        "toy_landscape.js",
        expression="thetas.map((t) => landscape(t, roots))",
        thetas=thetas.tolist(),
        roots=roots,
    )
    expected = np.stack(toy.derivatives(thetas, roots), axis=1)
    scale = np.abs(expected).max(axis=0)
    np.testing.assert_allclose(np.array(found) / scale, expected / scale, atol=1e-12)


@pytest.mark.parametrize("roots", ROOTS)
def test_ridges_and_their_approximation_are_those_of_toy(page: Page, roots: list[float]) -> None:
    found = compute(page, "toy_landscape.js", expression="ridges(roots)", roots=roots)
    np.testing.assert_allclose([ridge["height"] for ridge in found], toy.neighbour_barriers(roots), rtol=1e-12)
    heights = compute(
        page,
        "toy_landscape.js",
        expression="ridges(roots).map(({ left, right }) => secondOrderHeight(left, right, roots))",
        roots=roots,
    )
    factors = np.array(heights) / toy.neighbour_barriers(roots)
    np.testing.assert_allclose(factors, toy.approximation_factors(roots), rtol=1e-9)


def test_placements_are_those_of_toy(page: Page) -> None:
    for m in (2, 3, 8):
        np.testing.assert_allclose(
            compute(page, "toy_landscape.js", expression="chebyshev(m)", m=m), toy.chebyshev(m), atol=1e-15
        )
        even = compute(page, "toy_landscape.js", expression="onInterval(m)", m=m)
        np.testing.assert_allclose(even, toy.on_interval(m), atol=1e-15)


def test_a_minimum_is_moved_by_mouse_and_by_key(page: Page) -> None:
    main = show(page, widgets.LandscapeBuilder(roots=[-1, 0, 1]))
    handle = main.get_by_role("slider", name="minimum 2 of 3")
    before, said = main.locator("path.lmc-curve").get_attribute("d"), main.locator("p[role=status]").inner_text()
    drag(page, handle, 60)
    moved = page.evaluate("model.get('roots')[1]")
    assert 0.1 < moved < 0.9
    assert main.locator("path.lmc-curve").get_attribute("d") != before
    assert main.locator("p[role=status]").inner_text() != said
    highest = max(toy.neighbour_barriers(page.evaluate("model.get('roots')")))
    assert f"{highest:.3g}" in main.locator("p[role=status]").inner_text()
    handle.focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("model.get('roots')[1]") < moved
    assert float(handle.get_attribute("aria-valuenow") or "nan") == page.evaluate("model.get('roots')[1]")


def test_the_barrier_fills_most_of_the_picture_where_its_approximation_is_four_times_as_high(page: Page) -> None:
    assert toy.approximation_factors([-1, 1]).tolist() == [4]
    stem = show(page, widgets.LandscapeBuilder(roots=[-1, 1])).locator(".lmc-barrier line")
    bottom, top = (float(stem.get_attribute(end) or "nan") for end in ("y1", "y2"))
    assert bottom - top > bottom / 2


def test_minima_come_and_go_and_take_their_best_places(page: Page) -> None:
    main = show(page, widgets.LandscapeBuilder(roots=[-1, 0.5, 1]))
    main.get_by_role("button", name="Equal spacing").click()
    assert page.evaluate("model.get('roots')") == [-1, 0, 1]
    main.get_by_role("button", name="Add a minimum").click()
    main.get_by_role("button", name="Chebyshev").click()
    np.testing.assert_allclose(page.evaluate("model.get('roots')"), toy.chebyshev(4), atol=1e-11)
    for _ in range(2):
        main.get_by_role("button", name="Remove a minimum").click()
    assert len(page.evaluate("model.get('roots')")) == 2
    assert main.get_by_role("button", name="Remove a minimum").is_disabled()


def test_values_set_from_python_are_drawn(page: Page) -> None:
    main = show(page, widgets.LandscapeBuilder(roots=[-1, 1]))
    page.evaluate("model.set('roots', [-2, 0, 1, 2])")
    assert main.get_by_role("slider").count() == 4
