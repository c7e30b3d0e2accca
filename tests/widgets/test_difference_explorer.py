"""The difference explorer: its numbers are the measured ones, it plays and follows keys, and rejects invalid data."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from playwright.sync_api import Locator, Page, expect
from widget_pages import show

from lmc_utils.settings import ParameterError
from lmc_utils.widgets import difference_explorer

DIFFERENCES, FORKS, EPOCHS, ALPHAS = ["noise 1e-6", "data order"], [0, 2], list(range(6)), [0.0, 0.25, 0.5, 0.75, 1.0]


def measured() -> tuple[xr.DataArray, xr.DataArray]:
    coords = {"difference": DIFFERENCES, "fork_epoch": FORKS, "epoch": EPOCHS}
    generator = np.random.default_rng(0)
    distance = xr.DataArray(generator.uniform(1e-5, 10, (2, 2, 6)), coords)
    error = xr.DataArray(generator.uniform(0, 50, (2, 2, 6, 5)), {**coords, "alpha": ALPHAS})
    after = distance.epoch >= distance.fork_epoch
    return distance.where(after), error.where(after)


def table(main: Locator) -> list[list[float]]:
    main.locator(".lmc-numbers tbody td").first.wait_for()
    rows = main.locator(".lmc-numbers tbody tr").all()
    texts = [[cell.replace("−", "-") for cell in row.locator("td, th").all_inner_texts()[-2:]] for row in rows]
    return [[float(text) for text in row] for row in texts]


def expected(fork: int, epoch: int) -> np.ndarray:
    distance, error = (each.sel(fork_epoch=fork, epoch=epoch) for each in measured())
    barrier = error.sel(alpha=0.5) - (error.sel(alpha=0) + error.sel(alpha=1)) / 2
    return np.stack([distance.values, barrier.values], 1)


def test_the_numbers_are_those_of_the_chosen_fork_and_epoch(page: Page) -> None:
    main = show(page, difference_explorer(*measured()))
    np.testing.assert_allclose(table(main), expected(0, 5), rtol=0.006, atol=0.06)
    main.get_by_role("combobox", name="Fork epoch").select_option(label="2")
    main.get_by_role("combobox", name="Difference").select_option(label="data order")
    slider = main.get_by_role("slider", name="Epoch")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    np.testing.assert_allclose(table(main), expected(2, 4), rtol=0.006, atol=0.06)
    distance, barrier = expected(2, 4)[1]
    expect(main.locator(".lmc-status")).to_contain_text(f"Epoch 4: distance {distance:.3g}")
    expect(main.locator(".lmc-status")).to_contain_text(f"{abs(barrier):.1f} points")
    page.keyboard.press("Home")
    np.testing.assert_allclose(table(main), expected(2, 2), rtol=0.006, atol=0.06)


def test_play_goes_from_the_fork_to_the_last_epoch(page: Page) -> None:
    main = show(page, difference_explorer(*measured()))
    main.get_by_role("combobox", name="Fork epoch").select_option(label="2")
    main.get_by_role("button", name="Play").click()
    expect(main.locator(".lmc-status")).to_contain_text("Epoch 2")
    expect(main.locator(".lmc-status")).to_contain_text("Epoch 5", timeout=10_000)
    expect(main.get_by_role("button", name="Play")).to_be_visible()


def test_invalid_data_is_rejected_in_one_line() -> None:
    distance, error = measured()
    with pytest.raises(ParameterError, match=r"distance must be finite and >= 0 .* fork_epoch 2, epoch 3\)"):
        difference_explorer(distance.where((distance.fork_epoch != 2) | (distance.epoch != 3)), error)
    with pytest.raises(ParameterError, match=r"alpha must be values that include 0, 0\.5 and 1"):
        difference_explorer(distance, error.sel(alpha=[0, 0.25, 1]))
    with pytest.raises(ParameterError, match="epoch must be the same in distance and error"):
        difference_explorer(distance, error.isel(epoch=slice(1, None)))


def test_the_widget_of_the_book_is_small() -> None:
    coords = {"difference": list("abcdefgh"), "fork_epoch": [0, 1, 2, 15], "epoch": range(41)}
    random = np.random.default_rng(0).uniform(1, 90, (8, 4, 41, 9))
    error = xr.DataArray(random, {**coords, "alpha": np.linspace(0, 1, 9)})
    assert len(json.dumps(difference_explorer(error.isel(alpha=0, drop=True), error).scene)) < 100_000
