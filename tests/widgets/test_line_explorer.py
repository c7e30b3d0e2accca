"""The line explorer: its numbers are the measured ones, and invalid lines are rejected."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr
from playwright.sync_api import Locator, Page
from widget_pages import drag, pairs, show

from lmc_utils import widgets
from lmc_utils.settings import ParameterError


def table(main: Locator) -> list[list[float]]:
    main.locator(".lmc-numbers tbody td").first.wait_for()
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
    main = show(page, widgets.LineExplorer(lines, planes))
    slider = main.get_by_role("slider", name="α")
    for alpha in (-0.25, 0.0, 0.37, 1.0, 1.25):
        slider.fill(str(alpha))
        error = np.abs(np.array(table(main)) - expected(lines, alpha, fork_epoch=0, parent=0))
        assert (error <= [0.0015, 0.0025, 0.06, 0.11]).all(), "four digits on the way, three and one decimals shown"
    main.get_by_role("combobox", name="Fork epoch").select_option(label="3")
    main.get_by_role("combobox", name="Siblings").select_option(label="parent 0, 0-1")
    error = np.abs(np.array(table(main)) - expected(lines, 1.25, fork_epoch=3, parent=0))
    assert (error <= [0.0015, 0.0025, 0.06, 0.11]).all()


def test_the_position_is_moved_by_key_and_by_dragging_on_the_plane(page: Page) -> None:
    main = show(page, widgets.LineExplorer(*pairs()))
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
def test_the_position_is_moved_by_dragging_on_the_curves(page: Page, quantity: str) -> None:
    main = show(page, widgets.LineExplorer(*pairs()))
    curve = main.get_by_role("img", name=f"{quantity} along the line")
    x = drag(page, curve, 60)
    axis = curve.locator(".lmc-axis > line:not(.lmc-grid)").last.bounding_box()
    assert axis is not None
    alpha = float(main.get_by_role("slider", name="α").input_value())
    assert alpha == pytest.approx(-0.25 + 1.5 * (x - axis["x"]) / axis["width"], abs=0.011), "from -0.25 to 1.25"
    error = np.abs(np.array(table(main)) - expected(pairs()[0], alpha, fork_epoch=0, parent=0))
    assert (error <= [0.0015, 0.0025, 0.06, 0.11]).all()


def test_interpolated_values_are_labelled(page: Page) -> None:
    main = show(page, widgets.LineExplorer(*pairs()))
    assert "Measured at 13 values of α; between them, straight lines." in main.inner_text()


def test_siblings_collinear_with_their_fork_point_have_no_plane(page: Page) -> None:
    main = show(page, widgets.LineExplorer(*pairs()))
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
    main = show(page, widgets.LineExplorer(lines, planes))
    read = """canvas => [0.3, 0.7].map((share) => [...canvas.getContext("2d")
        .getImageData(canvas.width / 2, share * canvas.height, 1, 1).data])"""
    above, below = main.locator(".lmc-plane canvas").evaluate(read)
    scene = page.evaluate("model.get('scene')")
    assert above == [*scene["ground"][-1], 255], "high rows are up"
    assert below == [*scene["ground"][0], 255]


def test_the_data_of_the_line_stay_small() -> None:
    lines, planes = pairs(forks=(0, 1, 2, 15), parents=3)
    assert len(json.dumps(widgets.LineExplorer(lines, planes).scene)) < 60_000


def test_lines_and_planes_of_different_pairs_are_rejected() -> None:
    lines, planes = pairs()
    with pytest.raises(ParameterError, match=r"^parent must be the same in lines and planes, \[0, 1\] \(got \[0\]\)"):
        widgets.LineExplorer(lines, planes.isel(parent=[0]))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda lines, planes: (lines.expand_dims(epoch=[2]), planes),
            "lines.loss must be an array with the dimensions split, ",
        ),
        (
            lambda lines, planes: (lines.drop_vars("error"), planes),
            "lines.error must be an array with the dimensions split, ",
        ),
        (
            lambda lines, planes: (lines.isel(parent=0), planes.isel(parent=0)),
            "lines.loss must be an array with the dimensions ",
        ),
        (
            lambda lines, planes: (lines, planes.drop_vars("corner")),
            "planes.corner must be an array with the dimensions fork_epoch",
        ),
        (
            lambda lines, planes: (lines, planes.expand_dims(split=["train"])),
            "planes.loss must be an array with the dimensions ",
        ),
        (
            lambda lines, planes: (lines.sel(alpha=slice(0.2, 2)), planes),
            "alpha must be increasing, and include 0 and 1",
        ),
    ],
)
def test_data_of_another_shape_are_one_line_errors(change: Any, line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        widgets.LineExplorer(*change(*pairs()))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hole", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["loss", "error"])
def test_an_epoch_before_a_fork_is_rejected_and_the_fork_named(name: str, hole: float) -> None:
    lines, planes = pairs()
    lines[name].loc[{"fork_epoch": 3}] = hole
    with pytest.raises(
        ParameterError, match=rf"^lines\.{name} is NaN or infinite at fork_epoch \[3\], parent \[0, 1\]"
    ):
        widgets.LineExplorer(lines, planes)
