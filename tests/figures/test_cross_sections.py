"""Figures show the numbers they were given."""

import matplotlib.colors
import numpy as np
import pytest
import xarray as xr

from lmc_utils import plotting

FORKS, EPOCHS, ALPHAS = [0, 2], [0, 1, 2, 3], [-0.5, 0.0, 0.5, 1.0, 1.5]


@pytest.fixture
def values() -> xr.DataArray:
    coords = {
        "split": ["train", "test"],
        "fork_epoch": FORKS,
        "parent": [0, 1],
        "pair": ["0-1"],
        "epoch": EPOCHS,
        "alpha": ALPHAS,
    }
    numbers = np.random.default_rng(0).uniform(size=[len(values) for values in coords.values()])
    made = xr.DataArray(numbers, coords=coords)
    return made.where(made.epoch >= made.fork_epoch)


def test_cross_section_draws_one_curve_for_each_epoch_after_the_fork(values: xr.DataArray) -> None:
    curves = values.sel(split="train").mean(["parent", "pair"])
    axes = plotting.cross_section(curves, "error (%)").axes[:2]
    for axis, fork in zip(axes, FORKS, strict=True):
        drawn = [line for line in axis.lines if len(line.get_xdata()) == len(ALPHAS)]
        assert len(drawn) == len(EPOCHS) - fork
        for line, epoch in zip(drawn, EPOCHS[fork:], strict=True):
            np.testing.assert_array_equal(line.get_ydata(), curves.sel(fork_epoch=fork, epoch=epoch))
    assert axes[0].get_ylabel() == "error (%)"


def test_the_frames_of_the_film_show_the_present_over_the_past_on_the_same_axes(values: xr.DataArray) -> None:
    curves = values.sel(split="train").mean(["parent", "pair"])
    limits = set()
    for epoch in EPOCHS:
        axes = plotting.cross_section_until(curves, "error (%)", epoch).axes
        assert len(axes) == len(FORKS)
        for axis, fork in zip(axes, FORKS, strict=True):
            limits.add((*axis.get_xlim(), *axis.get_ylim()))
            drawn = [line for line in axis.lines if len(line.get_xdata()) == len(ALPHAS)]
            assert len(drawn) == (epoch >= fork)
            for line in drawn:
                np.testing.assert_array_equal(line.get_ydata(), curves.sel(fork_epoch=fork, epoch=epoch))
            assert sum(len(past.get_segments()) for past in axis.collections) == max(0, epoch - fork)
    assert len(limits) == 1


def test_final_lines_draws_the_mean_inside_its_band(values: xr.DataArray) -> None:
    last = values.sel(epoch=3)
    axes = plotting.final_lines(last, "error (%)").axes
    for axis, split in zip(axes, ["train", "test"], strict=True):
        means = last.sel(split=split).mean(["parent", "pair"])
        drawn = [line for line in axis.lines if len(line.get_xdata()) == len(ALPHAS)]
        for line, fork in zip(drawn, FORKS, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), means.sel(fork_epoch=fork))


def test_barrier_by_fork_draws_means_pairs_and_threshold(values: xr.DataArray) -> None:
    barrier = values.sel(epoch=3, alpha=0.5, drop=True)
    axis = plotting.barrier_by_fork(barrier, "points", threshold=2).axes[0]
    heights = {round(float(y), 9) for line in axis.lines for y in np.atleast_1d(line.get_ydata())}
    assert {round(float(mean), 9) for mean in barrier.mean(["parent", "pair"]).values.flat} <= heights
    assert 2 in heights
    dots = np.concatenate([np.asarray(dots.get_offsets())[:, 1] for dots in axis.collections])
    np.testing.assert_allclose(np.sort(dots), np.sort(barrier.values.ravel()))


def test_barrier_during_training_starts_at_the_fork(values: xr.DataArray) -> None:
    axis = plotting.barrier_during_training(values.sel(split="train", alpha=0.5, drop=True), "points").axes[0]
    curves = [line for line in axis.lines if line.get_label() in ("0", "2")]
    assert [line.get_xdata()[0] for line in curves] == FORKS


def test_fork_epochs_can_be_told_apart_in_grey() -> None:
    colours = plotting.fork_colours([0, 1, 2, 15]).values()
    lightness = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(matplotlib.colors.to_rgb, colours)]
    assert (np.diff(lightness) > 0.05).all()
