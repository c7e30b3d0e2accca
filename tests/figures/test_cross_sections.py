"""Figures show the numbers they were given."""

import numpy as np
import xarray as xr

from lmc_utils.figures import cross_sections

FORKS, EPOCHS, ALPHAS = [0, 2], [0, 1, 2, 3], [-0.5, 0.0, 0.5, 1.0, 1.5]


def test_cross_section_draws_one_curve_for_each_epoch_after_the_fork(values: xr.DataArray) -> None:
    curves = values.sel(split="train").mean(["parent", "pair"])
    axes = cross_sections.cross_section(curves, "error (%)").axes[:2]
    for axis, fork in zip(axes, FORKS, strict=True):
        drawn = [line for line in axis.lines if len(line.get_xdata()) == len(ALPHAS)]
        assert len(drawn) == len(EPOCHS) - fork
        for line, epoch in zip(drawn, EPOCHS[fork:], strict=True):
            np.testing.assert_array_equal(line.get_ydata(), curves.sel(fork_epoch=fork, epoch=epoch))
    assert axes[0].get_ylabel() == "error (%)"


def test_the_frames_of_the_film_show_the_present_over_the_past_on_the_same_axes(values: xr.DataArray) -> None:
    curves = values.sel(split="train").mean(["parent", "pair"])
    limits = set()
    for epoch, figure in zip(EPOCHS, cross_sections.cross_section_frames(curves, "error (%)"), strict=True):
        axes = figure.axes
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
    axes = cross_sections.final_cross_sections(last, "error (%)").axes
    for axis, split in zip(axes, ["train", "test"], strict=True):
        means = last.sel(split=split).mean(["parent", "pair"])
        drawn = [line for line in axis.lines if len(line.get_xdata()) == len(ALPHAS)]
        for line, fork in zip(drawn, FORKS, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), means.sel(fork_epoch=fork))
