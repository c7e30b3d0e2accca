"""The difference explorer: its numbers are the measured ones, at every epoch, and invalid arrays are rejected."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr
from playwright.sync_api import Locator, Page
from widget_pages import compute, differences, drag, show

from lmc_utils.settings import ParameterError
from lmc_utils.widgets import DifferenceExplorer

SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def as_number(text: str) -> float:
    lead, _, power = text.rpartition("10") if "⁻" in text else (text, "", "0")
    factor = float(lead.replace(" × ", "").replace("−", "-") or 1)
    return float(f"{factor}e{power.translate(SUPERSCRIPTS)}")


def table(main: Locator) -> dict[str, tuple[float, str]]:
    rows = [row.locator("th, td").all_inner_texts() for row in main.locator(".lmc-numbers tbody tr").all()]
    return {name: (as_number(distance), barrier.replace("−", "-")) for name, distance, barrier in rows}


def expected(distance: xr.DataArray, error: xr.DataArray, **at: int) -> dict[str, tuple[float, str]]:
    curves = error.sel(at).transpose("difference", "alpha").values
    barriers = curves[:, 2] - (curves[:, 0] + curves[:, -1]) / 2
    rows = zip(distance.difference.values, distance.sel(at).values, barriers, strict=True)
    return {str(name): (float(f"{apart:.3g}"), f"{barrier:.1f}") for name, apart, barrier in rows if np.isfinite(apart)}


def test_the_numbers_at_each_fork_and_epoch_are_those_of_the_data(page: Page) -> None:
    distance, error = differences()
    main = show(page, DifferenceExplorer(distance, error))
    slider = main.get_by_role("slider", name="Epoch")
    for index, fork in enumerate(distance.fork_epoch.values):
        main.get_by_role("combobox", name="Fork epoch").select_option(index=index)
        for epoch in range(fork, 5):
            slider.fill(str(epoch))
            assert table(main) == expected(distance, error, fork_epoch=fork, epoch=epoch)


def test_choosing_a_difference_changes_the_text_and_the_curves(page: Page) -> None:
    distance, error = differences()
    main = show(page, DifferenceExplorer(distance, error, caption="Made-up siblings."))
    main.get_by_role("combobox", name="Difference").select_option(label="one weight")
    main.get_by_role("slider", name="Epoch").fill("3")
    apart, barrier = expected(distance, error, fork_epoch=0, epoch=3)["one weight"]
    words = main.locator("p[role=status]").inner_text().removesuffix(" points.").replace("−", "-")
    before, _, shown_barrier = words.partition(", midpoint barrier ")
    assert (as_number(before.removeprefix("Epoch 3: distance ")), shown_barrier) == (apart, barrier)
    assert main.locator("[aria-current] th").inner_text() == "one weight"
    assert "one weight, fork at epoch 0" in (main.get_by_role("img").first.get_attribute("aria-label") or "")
    lines = main.get_by_role("img", name="Training error along the line")
    assert lines.locator(".lmc-others").count() == 3, "epochs 0 to 2"
    drawn = lines.locator(".lmc-train").get_attribute("d") or ""
    heights = np.array([float(point.split()[1]) for point in drawn.removeprefix("M").split("L")])
    curve = error.sel(difference="one weight", fork_epoch=0, epoch=3).values
    assert np.corrcoef(heights, curve)[0, 1] == pytest.approx(-1, abs=1e-4), "y points down; three digits"
    assert "Made-up siblings." in main.inner_text()


def test_play_runs_from_the_fork_to_the_last_epoch_and_is_then_announced(page: Page) -> None:
    main = show(page, DifferenceExplorer(*differences(epochs=4)))
    status, slider = main.locator("p[role=status]"), main.get_by_role("slider", name="Epoch")
    main.get_by_role("combobox", name="Fork epoch").select_option(label="2")
    main.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    assert slider.input_value() == "2"
    assert main.get_by_role("button", name="Pause").is_visible()
    assert status.get_attribute("aria-live") == "off"
    main.get_by_role("button", name="Play").wait_for()
    assert slider.input_value() == "3"
    assert status.get_attribute("aria-live") == "polite"
    assert status.inner_text().startswith("Epoch 3: ")


def test_the_epoch_is_moved_by_key_and_by_dragging_which_pause(page: Page) -> None:
    main = show(page, DifferenceExplorer(*differences()))
    slider = main.get_by_role("slider", name="Epoch")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "3"
    main.get_by_role("button", name="Play").click()
    growth = main.get_by_role("img", name="Distance between the siblings by epoch")
    x = drag(page, growth, 40)
    assert main.get_by_role("button", name="Play").is_visible()
    axis = growth.locator(".lmc-axis > line:not(.lmc-grid)").last.bounding_box()
    assert axis is not None
    assert float(slider.input_value()) == round(4 * (x - axis["x"]) / axis["width"])


def test_a_difference_without_values_at_a_fork_is_not_offered_there(page: Page) -> None:
    main = show(page, DifferenceExplorer(*differences()))
    choice = main.get_by_role("combobox", name="Difference")
    choice.select_option(label="another data order")
    main.get_by_role("slider", name="Epoch").fill("0")
    assert main.locator("p[role=status]").inner_text().startswith("Epoch 0: distance 0, ")
    assert main.locator(".lmc-dot").count() == 0, "0 has no place on a logarithmic axis"
    main.get_by_role("combobox", name="Fork epoch").select_option(label="2")
    assert list(table(main)) == ["noise 1e-6", "one weight"]
    assert choice.evaluate("one => one.selectedOptions[0].textContent") == "noise 1e-6"
    assert choice.locator("option:disabled").all_inner_texts() == ["another data order"]


def test_the_axis_has_whole_decades(page: Page) -> None:
    for values, ends in [([0, 3e-5, 0.2], [1e-5, 1]), ([10], [10, 100]), ([0, None], [1, 10])]:
        found = compute(page, "chart.js", "difference_explorer.js", expression="decadesAround(values)", values=values)
        assert found == pytest.approx(ends)


def test_the_data_stay_small() -> None:
    where = {"difference": [f"noise 1e-{k}" for k in range(8)], "fork_epoch": [0, 1, 2, 15], "epoch": range(41)}
    random = np.random.default_rng(0)
    error = xr.DataArray(random.uniform(0, 90, (8, 4, 41, 9)), where | {"alpha": np.linspace(0, 1, 9)})
    scene = DifferenceExplorer(error.isel(alpha=0, drop=True) * 1e-4, error).scene
    assert len(json.dumps(scene)) < 90_000


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda d, e: (d.isel(epoch=0), e), "distance must be an array with the dimensions difference, fork_epoch, ep"),
        (lambda d, e: (d, e.isel(alpha=0)), "error must be an array with the dimensions difference, fork_epoch, ep"),
        (lambda d, e: (d.isel(epoch=[0]), e), "epoch must be the same in distance and error, [0] (got [0, 1, "),
        (lambda d, e: (d[..., ::-1], e.isel(epoch=slice(None, None, -1))), "epoch must be increasing (got [4, 3, 2"),
        (lambda d, e: (d, e.sel(alpha=[0, 0.25, 1])), "alpha must be values that include 0, 0.5 and 1 (got [0.0, 0.25"),
        (lambda d, e: (d, e.where(e.epoch != 3)), "error must be finite and >= 0 from the fork on; it is not at "
                                                   "difference noise 1e-6, fork_epoch 0, epoch 3"),
        (lambda d, e: (d.where(d.epoch != 3, -1), e), "distance must be finite and >= 0 from the fork on; it is not at "
                                                      "difference noise 1e-6, fork_epoch 0, epoch 3"),
        (lambda d, e: (d.where(d.fork_epoch == 0), e), "distance has no value at or after fork epoch 2"),
    ],
)  # fmt: skip
def test_invalid_arrays_are_one_line_errors(change: Any, line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        DifferenceExplorer(*change(*differences()))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
