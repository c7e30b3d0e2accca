"""Checks of every widget in a browser."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page
from widget_pages import bend_planes, differences, pairs, reactions, recipes, show

from lmc_utils import toy, widgets
from lmc_utils.widgets import DifferenceExplorer

REACTION = 50  # milliseconds


WIDGETS = {
    "mountain": (lambda: widgets.LandscapeBuilder(roots=list(toy.on_interval(8))), "[aria-label='minimum 4 of 8']"),
    "friends": (lambda: widgets.TwoWalkers(), "input[type=range]"),
    "line": (lambda: widgets.LineExplorer(*pairs((0, 1, 2, 15), 3, steps=33, grid=25)), ".lmc-plane"),
    "difference": (lambda: DifferenceExplorer(*differences((0, 1, 2, 15), epochs=41)), ".lmc-line"),
    "recipe": (lambda: widgets.RecipeExplorer(*recipes()), ".lmc-outcomes"),
    "bend": (lambda: widgets.CurveEditor(bend_planes((0, 1, 2, 15))), ".lmc-plane"),
    "playground": (lambda: widgets.Playground(epochs=2), "input[max='2']:visible"),
}


def test_the_state_of_a_widget_is_json() -> None:
    for name, (make, _) in WIDGETS.items():
        widget = make()
        state = {key: getattr(widget, key) for key in widget.keys if isinstance(getattr(widget, key), (dict, list))}
        assert json.dumps(state, allow_nan=False), name
    assert json.dumps(widgets.LineExplorer(pairs()[0], pairs()[1] * np.nan).scene, allow_nan=False)


@pytest.mark.parametrize("name", WIDGETS)
def test_dragging_responds_at_once(page: Page, name: str) -> None:
    make, control = WIDGETS[name]
    main = show(page, make())
    assert np.median(reactions(page, main.locator(control))) < REACTION


@pytest.mark.parametrize("name", WIDGETS)
def test_every_control_has_an_accessible_name(page: Page, name: str) -> None:
    main = show(page, WIDGETS[name][0]())
    controls = main.locator("button, select, input, [role=slider], [role=img]")
    assert controls.count() >= 3
    nameless = controls.evaluate_all(
        """all => all.filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim()
            || one.labels?.[0]?.textContent.trim())).map((one) => one.outerHTML)"""
    )
    assert nameless == []


@pytest.mark.parametrize("name", WIDGETS)
@pytest.mark.parametrize("ink", ["rgb(20, 20, 20)", "rgb(230, 230, 230)"])
def test_text_takes_the_colour_of_the_page(page: Page, name: str, ink: str) -> None:
    main = show(page, WIDGETS[name][0](), style=f"body {{ color: {ink}; }}")
    read = """all => [...new Set(all.filter((one) => one.isConnected)  // some are drawn anew as this runs
        .map((one) => getComputedStyle(one)[one.closest("svg") ? "fill" : "color"]))]"""
    colours = main.locator("p, th, td, label, .lmc-axis text").evaluate_all(read)
    assert colours == [ink]


CONTRAST = """all => {
    const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    const light = (colour) => {
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        const parts = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
        const [r, g, b] = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    return all.map((one) => {
        const style = getComputedStyle(one);
        const ink = light(one.closest("svg") ? (style.stroke === "none" ? style.fill : style.stroke) : style.color);
        return Math.max(ink, paper) / Math.min(ink, paper);
    });
}"""
PAPERS = {"light": ("white", "rgb(34, 40, 50)"), "dark": ("rgb(20, 24, 30)", "rgb(206, 214, 221)")}


@pytest.mark.parametrize("name", WIDGETS)
@pytest.mark.parametrize("paper", PAPERS)
def test_text_and_marks_have_enough_contrast_in_light_and_dark_mode(page: Page, name: str, paper: str) -> None:
    """4.5 for text and 3 for graphics, as in WCAG 2, 1.4.3 and 1.4.11; grid and chord are faint on purpose."""
    ground, ink = PAPERS[paper]
    page.emulate_media(reduced_motion="reduce")
    main = show(page, WIDGETS[name][0](), style=f"body {{ background: {ground}; color: {ink}; }}", steps=50)
    if name == "friends":
        main.get_by_role("button", name="Sweep").click()
        page.wait_for_function("model.get('tally').length === 6")
    if name == "playground":
        main.locator("summary").click()
        main.get_by_role("button", name="Train and fork").click()
        page.wait_for_function("model.get('runs').length === 1")
    choice = main.get_by_role("combobox", name="Fork epoch")
    for fork in range(4 if choice.count() else 1):
        if name in ("line", "difference"):
            choice.select_option(index=fork)
        words = main.locator("p, th, td, label, h4, select, button:enabled:not(.lmc-main)").evaluate_all(CONTRAST)
        marks = main.locator(".lmc-picture :is(.lmc-curve, .lmc-approximation, .lmc-train, .lmc-test, .lmc-plumb)")
        stems = main.locator(".lmc-picture :is(.lmc-barrier line, .lmc-result line, .lmc-estimate, .lmc-bound)")
        assert min(words) >= 4.5
        marks.or_(stems).first.wait_for(state="attached")  # drawn after the text
        assert min(marks.evaluate_all(CONTRAST) + stems.evaluate_all(CONTRAST)) >= 3


@pytest.mark.parametrize(
    ("make", "changed", "line"),
    [
        (lambda: widgets.LandscapeBuilder(), {"roots": None}, "roots must be 2 to 8 finite numbers (got null)"),
        (lambda: widgets.LandscapeBuilder(), {"roots": [1]}, "roots must be 2 to 8 finite numbers (got [1])"),
        (lambda: widgets.TwoWalkers(), {"steps": 0.5}, "steps must be a whole number >= 1 (got 0.5)"),
        (lambda: widgets.TwoWalkers(), {"solutions": None}, "solutions must be at least two points in the plane"),
        (lambda: widgets.TwoWalkers(), {"colours": None}, "colours must be a list of colours"),
        (lambda: widgets.LineExplorer(*pairs()), {"scene": None}, "scene lacks alphas, forks, pairs"),
        (lambda: widgets.LineExplorer(*pairs()), {"scene": {"alphas": [0, 1]}}, "scene lacks forks, pairs"),
    ],
)
def test_missing_data_is_reported_in_place_of_the_widget(
    page: Page, make: Any, changed: dict[str, Any], line: str
) -> None:
    main = show(page, make(), **changed)
    assert line in main.get_by_role("alert").inner_text()


@pytest.mark.parametrize("name", WIDGETS)
def test_widgets_fit_a_narrow_page(page: Page, name: str) -> None:
    page.set_viewport_size({"width": 360, "height": 900})
    show(page, WIDGETS[name][0]())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
