"""Figures of the conventions for batch normalisation show the numbers they were given."""

import numpy as np
import xarray as xr

from lmc_utils.figures import batchnorm_conventions

FORKS, ALPHAS, LAYERS = [0, 2], [0.0, 0.5, 1.0], ["norm0", "block1.norm1"]


def test_one_pair_draws_a_line_for_each_convention_and_two_where_statistics_are_kept() -> None:
    curve = xr.DataArray(np.arange(6.0).reshape(2, 3), coords={"fork_epoch": FORKS, "alpha": ALPHAS})
    kept = xr.concat([curve + 10, curve + 20], xr.Variable("kept", ["first", "second"]))
    figure = batchnorm_conventions.along_line({"reestimate": curve, "keep": kept}, "training error (%)")
    assert len(figure.axes) == len(FORKS)
    for axis, fork in zip(figure.axes, FORKS, strict=True):
        shown = {line.get_label(): line.get_ydata().tolist() for line in axis.lines}
        here = curve.sel(fork_epoch=fork).values
        expected = {"re-estimated": here, "kept, first": here + 10, "kept, second": here + 20}
        assert shown == {name: values.tolist() for name, values in expected.items()}
    assert figure.axes[0].get_ylabel() == "training error (%)"


def test_by_layer_draws_means_over_pairs_and_names_the_layers() -> None:
    numbers = np.random.default_rng(0).uniform(0.1, 1, (2, 3, 1, 2))
    dims = {"fork_epoch": FORKS, "parent": [0, 1, 2], "pair": ["0-1"], "layer": LAYERS}
    values = xr.DataArray(numbers, coords=dims)
    figure = batchnorm_conventions.midpoint_by_layer({"interpolate": values, "reestimate": values / values}, "variance")
    for axis, fork in zip(figure.axes, FORKS, strict=True):
        lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axis.lines}
        np.testing.assert_allclose(lines["interpolated"], values.sel(fork_epoch=fork).mean(["parent", "pair"]))
        np.testing.assert_allclose(lines["re-estimated"], 1)
        assert [tick.get_text() for tick in axis.get_xticklabels()] == LAYERS
        assert axis.get_yscale() == "log"


def test_side_by_side_draws_means_and_pairs_of_each_family() -> None:
    numbers = np.random.default_rng(0).uniform(0, 50, (2, 2, 3, 1))
    dims = {"batchnorm": ["reestimate", "keep"], "fork_epoch": FORKS, "parent": [0, 1, 2], "pair": ["0-1"]}
    values = xr.DataArray(numbers, coords=dims)
    figure = batchnorm_conventions.barrier_by_fork({"here": values, "there": 2 * values}, "points")
    for axis, times in zip(figure.axes, (1, 2), strict=True):
        means = {each.get_label(): each.lines[0].get_ydata() for each in axis.containers}
        for how, name in (("reestimate", "re-estimated"), ("keep", "kept")):
            np.testing.assert_allclose(means[name], times * values.sel(batchnorm=how).mean(["parent", "pair"]))
        dots = np.concatenate([line.get_ydata() for line in axis.lines if line.get_marker() == "o"])
        np.testing.assert_allclose(np.sort(dots), np.sort(times * numbers.ravel()))
