"""The line between two networks: its points, its chord, and what was asked for besides."""

import numpy as np
import xarray as xr

from lmc_utils.figures.connections import line_between


def test_each_curve_has_its_points_and_its_chord_and_layers_a_panel() -> None:
    alpha = [0.0, 0.25, 0.5, 1.0]
    found = xr.Dataset(
        {
            "loss": ("alpha", [1.0, np.nan, 4.0, 3.0], {"units": "nats"}),
            "error": ("alpha", [10.0, 20.0, 30.0, 10.0], {"units": "percent"}),
            "second_order": ("alpha", [0.0, 1.0, 2.0, 0.0]),
            "layer_rise": ("layer", [0.5, -0.5]),
        },
        {"alpha": alpha, "layer": ["a", "b"]},
    )
    loss, error, layers = line_between(found).axes
    measured, chord, estimate = loss.lines
    assert measured.get_xdata().tolist() == [0.0, 0.5, 1.0]
    assert chord.get_ydata().tolist() == [1.0, 3.0]
    np.testing.assert_allclose(estimate.get_ydata(), [1.0, 2.5, 4.0, 3.0])
    assert error.lines[0].get_ydata().tolist() == [10.0, 20.0, 30.0, 10.0]
    assert [bar.get_width() for bar in layers.patches] == [0.5, -0.5]
    assert (loss.get_ylabel(), error.get_ylabel()) == ("loss (nats)", "error (percent)")


def test_a_line_without_an_error_is_one_panel() -> None:
    found = xr.Dataset({"loss": ("alpha", [1.0, 2.0, 1.0])}, {"alpha": [0.0, 0.5, 1.0]})
    (axis,) = line_between(found).axes
    assert axis.get_ylabel() == "loss"
