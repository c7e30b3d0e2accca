"""Figures of the ridge chapter show the numbers they were given."""

import numpy as np
import pytest
import xarray as xr
from synthetic_plane import CORNERS, FORKS, synthetic_plane

from lmc_utils.figures import planes as figures


def test_maps_show_heights_corners_and_trajectories_on_one_scale() -> None:
    planes, trajectories = synthetic_plane(third="parent")
    figure = figures.plane_maps(planes, trajectories)
    *panels, bar = figure.axes
    assert bar.get_xlabel() == "training loss (nats)"
    for axis, fork in zip(panels, FORKS, strict=True):
        mesh = axis.collections[0]
        shown = planes.loss.sel(fork_epoch=fork).values.ravel()
        np.testing.assert_array_equal(np.asarray(mesh.get_array()).ravel(), shown)
        assert (mesh.norm.vmin, mesh.norm.vmax) == figures.log_range(planes.loss)
        lines = [line.get_xydata().tolist() for line in axis.lines]
        assert [CORNERS[2], CORNERS[0]] in lines
        assert [CORNERS[2], CORNERS[1]] in lines
        assert {text.get_text(): list(text.xy) for text in axis.texts} == dict(
            zip(("1", "2", "parent"), CORNERS, strict=True)
        )
        assert axis.get_aspect() == 1
    figure.draw_without_rendering()
    sizes = {tuple(axis.get_window_extent().size.round(6)) for axis in panels}
    assert len(sizes) == 1, "panels are of one size, whatever the shape of their planes"


def test_maps_show_the_error_on_request_and_nothing_below_the_lowest_level() -> None:
    planes, trajectories = synthetic_plane()
    figure = figures.plane_maps(planes, trajectories, show="error", lowest=5.0)
    assert figure.axes[-1].get_xlabel() == "training error (%)"
    shown = np.asarray(figure.axes[0].collections[0].get_array()).ravel()
    np.testing.assert_array_equal(shown, planes.error.sel(fork_epoch=0).clip(5.0).values.ravel())


def test_a_degenerate_plane_is_labelled() -> None:
    planes, trajectories = synthetic_plane()
    figure = figures.plane_maps(planes.where(planes.fork_epoch == 0), trajectories)
    assert [text.get_text() for text in figure.axes[1].texts] == ["on one line:\nno plane"]
    assert not figure.axes[1].collections


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1e-9, 1.0], (1e-4, 1.0)), ([0.0, 2.0, 4.0], (2.0, 4.0)), ([np.nan, np.inf, 1.0, 2.0], (1.0, 2.0))],
)
def test_a_logarithmic_scale_covers_the_visible_values(values: list[float], expected: tuple[float, float]) -> None:
    assert figures.log_range(xr.DataArray(values)) == expected


@pytest.mark.parametrize("values", [[0.0, 0.0], [3.0, 3.0], [np.nan]])
def test_a_flat_landscape_has_a_scale_too(values: list[float]) -> None:
    low, high = figures.log_range(xr.DataArray(values))
    assert 0 < low < high


def test_profiles_draw_means_and_ranges() -> None:
    heights = {"height": [0.0, 0.5, 1.0]}
    coords = {"fork_epoch": FORKS, "parent": [0, 1, 2], "pair": ["0-1"]} | heights
    values = xr.DataArray(np.random.default_rng(0).uniform(size=(2, 3, 1, 3)), coords=coords)
    figure = figures.height_profiles({"ridge (nats)": values, "twice": 2 * values})
    for axis, factor in zip(figure.axes, (1, 2), strict=True):
        for line, fork in zip(axis.lines, FORKS, strict=False):
            np.testing.assert_allclose(line.get_ydata(), factor * values.sel(fork_epoch=fork).mean(["parent", "pair"]))
    assert [axis.get_ylabel() for axis in figure.axes] == ["ridge (nats)", "twice"]


def test_growth_shows_every_epoch_and_marks_the_first_that_lasts() -> None:
    coords = {"fork_epoch": FORKS, "epoch": [0, 1, 2], "height": [0.0, 1.0]}
    values = xr.DataArray(np.random.default_rng(0).normal(size=(2, 3, 2)), coords=coords)
    first = xr.DataArray([[1.0, np.nan], [2.0, 2.0]], coords={"fork_epoch": FORKS, "height": [0.0, 1.0]})
    figure = figures.ridge_growth(xr.Dataset({"ridge": values, "since": first}), "points")
    for axis, fork in zip(figure.axes[:2], FORKS, strict=True):
        shown = np.asarray(axis.collections[0].get_array()).ravel()
        np.testing.assert_array_equal(shown, values.sel(fork_epoch=fork).transpose("height", "epoch").values.ravel())
        np.testing.assert_array_equal(axis.lines[0].get_xdata(), first.sel(fork_epoch=fork))
    norm = figure.axes[0].collections[0].norm
    assert norm.vmin == -norm.vmax
