"""The interactive figures in a browser: their numbers are those of the Python, and every hand can move them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import traitlets
import xarray as xr
from playwright.sync_api import Browser, Locator, Page

from lmc_utils import toy, toy_descent, toy_fields, widgets
from lmc_utils.settings import ParameterError

MODEL = """
const listeners = {};
window.model = {
  values: VALUES,
  get(name) { return this.values[name]; },
  set(name, value) { this.values[name] = value; for (const react of listeners[`change:${name}`] ?? []) react(); },
  save_changes() {},
  on(name, react) { (listeners[name] ??= []).push(react); },
  off(name, react) { listeners[name] = (listeners[name] ?? []).filter((each) => each !== react); },
};
"""
ROOTS = [[-1.0, 1.0], [-1.0, -0.2, 0.3, 1.0], [0.0, 0.1, 2.0, 2.5, 7.0], [float(root) for root in toy.chebyshev(8)]]
REACTION = 50  # milliseconds


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 800, "height": 1000})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    page.close()
    assert errors == []


def show(page: Page, widget: Any, style: str = "", **changed: Any) -> Locator:
    """The widget as its page has it, with a model that knows no kernel."""
    values = {name: getattr(widget, name) for name in widget.trait_names(sync=True) if not name.startswith("_")}
    values = {name: value for name, value in values.items() if name not in ("layout", "tabbable", "tooltip", "comm")}
    page.set_content(f"<style>{style} {widget._css}</style><main></main>")
    page.evaluate(MODEL.replace("VALUES", json.dumps(values | changed)))
    page.evaluate(
        """async (source) => {
            const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
            window.stop = module.default.render({ model: window.model, el: document.querySelector("main") });
        }""",
        widget._esm,
    )
    return page.locator("main")


def compute(page: Page, *names: str, expression: str, **given: Any) -> Any:
    """What an expression of the functions in JavaScript files comes to."""
    return page.evaluate(
        """async ([source, expression, given]) => {
            const names = [...source.matchAll(/^export (?:function|const) (\\w+)/gm)].map((match) => match[1]);
            const all = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
            const known = { ...given, ...Object.fromEntries(names.map((name) => [name, all[name]])) };
            return new Function(...Object.keys(known), `return ${expression}`)(...Object.values(known));
        }""",
        [widgets.script(*names), expression, given],
    )


@pytest.mark.parametrize("roots", ROOTS)
def test_landscape_and_derivatives_are_those_of_toy(page: Page, roots: list[float]) -> None:
    thetas = np.linspace(min(roots) - 0.5, max(roots) + 0.5, 31)
    found = compute(
        page, "toy.js", expression="thetas.map((t) => landscape(t, roots))", thetas=thetas.tolist(), roots=roots
    )
    expected = np.stack(toy.derivatives(thetas, roots), axis=1)
    scale = np.abs(expected).max(axis=0)
    np.testing.assert_allclose(np.array(found) / scale, expected / scale, atol=1e-12)


@pytest.mark.parametrize("roots", ROOTS)
def test_ridges_and_their_approximation_are_those_of_toy(page: Page, roots: list[float]) -> None:
    found = compute(page, "toy.js", expression="ridges(roots)", roots=roots)
    np.testing.assert_allclose([ridge["height"] for ridge in found], toy.neighbour_barriers(roots), rtol=1e-12)
    heights = compute(
        page,
        "toy.js",
        expression="ridges(roots).map(({ left, right }) => secondOrderHeight(left, right, roots))",
        roots=roots,
    )
    factors = np.array(heights) / toy.neighbour_barriers(roots)
    np.testing.assert_allclose(factors, toy.approximation_factors(roots), rtol=1e-9)


def test_placements_are_those_of_toy(page: Page) -> None:
    for m in (2, 3, 8):
        np.testing.assert_allclose(
            compute(page, "toy.js", expression="chebyshev(m)", m=m), toy.chebyshev(m), atol=1e-15
        )
        even = compute(page, "toy.js", expression="onInterval(m)", m=m)
        np.testing.assert_allclose(even, toy.on_interval(m), atol=1e-15)


@pytest.mark.parametrize("m", [2, 5, 6])
def test_the_plane_is_that_of_toy_fields(page: Page, m: int) -> None:
    roots = toy_fields.on_circle(m) + np.array([0.3, -0.1])
    points = np.random.default_rng(m).normal(size=(20, 2))
    given = {"points": points.tolist(), "roots": roots.tolist()}
    values = compute(page, "toy.js", expression="points.map(([x, y]) => field(x, y, roots))", **given)
    slopes = compute(page, "toy.js", expression="points.map(([x, y]) => [...fieldGradient(x, y, roots)])", **given)
    np.testing.assert_allclose(values, toy_fields.value(points, roots), rtol=1e-12)
    np.testing.assert_allclose(slopes, toy_fields.gradient(points, roots), rtol=1e-10)
    np.testing.assert_allclose(
        compute(page, "toy.js", expression="units(roots)", **given), toy_fields.units(roots), rtol=1e-12
    )
    between = compute(page, "toy.js", expression="barrierBetween(points[0], points[1], roots)", **given)
    curve = toy_fields.barrier_curve(points[0], points[1], np.linspace(0, 1, 41), roots)
    assert between == pytest.approx(float(curve.max()), rel=1e-10, abs=1e-12)


def test_one_step_without_noise_is_that_of_toy_descent(page: Page) -> None:
    roots, start, step_size = toy_fields.on_circle(5), [1.4, 0.3], 0.005
    given = {"roots": roots.tolist(), "start": start}
    walk = {"steps": 200, "step_size": step_size, "temperature": 0, "cooling": 1, "seed": 0}
    found = compute(
        page,
        "toy.js",
        "walks.js",
        expression="walkPair(ground(roots), walk, { fork: 0, pair: 0, start }).ends",
        walk=walk,
        **given,
    )
    ends = toy_descent.descend(
        roots, starts=[start], fork_times=[0.0], seed=0, steps=200, step_size=step_size, temperature=0.0
    )
    np.testing.assert_allclose(found, ends[:, 0], rtol=1e-9)


def test_siblings_that_never_part_are_one(page: Page) -> None:
    first, second = compute(
        page,
        "toy.js",
        "walks.js",
        expression="walkPair(ground(roots), walk, { fork: 1, pair: 3 }).ends",
        roots=toy_fields.on_circle(5).tolist(),
        walk={"steps": 300, "step_size": 0.005, "temperature": 0.3, "cooling": 1, "seed": 1},
    )
    assert first == second


@pytest.mark.parametrize("fork", [0.0, 0.4, 0.8])
def test_ridges_are_as_frequent_as_in_toy_descent(page: Page, fork: float) -> None:
    """Noise differs, so shares are compared: within five standard errors of both, wrong in one of a million runs."""
    roots, pairs = toy_fields.on_circle(5), 400
    expression = """Array.from({ length: pairs }, (_, pair) => outcome(land, walkPair(land, walk, { fork, pair }).ends))
        .map(({ apart, ridge }) => [apart, ridge])"""
    found = compute(
        page,
        "toy.js",
        "walks.js",
        expression=expression.replace("land,", "ground(roots),"),
        roots=roots.tolist(),
        pairs=pairs,
        fork=fork,
        walk={"steps": 500, "step_size": 0.005, "temperature": 0.3, "cooling": 1, "seed": 0},
    )
    starts = toy_descent.starts_around(roots, pairs, 0)
    ends = toy_descent.descend(roots, starts=starts, fork_times=[fork], seed=0, steps=500)
    share = float((toy_descent.sibling_barriers(ends, roots) > 0.1).mean())
    ours = float(np.mean([ridge for _, ridge in found]))
    error = np.sqrt((max(share * (1 - share), 0.01) + max(ours * (1 - ours), 0.01)) / pairs)
    assert abs(share - ours) < 5 * error


def test_wilson_is_that_of_toy_descent(page: Page) -> None:
    for share, n in [(0.0, 10), (0.3, 50), (1.0, 7)]:
        found = compute(page, "walks.js", expression="wilson(share, n)", share=share, n=n)
        np.testing.assert_allclose(found, toy_descent.wilson(share, n), atol=1e-15)


def drag(page: Page, control: Locator, way: float, steps: int = 4) -> float:
    """Hold the mouse down in the middle of a control and move it sideways, by so many pixels; returns its last x."""
    box = control.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + way, y, steps=steps)
    page.mouse.up()
    return x + way


def reactions(page: Page, control: Locator) -> list[float]:
    """Milliseconds from each event of a drag to the moment after the frame that shows it."""
    page.evaluate(
        """() => {
            window.took = [];
            const react = () => {
                const began = performance.now();
                const shown = new MessageChannel();
                shown.port1.onmessage = () => took.push(performance.now() - began);
                requestAnimationFrame(() => shown.port2.postMessage(0));
            };
            for (const kind of ["pointermove", "input"]) window.addEventListener(kind, react, { capture: true });
        }"""
    )
    drag(page, control, 40, steps=20)
    page.wait_for_function("took.length >= 15")
    times: list[float] = page.evaluate("took")
    return times


def test_a_minimum_is_moved_by_mouse_and_by_key(page: Page) -> None:
    main = show(page, widgets.Mountain(roots=[-1, 0, 1]))
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


def test_minima_come_and_go_and_take_their_best_places(page: Page) -> None:
    main = show(page, widgets.Mountain(roots=[-1, 0.5, 1]))
    main.get_by_role("button", name="Equal spacing").click()
    assert page.evaluate("model.get('roots')") == [-1, 0, 1]
    main.get_by_role("button", name="Add a minimum").click()
    main.get_by_role("button", name="Chebyshev").click()
    np.testing.assert_allclose(page.evaluate("model.get('roots')"), toy.chebyshev(4), atol=1e-11)
    for _ in range(2):
        main.get_by_role("button", name="Remove a minimum").click()
    assert len(page.evaluate("model.get('roots')")) == 2
    assert main.get_by_role("button", name="Remove a minimum").is_disabled()


def test_what_python_sets_is_drawn(page: Page) -> None:
    main = show(page, widgets.Mountain(roots=[-1, 1]))
    page.evaluate("model.set('roots', [-2, 0, 1, 2])")
    assert main.get_by_role("slider").count() == 4


def test_friends_walk_count_and_sweep(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    main = show(page, widgets.Friends(steps=200))
    main.get_by_role("button", name="Walk", exact=True).click()
    assert "They end in" in main.locator(".lmc-verdict").inner_text()
    main.get_by_role("slider", name="Lose sight of each other after").fill("100")
    main.get_by_role("button", name="Walk 100 times").click()
    page.wait_for_function("model.get('tally').some((row) => row.fork === 100 && row.pairs === 100)")
    (never,) = [row for row in page.evaluate("model.get('tally')") if row["fork"] == 100]
    assert never["apart"] == never["ridge"] == 0
    main.get_by_role("button", name="Sweep").click()
    page.wait_for_function("model.get('tally').length === 6")
    assert "0 %:" in (main.locator("svg.lmc-picture").get_attribute("aria-label") or "")
    main.get_by_role("button", name="Start over").click()
    assert page.evaluate("model.get('tally')") == []


def pairs(
    forks: tuple[int, ...] = (0, 3), parents: int = 2, steps: int = 13, grid: int = 5
) -> tuple[xr.Dataset, xr.Dataset]:
    """Lines and planes of made-up networks; the last pair of the last fork has no plane."""
    random = np.random.default_rng(0)
    alphas = np.linspace(-0.25, 1.25, steps)
    place = {"fork_epoch": list(forks), "parent": list(range(parents)), "pair": ["0-1"]}
    shape = tuple(map(len, place.values()))
    curves = (("split", *place, "alpha"), random.random((2, *shape, len(alphas))))
    coords: dict[str, Any] = {"split": ["train", "test"], **place, "alpha": alphas}
    lines = xr.Dataset({"loss": curves, "error": (curves[0], 100 * curves[1])}, coords=coords)
    heights = random.uniform(0.1, 10, (*shape, grid, grid))
    heights[-1, -1] = np.nan
    planes = xr.Dataset(
        {
            "loss": ((*place, "row", "column"), heights),
            "x": ((*place, "column"), np.broadcast_to(np.linspace(-1, 5, grid), (*shape, grid))),
            "y": ((*place, "row"), np.broadcast_to(np.linspace(-1, 3, grid), (*shape, grid))),
            "corner": ((*place, "corner", "axis"), np.broadcast_to([[0, 0], [4, 0], [2, 2]], (*shape, 3, 2))),
        },
        coords=place,
    )
    return lines, planes


def table(main: Locator) -> list[list[float]]:
    rows = main.locator(".lmc-numbers tbody tr").all()
    return [[float(cell.replace("−", "-")) for cell in row.locator("td").all_inner_texts()] for row in rows]


def expected(lines: xr.Dataset, alpha: float, **at: Any) -> np.ndarray[Any, Any]:
    found = []
    for split in lines.split.values:
        row = []
        for name in ("loss", "error"):
            curve = lines[name].sel(split=split, **at).values.ravel()
            here, first, second = np.interp([alpha, 0, 1], lines.alpha.values, curve)
            row += [here, here - (1 - alpha) * first - alpha * second]
        found.append(row)
    return np.array(found)


def test_the_numbers_on_the_line_are_interpolated(page: Page) -> None:
    lines, planes = pairs()
    main = show(page, widgets.LineWalk(lines, planes))
    slider = main.get_by_role("slider", name="α")
    for alpha in (-0.25, 0.0, 0.37, 1.0, 1.25):
        slider.fill(str(alpha))
        error = np.abs(np.array(table(main)) - expected(lines, alpha, fork_epoch=0, parent=0))
        assert (error <= [0.0015, 0.0025, 0.06, 0.11]).all(), "four digits on the way, three and one decimals shown"
    main.get_by_role("combobox", name="Fork epoch").select_option(label="3")
    main.get_by_role("combobox", name="Siblings").select_option(label="parent 0, 0-1")
    error = np.abs(np.array(table(main)) - expected(lines, 1.25, fork_epoch=3, parent=0))
    assert (error <= [0.0015, 0.0025, 0.06, 0.11]).all()


def test_the_line_is_walked_by_key_and_by_dragging_on_the_plane(page: Page) -> None:
    main = show(page, widgets.LineWalk(*pairs()))
    slider = main.get_by_role("slider", name="α")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert float(slider.input_value()) == 0.51
    ground = main.locator(".lmc-plane")
    box = ground.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (1 + 3) / 6, box["y"] + box["height"] * 0.6)
    page.mouse.up()
    assert float(slider.input_value()) == pytest.approx(0.75, abs=0.011), "x = 3 of 4, on a map from -1 to 5"
    assert "3" in (ground.get_attribute("aria-label") or "")


@pytest.mark.parametrize("quantity", ["loss", "error"])
def test_the_line_is_walked_by_dragging_on_its_curves(page: Page, quantity: str) -> None:
    main = show(page, widgets.LineWalk(*pairs()))
    curve = main.get_by_role("img", name=f"{quantity} along the line")
    x = drag(page, curve, 60)
    axis = curve.locator(".lmc-axis > line:not(.lmc-grid)").last.bounding_box()
    assert axis is not None
    alpha = float(main.get_by_role("slider", name="α").input_value())
    assert alpha == pytest.approx(-0.25 + 1.5 * (x - axis["x"]) / axis["width"], abs=0.011), "from -0.25 to 1.25"
    error = np.abs(np.array(table(main)) - expected(pairs()[0], alpha, fork_epoch=0, parent=0))
    assert (error <= [0.0015, 0.0025, 0.06, 0.11]).all()


def test_the_reader_is_told_what_lies_between_the_measurements(page: Page) -> None:
    main = show(page, widgets.LineWalk(*pairs()))
    assert "Measured at 13 values of α; between them, straight lines." in main.inner_text()


def test_siblings_on_one_line_with_their_fork_have_no_plane_and_say_so(page: Page) -> None:
    main = show(page, widgets.LineWalk(*pairs()))
    main.get_by_role("combobox", name="Fork epoch").select_option(label="3")
    main.get_by_role("combobox", name="Siblings").select_option(label="parent 1, 0-1")
    assert "no plane" in main.locator("p[role=status]").inner_text()
    assert not main.locator(".lmc-plane").is_visible()
    main.get_by_role("combobox", name="Fork epoch").select_option(label="0")
    assert main.locator(".lmc-plane").is_visible()


def test_the_map_shows_the_heights(page: Page) -> None:
    lines, planes = pairs()
    low, high = 0.1, 10.0
    planes["loss"][0, 0] = low
    planes["loss"][0, 0, 0, 2:] = high
    main = show(page, widgets.LineWalk(lines, planes))
    read = """canvas => [0.3, 0.7].map((share) => [...canvas.getContext("2d")
        .getImageData(canvas.width / 2, share * canvas.height, 1, 1).data])"""
    above, below = main.locator(".lmc-plane canvas").evaluate(read)
    scene = page.evaluate("model.get('scene')")
    assert above == [*scene["ground"][-1], 255], "high rows are up"
    assert below == [*scene["ground"][0], 255]


def test_the_data_of_the_line_stay_small() -> None:
    lines, planes = pairs(forks=(0, 1, 2, 15), parents=3)
    assert len(json.dumps(widgets.LineWalk(lines, planes).scene)) < 60_000


def test_lines_and_planes_of_different_pairs_are_refused() -> None:
    lines, planes = pairs()
    with pytest.raises(ParameterError, match=r"^parent: expected the same in lines and planes, \[0, 1\], got"):
        widgets.LineWalk(lines, planes.isel(parent=[0]))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines, planes: (lines.expand_dims(epoch=[2]), planes), "lines.loss: expected the dimensions split, "),
        (lambda lines, planes: (lines.drop_vars("error"), planes), "lines.error: expected the dimensions split, "),
        (lambda lines, planes: (lines.isel(parent=0), planes.isel(parent=0)), "lines.loss: expected the dimensions "),
        (
            lambda lines, planes: (lines, planes.drop_vars("corner")),
            "planes.corner: expected the dimensions fork_epoch",
        ),
        (lambda lines, planes: (lines, planes.expand_dims(split=["train"])), "planes.loss: expected the dimensions "),
        (lambda lines, planes: (lines.sel(alpha=slice(0.2, 2)), planes), "alpha: expected increasing, from 0 or below"),
        (lambda lines, planes: (lines, planes, "fork"), "third: 'fork' is not known; did you mean 'fork_point'?"),
    ],
)
def test_data_of_another_shape_are_refused_in_one_line(change: Any, line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        widgets.LineWalk(*change(*pairs()))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hole", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["loss", "error"])
def test_an_epoch_before_a_fork_is_refused_and_the_fork_named(name: str, hole: float) -> None:
    lines, planes = pairs()
    lines[name].loc[{"fork_epoch": 3}] = hole
    with pytest.raises(
        ParameterError, match=rf"^lines\.{name}: expected finite numbers, .* at fork_epoch \[3\], parent \[0, 1\]"
    ):
        widgets.LineWalk(lines, planes)


def test_what_a_page_keeps_of_a_widget_is_json() -> None:
    for name, (make, _) in WIDGETS.items():
        widget = make()
        state = {key: getattr(widget, key) for key in widget.keys if isinstance(getattr(widget, key), (dict, list))}
        assert json.dumps(state, allow_nan=False), name
    assert json.dumps(widgets.LineWalk(pairs()[0], pairs()[1] * np.nan).scene, allow_nan=False)


WIDGETS = {
    "mountain": (lambda: widgets.Mountain(roots=list(toy.on_interval(8))), "[aria-label='minimum 4 of 8']"),
    "friends": (lambda: widgets.Friends(), "input[type=range]"),
    "line": (lambda: widgets.LineWalk(*pairs((0, 1, 2, 15), 3, steps=33, grid=25)), ".lmc-plane"),
}


@pytest.mark.parametrize("name", WIDGETS)
def test_a_drag_is_answered_at_once(page: Page, name: str) -> None:
    make, control = WIDGETS[name]
    main = show(page, make())
    assert np.median(reactions(page, main.locator(control))) < REACTION


@pytest.mark.parametrize("name", WIDGETS)
def test_every_control_has_a_name(page: Page, name: str) -> None:
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
    read = "all => [...new Set(all.map((one) => getComputedStyle(one)[one.closest('svg') ? 'fill' : 'color']))]"
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
def test_words_and_marks_stand_out_from_light_and_dark_paper(page: Page, name: str, paper: str) -> None:
    """4.5 for text and 3 for graphics, as in WCAG 2, 1.4.3 and 1.4.11; grid and chord are faint on purpose."""
    ground, ink = PAPERS[paper]
    page.emulate_media(reduced_motion="reduce")
    main = show(page, WIDGETS[name][0](), style=f"body {{ background: {ground}; color: {ink}; }}", steps=50)
    if name == "friends":
        main.get_by_role("button", name="Sweep").click()
        page.wait_for_function("model.get('tally').length === 6")
    choice = main.get_by_role("combobox", name="Fork epoch")
    for fork in range(4 if name == "line" else 1):
        if name == "line":
            choice.select_option(index=fork)
        words = main.locator("p, th, td, label, h4, select, button:enabled:not(.lmc-main)").evaluate_all(CONTRAST)
        marks = main.locator(".lmc-picture :is(.lmc-curve, .lmc-guess, .lmc-train, .lmc-test, .lmc-plumb)")
        stems = main.locator(".lmc-picture :is(.lmc-barrier, .lmc-result) line")
        assert min(words) >= 4.5
        marks.or_(stems).first.wait_for(state="attached")  # drawn after the words
        assert min(marks.evaluate_all(CONTRAST) + stems.evaluate_all(CONTRAST)) >= 3


@pytest.mark.parametrize(
    ("make", "changed", "line"),
    [
        (lambda: widgets.Mountain(), {"roots": None}, "roots: expected 2 to 8 finite numbers, got null"),
        (lambda: widgets.Mountain(), {"roots": [1]}, "roots: expected 2 to 8 finite numbers, got [1]"),
        (lambda: widgets.Friends(), {"steps": 0.5}, "steps: expected a whole number from 1 on, got 0.5"),
        (lambda: widgets.Friends(), {"solutions": None}, "solutions: expected at least two points in the plane"),
        (lambda: widgets.Friends(), {"colours": None}, "colours: expected a list of colours"),
        (lambda: widgets.LineWalk(*pairs()), {"scene": None}, "scene: expected alphas, forks, pairs"),
        (lambda: widgets.LineWalk(*pairs()), {"scene": {"alphas": [0, 1]}}, "scene: expected forks, pairs"),
    ],
)
def test_missing_data_is_told_in_place(page: Page, make: Any, changed: dict[str, Any], line: str) -> None:
    main = show(page, make(), **changed)
    assert line in main.get_by_role("alert").inner_text()


@pytest.mark.parametrize("name", WIDGETS)
def test_a_narrow_page_shows_all_of_it(page: Page, name: str) -> None:
    page.set_viewport_size({"width": 360, "height": 900})
    show(page, WIDGETS[name][0]())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"solutions": [[0, 0]]}, "solutions: expected at least two points in the plane, got"),
        ({"solutions": [[0, 0], [0, 0]]}, "solutions: expected solutions with barriers between them"),
        ({"solutions": "abc"}, "solutions: expected at least two points in the plane, got 'abc'"),
        ({"steps": 1.5}, "steps: expected a whole number, got 1.5"),
        ({"steps": 0}, "steps: expected a finite number from 1 on, got 0"),
        ({"temperature": -1}, "temperature: expected a finite number from 0 on, got -1"),
        ({"cooling": 0}, "cooling: expected a finite number above 0, got 0"),
        ({"seed": -1}, "seed: expected a finite number from 0 on, got -1"),
        ({"step_size": 1.0}, "step_size: expected above 0 and below 0.0"),
    ],
)
def test_wrong_settings_are_told_in_one_line(given: dict[str, Any], line: str) -> None:
    with pytest.raises((ParameterError, traitlets.TraitError)) as caught:
        widgets.Friends(**given)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
