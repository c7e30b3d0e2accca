"""Widgets on separate pages in a browser, with a model without a kernel; and data for some of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from playwright.sync_api import Locator, Page

from lmc_utils.widgets.assets import join_scripts

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


def show(page: Page, widget: Any, style: str = "", **changed: Any) -> Locator:
    """Show a widget on a page with a model without a kernel, and wait until it is drawn."""
    values = {name: getattr(widget, name) for name in widget.trait_names(sync=True) if not name.startswith("_")}
    values = {name: value for name, value in values.items() if name not in ("layout", "tabbable", "tooltip", "comm")}
    page.set_content(f"<style>{style} {widget._css}</style><main></main>")
    page.evaluate(MODEL.replace("VALUES", json.dumps(values | changed)))
    page.evaluate(
        """async (source) => {
            const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
            window.stop = module.default.render({ model: window.model, el: document.querySelector("main") });
            const frame = () => new Promise(requestAnimationFrame);
            await frame(); // its size is observed, and the widget drawn, at the end of this frame
            await frame();
        }""",
        widget._esm,
    )
    return page.locator("main")


def compute(page: Page, *names: str, expression: str, **given: Any) -> Any:
    """Evaluate an expression of functions in JavaScript files."""
    return page.evaluate(
        """async ([source, expression, given]) => {
            const names = [...source.matchAll(/^export (?:function\\*?|const) (\\w+)/gm)].map((match) => match[1]);
            const all = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
            const known = { ...given, ...Object.fromEntries(names.map((name) => [name, all[name]])) };
            return new Function(...Object.keys(known), `return ${expression}`)(...Object.values(known));
        }""",
        [join_scripts(*names), expression, given],
    )


def drag(page: Page, control: Locator, way: float, steps: int = 4) -> float:
    """Drag the mouse sideways from the middle of a control by so many pixels; return its last x."""
    box = control.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + way, y, steps=steps)
    page.mouse.up()
    return x + way


def reactions(page: Page, control: Locator) -> list[float]:
    """Milliseconds from each event of a drag to the end of the frame that shows it."""
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
            "corner": ((*place, "point", "axis"), np.broadcast_to([[0, 0], [4, 0], [2, 2]], (*shape, 3, 2))),
        },
        coords=place,
        attrs={"third": "fork_point"},
    )
    return lines, planes


def differences(forks: tuple[int, ...] = (0, 2), epochs: int = 5) -> tuple[xr.DataArray, xr.DataArray]:
    """Distances and errors of made-up siblings; the last difference is 0 at the fork, and unknown at the last fork."""
    random = np.random.default_rng(2)
    where = {"difference": ["noise 1e-6", "one weight", "another data order"], "fork_epoch": list(forks)}
    coords: dict[str, Any] = where | {"epoch": list(range(epochs)), "alpha": [0, 0.25, 0.5, 0.75, 1]}
    error = xr.DataArray(random.uniform(0, 90, [len(labels) for labels in coords.values()]), coords)
    distance = 10 ** error.isel(alpha=0, drop=True).copy(data=random.uniform(-6, 1, error.shape[:-1]))
    distance = distance.where((distance.difference != "another data order") | (distance.epoch > distance.fork_epoch), 0)
    known = (error.epoch >= error.fork_epoch) & (
        (error.difference != "another data order") | (error.fork_epoch != forks[-1])
    )
    return distance.where(known), error.where(known)


def bend_planes(forks: tuple[int, ...] = (0, 3), grid: int = 9) -> xr.Dataset:
    """Planes of made-up networks, 4 apart, with a bend at the midpoint and 3 to the side."""
    random = np.random.default_rng(1)
    shape = (len(forks), grid, grid)
    return xr.Dataset(
        {
            "loss": (("fork_epoch", "row", "column"), random.uniform(0.1, 10, shape)),
            "error": (("fork_epoch", "row", "column"), random.uniform(0, 90, shape)),
            "x": (("fork_epoch", "column"), np.tile(np.linspace(-1, 5, grid), (len(forks), 1))),
            "y": (("fork_epoch", "row"), np.tile(np.linspace(-1, 4, grid), (len(forks), 1))),
            "corner": (("fork_epoch", "point", "axis"), np.tile([[0.0, 0], [4, 0], [2, 3]], (len(forks), 1, 1))),
        },
        coords={"fork_epoch": list(forks)},
        attrs={"third": "bend"},
    )


def recipes() -> tuple[xr.DataArray, xr.Dataset, list[dict[str, Any]]]:
    """Lines, statistics and claims of made-up recipes.

    The second claim is not about the third recipe; the last claim has no value for each parent, and nothing at all for
    the last recipe, whose lines were not measured either. The third recipe has no late line and fewer parents.
    """
    random = np.random.default_rng(3)
    where: dict[str, Any] = {
        "recipe": ["MLP, ReLU · MNIST-1D", "MLP, GELU · MNIST-1D", "CNN", "ResNet-8 · CIFAR-10"],
        "fork": ["first", "early", "late"],
        "alpha": [0, 0.25, 0.5, 0.75, 1.0],
    }
    errors = xr.DataArray(random.uniform(0, 90, (4, 3, 5)), where)
    errors[2, 2] = errors[3] = np.nan
    estimate = np.array([[4, -3, 2.345, 1], [0.5, 1.5, np.nan, -1.2345], [0.3, 0.95, -0.123, np.nan]])
    half = np.array([[1, 0.5, 1, 0.5], [0.2, 0.75, np.nan, 0.345], [0.1, 0.03, 0.23, np.nan]])
    values = estimate[..., None] + random.normal(0, 1, (3, 4, 5))
    values[:, 2, 3:] = values[2] = np.nan
    outcomes = [
        ["holds", "fails", "cannot tell", "cannot tell"],
        ["cannot tell", "cannot tell", "", "fails"],
        ["cannot tell", "holds", "cannot tell", "cannot tell"],
    ]
    pair = ("claim", "recipe")
    statistics = xr.Dataset(
        {"estimate": (pair, estimate), "low": (pair, estimate - half), "high": (pair, estimate + half)}
        | {"outcome": (pair, np.array(outcomes, dtype="<U11")), "values": ((*pair, "parent"), values)},
        {"claim": ["barrier", "trace", "rank"], "recipe": where["recipe"]},
    )
    claims: list[dict[str, Any]] = [
        {"statement": "There is a barrier.", "axis": "value", "unit": "points", "rules": [["at least", 2.0]]},
        {
            "statement": "The trace is the same.",
            "axis": "value",
            "unit": "",
            "rules": [["above", -0.8], ["below", 0.8]],
        },
        {"statement": "The formula ranks barriers.", "axis": "value", "unit": "", "rules": [["above", 0.0]]},
    ]
    return errors, statistics, claims
