"""Figures of the Hessian at siblings draw the given numbers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from lmc_utils.figures import degenerate_valleys as figures

FORKS, NUMBERS = [0, 15], np.arange(1, 11)
EIGENVALUES = xr.DataArray(
    np.outer([3.0, 2.0], 1 / NUMBERS), {"fork_epoch": FORKS, "number": NUMBERS}, ["fork_epoch", "number"]
)


def pairs(values: xr.DataArray) -> xr.DataArray:
    """Two parents, whose mean is the given values."""
    return xr.concat([values / 2, values * 1.5], "parent").expand_dims("pair")


def test_eigenvalues_and_shares_are_drawn() -> None:
    thresholds = np.logspace(-3, 0, 4)
    shares = xr.DataArray(
        np.ones((2, 3, 4)), {"fork_epoch": FORKS, "threshold": thresholds}, ["fork_epoch", "parent", "threshold"]
    )
    largest, below = figures.spectrum(EIGENVALUES, shares, 0.1).axes
    drawn = [line.get_ydata() for line in largest.lines]
    np.testing.assert_allclose(drawn[:2], EIGENVALUES)
    np.testing.assert_allclose(drawn[2], 0.25)  # a tenth of the mean of 3 and 2
    assert len(below.lines) == 6


def test_fractions_are_drawn_with_those_of_a_random_direction() -> None:
    fractions = pairs(EIGENVALUES / 10)
    steep = xr.Dataset({"length_share": fractions, "curvature_share": fractions})
    random = xr.DataArray(NUMBERS / 20, dims="number")
    length, curvature = figures.direction_in_spectrum(steep, 1000, random).axes
    for axis in (length, curvature):
        np.testing.assert_allclose([line.get_ydata() for line in axis.lines[:2]], EIGENVALUES / 10)
    np.testing.assert_allclose(length.lines[2].get_ydata(), NUMBERS / 1000)
    np.testing.assert_allclose(curvature.lines[2].get_ydata(), NUMBERS / 20)


def test_a_density_has_the_weights_of_its_nodes() -> None:
    weights = np.array([[[0.75, 0.25], [0.5, 0.5]], [[1, 0], [1, 0]]])  # at the eigenvalues 0 and 4
    dims = ["fork_epoch", "probe", "step"]
    density = xr.Dataset({"node": (dims, np.broadcast_to([0.0, 4.0], (2, 2, 2))), "weight": (dims, weights)})
    (axis,) = figures.spectral_density(density.assign_coords(fork_epoch=FORKS)).axes
    for line, at_zero in zip(axis.lines, (0.625, 1), strict=True):
        grid, height = line.get_data()
        assert np.trapezoid(height, grid) == pytest.approx(1, rel=1e-3)
        assert np.trapezoid(height[grid < 2], grid[grid < 2]) == pytest.approx(at_zero, rel=1e-3)


def test_a_fork_without_a_late_epoch_ends_early() -> None:
    values = pairs(EIGENVALUES.rename(number="after")).copy()
    values[{"fork_epoch": 1, "after": slice(5, None)}] = np.nan
    (axis,) = figures.alignment_after_fork(values).axes
    assert [len(line.get_xdata()) for line in axis.lines[:2]] == [10, 5]
    assert axis.get_legend_handles_labels()[1] == ["0", "15", "random direction"]
