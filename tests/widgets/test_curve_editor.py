"""The curve editor: its numbers are those of the grid, and invalid planes are rejected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from playwright.sync_api import Locator, Page
from scipy.interpolate import RegularGridInterpolator
from widget_pages import bend_planes, compute, show

from lmc_utils import widgets
from lmc_utils.measure.curves import CurveSettings
from lmc_utils.settings import ParameterError


def expected(plane: xr.Dataset, bend: tuple[float, float]) -> list[float]:
    """Highest loss, error barrier and length over distance, by `connect`'s curve and SciPy's interpolation."""
    t = torch.linspace(0, 1, 201, dtype=torch.float64)
    nodes = np.array([plane.corner.values[0], bend, plane.corner.values[1]])
    points = CurveSettings().weights(t).numpy() @ nodes
    axes = (plane.y.values, plane.x.values)
    loss, error = (
        RegularGridInterpolator(axes, heights)(points[:, ::-1])
        for heights in (np.log(plane.loss.values), plane.error.values)
    )
    length = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    return [np.exp(loss.max()), error.max() - (error[0] + error[-1]) / 2, length / 4]


def drag_bend(page: Page, main: Locator, across: float, down: float) -> None:
    """Drag from the middle of the map to these fractions of its width and height."""
    ground = main.locator(".lmc-plane")
    ground.scroll_into_view_if_needed()
    box = ground.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down, steps=3)
    page.mouse.up()


def table(main: Locator) -> list[list[float]]:
    rows = main.locator(".lmc-numbers tbody tr").all()
    return [[float(cell.replace("−", "-")) for cell in row.locator("td").all_inner_texts()] for row in rows]


def agrees(shown: list[float], truth: list[float]) -> bool:
    return bool((np.abs(np.array(shown) - truth) <= [0.006, 0.06, 0.0051]).all())


def test_the_numbers_are_those_of_the_curve_on_the_grid(page: Page) -> None:
    data = bend_planes()
    main = show(page, widgets.CurveEditor(data))
    for index, fork in enumerate((0, 3)):
        main.get_by_role("combobox", name="Fork epoch").select_option(label=str(fork))
        mine, trained, straight = table(main)
        plane = data.isel(fork_epoch=index)
        assert mine == trained
        assert agrees(trained, expected(plane, (2, 3)))
        assert agrees(straight, expected(plane, (2, 0)))
        assert straight[2] == 1


def test_the_bend_is_dragged_on_the_plane_and_moved_by_key(page: Page) -> None:
    data = bend_planes()
    main = show(page, widgets.CurveEditor(data))
    # The map shows 6 by 6 around (2, 1.5), and its upper side is up.
    drag_bend(page, main, (1 + 3) / 6, (4.5 - 2) / 6)
    assert agrees(table(main)[0], expected(data.isel(fork_epoch=0), (3, 2)))
    sideways = main.get_by_role("slider", name="Bend away from the line")
    before = float(sideways.input_value())
    sideways.focus()
    page.keyboard.press("ArrowRight")
    assert float(sideways.input_value()) == pytest.approx(before + 0.001, abs=1e-6)
    main.get_by_role("button", name="Straight line").click()
    mine, _, straight = table(main)
    assert mine == straight
    main.get_by_role("button", name="Trained bend").click()
    mine, trained, _ = table(main)
    assert mine == trained


def test_a_bend_dragged_off_the_map_stops_at_its_edge(page: Page) -> None:
    data = bend_planes()
    main = show(page, widgets.CurveEditor(data))
    drag_bend(page, main, 1.5, 0.5)
    assert agrees(table(main)[0], expected(data.isel(fork_epoch=0), (5, 1.5)))


def test_a_grid_point_has_its_own_height(page: Page) -> None:
    values = list(np.random.default_rng(2).random(12))
    given = {"values": values, "plane": {"x": [-1, 5], "y": [0, 1]}}
    found = compute(
        page,
        "chart.js",
        "plane_map.js",
        "curve_editor.js",
        expression="[[-1, 0], [5, 0], [1, 0.5], [5, 1]].map((at) => interpolateOnPlane(values, [4, 3], plane, at))",
        **given,
    )
    assert found == pytest.approx([values[0], values[3], values[5], values[11]])


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda found: found.drop_vars("error"),
            "planes.error must be an array with the dimensions fork_epoch, row, column",
        ),
        (
            lambda found: found.expand_dims(parent=[0]),
            "planes.loss must be an array with the dimensions fork_epoch, row, column",
        ),
        (lambda found: found.assign_attrs(third="fork_point"), "planes must be planes through a bend (got "),
        (lambda found: found.assign(loss=-found.loss), "planes.loss must be > 0 everywhere"),
        (lambda found: found.assign(corner=found.corner * 2), "planes: at fork epoch "),
        (lambda found: found.assign(loss=found.loss * np.nan), "planes: no fork epoch has finite heights"),
    ],
)
def test_unsuitable_planes_are_one_line_errors(change: Any, line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        widgets.CurveEditor(change(bend_planes()))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_fork_epoch_without_a_plane_is_left_out() -> None:
    data = bend_planes()
    data["loss"][1] = np.nan
    assert widgets.CurveEditor(data).scene["forks"] == [0]
