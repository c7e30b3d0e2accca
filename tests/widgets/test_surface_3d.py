"""Rotatable surfaces in a real browser, and the static figure without JavaScript."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from synthetic_plane import CORNERS, FORKS, synthetic_plane

from lmc_utils.settings import ParameterError
from lmc_utils.widgets import Surface3D


@pytest.fixture(scope="module")
def surface() -> Surface3D:
    return Surface3D(*synthetic_plane())


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 800, "height": 700})
    opened.on("pageerror", lambda error: pytest.fail(str(error)))
    yield opened
    opened.close()


def show(page: Page, surface: Surface3D, tmp_path: Path, change: str = "") -> None:
    html = surface._repr_html_()
    (tmp_path / "surface_3d.html").write_text(f"<!doctype html><html><body>{change}{html}</body></html>")
    page.goto((tmp_path / "surface_3d.html").as_uri())


def test_the_scene_contains_the_given_numbers(surface: Surface3D) -> None:
    planes, _ = synthetic_plane()
    found = json.loads(re.findall(r"-scene\">(.*?)</script>", surface._repr_html_())[0])
    assert [panel["label"] for panel in found["panels"]] == [str(fork) for fork in FORKS]
    for panel, fork in zip(found["panels"], FORKS, strict=True):
        np.testing.assert_allclose(panel["z"], np.log10(planes.loss.sel(fork_epoch=fork)), atol=1e-4)
        np.testing.assert_allclose(panel["x"], planes.x.sel(fork_epoch=fork), atol=1e-4)
        assert panel["corners"] == CORNERS
        assert panel["trajectories"] == [[CORNERS[2], CORNERS[0]], [CORNERS[2], CORNERS[1]]]
        assert f"Fork at epoch {fork}" in panel["description"]


def test_forks_without_a_plane_are_skipped() -> None:
    planes, trajectories = synthetic_plane()
    half = Surface3D(planes.where(planes.fork_epoch == 0), trajectories)
    assert [panel["label"] for panel in half.scene["panels"]] == ["0"]
    with pytest.raises(ParameterError, match="there is none, as all points lie on one line"):
        Surface3D(planes.where(planes.fork_epoch < 0), trajectories)


def test_figures_of_one_page_have_distinct_ids(surface: Surface3D) -> None:
    planes, trajectories = synthetic_plane()
    names = {
        re.findall(r'id="(lmc-surface-\w+)"', each._repr_html_())[0]
        for each in (surface, Surface3D(planes, trajectories, show="error"))
    }
    assert len(names) == 2


def test_it_turns_by_key_and_by_drag_and_shows_every_fork(page: Page, surface: Surface3D, tmp_path: Path) -> None:
    show(page, surface, tmp_path)
    canvas = page.locator("canvas")
    seen = [canvas.screenshot()]

    def changed() -> bool:
        seen.append(canvas.screenshot())
        return seen[-1] != seen[-2]

    page.get_by_role("radio", name="2", exact=True).check()
    assert changed()
    assert "Fork at epoch 2" in str(canvas.get_attribute("aria-label"))
    start = seen[-1]
    canvas.focus()
    changed()  # the ring that shows the focus
    for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
        assert changed(), key
    page.keyboard.press("a")
    assert not changed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 350, box["y"] + 220)
    page.mouse.up()
    assert changed()
    page.get_by_role("button", name="Reset view").click()
    changed()
    assert seen[-1] == start


def test_trajectories_are_drawn_and_occluded(page: Page, tmp_path: Path) -> None:
    """Two walls run across a plain; from the viewpoint, the near one hides the trajectory behind it."""
    planes, trajectories = synthetic_plane()
    white = """canvas => { const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let count = 0;
        for (let at = 0; at < data.length; at += 4)
            count += data[at] > 245 && data[at + 1] > 245 && data[at + 2] > 245 && data[at + 3] > 250;
        return count; }"""

    def count(heights: Any, seen: Any) -> int:
        show(page, Surface3D(planes.assign(loss=heights.assign_attrs(units="nats")), seen), tmp_path)
        found: int = page.locator("canvas").evaluate(white)
        return found

    flat = planes.loss * 0 + 1
    flat[:, -1, -1] = 1.01  # a plain needs a range
    with_trajectories, without = count(flat, trajectories), count(flat, trajectories * np.nan)
    assert with_trajectories > without + 100
    walled = flat.copy()
    walled[{"row": 0}] = 1e4
    far = flat.copy()
    far[{"row": -1}] = 1e4
    hidden = [count(heights, trajectories) - count(heights, trajectories * np.nan) for heights in (walled, far)]
    assert min(hidden) < 0.6 * max(hidden), "one of the two walls stands between the reader and the trajectories"


def test_heights_between_grid_points_follow_the_tiles(page: Page, surface: Surface3D, tmp_path: Path) -> None:
    source = Path(__file__).parents[2].joinpath("lmc_utils", "widgets", "static", "surface_3d.js").read_text()
    page.set_content("<p></p>")
    panel = {"x": [0, 1, 2], "y": [0, 2, 4], "z": [[0, 1, 2], [2, 3, 4], [4, 5, 6]]}  # x + y
    found = page.evaluate(
        """async ([source, panel, spots]) => {
            const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const { level } = await import(address);
            return spots.map(([x, y]) => level(panel, x, y));
        }""",
        [source, panel, [[0.3, 0.4], [1.5, 3.0], [2, 4], [-1, 0]]],
    )
    np.testing.assert_allclose(found, [0.7, 4.5, 6, 0])


def test_a_failing_script_leaves_the_static_figure_and_a_reason(page: Page, surface: Surface3D, tmp_path: Path) -> None:
    show(page, surface, tmp_path, "<script>window.ResizeObserver = undefined</script>")
    assert "could not be made to turn" in page.locator(".lmc-surface p").inner_text()
    assert page.locator(".lmc-surface img").evaluate("image => image.naturalWidth") > 100


def test_without_scripts_there_is_a_figure_with_its_description(
    browser: Browser, surface: Surface3D, tmp_path: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    show(page, surface, tmp_path)
    assert "Fork at epoch 0" in str(page.locator(".lmc-surface img").get_attribute("alt"))
    context.close()
