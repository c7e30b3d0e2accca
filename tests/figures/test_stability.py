"""Figures of when stability begins show the numbers they were given."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from lmc_utils.figures import stability

RATES = [0.1, 0.2, 0.4]
BEGINS = xr.DataArray(
    [[1.0, 2.0, 4.1], [1.2, 2.2, np.nan], [0.9, 2.1, 4.0]], dims=["parent", "rate"], coords={"rate": RATES}
)


def errorbars(figure: Figure, panel: int = 0) -> list[np.ndarray]:
    """The heights of drawn means, by container."""
    return [container.lines[0].get_ydata() for container in figure.axes[panel].containers]


def test_dots_are_networks_and_the_line_is_their_mean() -> None:
    figure = stability.onset_by_parameter({"rate": BEGINS, "again": BEGINS + 1}, "epochs")
    assert [axis.get_xlabel() for axis in figure.axes] == ["rate", "again"]
    dots = [line.get_ydata() for line in figure.axes[0].lines if line.get_alpha()]
    np.testing.assert_array_equal(dots, BEGINS)
    (means,) = errorbars(figure)
    np.testing.assert_allclose(means, BEGINS.mean("parent"))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0.1", "0.2", "0.4"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["×1"], "one network has no number"


def test_values_without_numbers_are_counted() -> None:
    gone = BEGINS.where(BEGINS.rate < 0.4)
    (means,) = errorbars(stability.onset_by_parameter({"rate": gone}, "epochs"))
    assert len(means) == 2


def test_several_sweeps_against_one_number() -> None:
    figure = stability.onset_against(
        {"one": (BEGINS.rate, BEGINS), "two": (BEGINS.rate * 2, BEGINS + 1)}, "x", "epochs"
    )
    one, two = errorbars(figure)
    np.testing.assert_allclose(two, one + 1)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["one", "two"]
    assert figure.axes[0].get_xscale() == "log"


@pytest.mark.parametrize("learnt", [True, False])
def test_a_frame_for_each_value_says_where_stability_begins(learnt: bool) -> None:
    barrier = xr.DataArray(
        np.ones((3, 2, 3)) * [30.0, 4.0, 0.0],
        dims=["parent", "rate", "fork_epoch"],
        coords={"rate": [0.1, 0.2], "fork_epoch": [0, 5, 20]},
    )
    begins = xr.full_like(barrier.isel(fork_epoch=0, drop=True), 12.5 if learnt else np.nan)
    frames = list(
        stability.barrier_frames(xr.Dataset({"barrier": barrier, "begins": begins}), "rate", below=2.0, unit="points")
    )
    said = "stable from epoch 12.5 on" if learnt else "did not learn"
    assert [frame.axes[0].get_title() for frame in frames] == [f"rate 0.1: {said}", f"rate 0.2: {said}"]
    vertical = [
        line for line in frames[0].axes[0].lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2
    ]
    assert [line.get_xdata()[0] for line in vertical] == ([12.5] if learnt else [])
