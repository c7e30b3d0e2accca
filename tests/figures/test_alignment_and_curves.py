"""Figures of symmetry and detours show the numbers they were given."""

import numpy as np
import xarray as xr

from lmc_utils.figures import alignment_and_curves

TREATMENTS = ["line", "aligned", "rescaled"]


def test_bars_are_means_and_dots_are_pairs() -> None:
    numbers = np.random.default_rng(0).uniform(1, 40, (3, 2, 3, 1))
    siblings = xr.DataArray(
        numbers, coords={"treatment": TREATMENTS, "fork_epoch": [0, 2], "parent": [0, 1, 2], "pair": ["0-1"]}
    )
    independent = xr.DataArray(
        numbers[:, 0, :, 0] + 40, coords={"treatment": TREATMENTS, "pair": ["0-1", "0-2", "1-2"]}
    )
    figure = alignment_and_curves.barriers_by_treatment(
        {"64 wide": (independent, siblings), "256 wide": (independent, siblings)}, "points", 2.0
    )
    assert [axis.get_title() for axis in figure.axes] == ["64 wide", "256 wide"]
    for axis in figure.axes:
        heights = np.array([bar.get_height() for bar in axis.patches]).reshape(3, 3)
        np.testing.assert_allclose(heights[:, 0], independent.mean("pair"))
        np.testing.assert_allclose(heights[:, 1:], siblings.mean(["parent", "pair"]))
        dots = [line for line in axis.lines if line.get_marker() == "o"]
        assert sum(len(line.get_ydata()) for line in dots) == independent.size + siblings.size
        assert [tick.get_text() for tick in axis.get_xticklabels()] == [
            "independently\ninitialised",
            "fork 0",
            "fork 2",
        ]


def test_curves_are_means_over_pairs() -> None:
    numbers = np.random.default_rng(0).uniform(1, 40, (3, 5))
    line = xr.DataArray(numbers, coords={"pair": [0, 1, 2], "alpha": np.linspace(0, 1, 5)})
    figure = alignment_and_curves.along_curves(
        {"independent": {"line": line, "Bezier curve": line / 10}}, "training error (%)"
    )
    shown = {each.get_label(): each.get_ydata() for each in figure.axes[0].lines}
    np.testing.assert_allclose(shown["line"], line.mean("pair"))
    np.testing.assert_allclose(shown["Bezier curve"], line.mean("pair") / 10)
