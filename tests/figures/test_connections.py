"""The figure of the line between two networks: its points, chord and optional measurements."""

import numpy as np
import xarray as xr

from lmc_utils.figures.connections import along_line, along_line_by_start, plane_map, predictions_and_layer_rises


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
    loss, error, layers = along_line(found).axes
    measured, chord, estimate = loss.lines
    assert measured.get_xdata().tolist() == [0.0, 0.5, 1.0]
    assert chord.get_ydata().tolist() == [1.0, 3.0]
    np.testing.assert_allclose(estimate.get_ydata(), [1.0, 2.5, 4.0, 3.0])
    assert error.lines[0].get_ydata().tolist() == [10.0, 20.0, 30.0, 10.0]
    assert [bar.get_width() for bar in layers.patches] == [0.5, -0.5]
    assert (loss.get_ylabel(), error.get_ylabel()) == ("loss (nats)", "error (%)")


def test_groups_of_layers_are_lines_over_the_bars_of_single_layers() -> None:
    rises = xr.DataArray(
        np.arange(6.0).reshape(2, 3), {"layer": ["a", "b"], "group": ["single", "from_input", "from_output"]}
    )
    line = xr.Dataset({"loss": ("alpha", [1.0, 2.0, 1.0])}, {"alpha": [0.0, 0.5, 1.0]})
    found = line.assign(layer_rise=rises.sel(group="single"), group_rise=rises, random_rise=-rises)
    axis = along_line(found).axes[-1]
    shown = {line.get_label(): list(line.get_xdata()) for line in axis.lines}
    assert shown["from input"] == [1.0, 4.0]
    assert shown["from output, random"] == [-2.0, -5.0]


def test_a_line_without_an_error_is_one_panel() -> None:
    found = xr.Dataset({"loss": ("alpha", [1.0, 2.0, 1.0])}, {"alpha": [0.0, 0.5, 1.0]})
    (axis,) = along_line(found).axes
    assert axis.get_ylabel() == "loss"


def test_each_start_has_a_line_a_family_and_their_mean() -> None:
    values = np.arange(12.0).reshape(2, 2, 3)
    errors = xr.DataArray(
        values, {"start": ["same_start", "two_starts"], "alpha": [0.0, 0.5, 1.0]}, ("start", "family", "alpha")
    )
    figure = along_line_by_start({"kept": errors, "interpolated": errors + 1}, "error (%)")
    kept, interpolated = figure.axes
    drawn = [line.get_ydata().tolist() for line in kept.lines[:6]]
    assert drawn == [[0, 1, 2], [3, 4, 5], [1.5, 2.5, 3.5], [6, 7, 8], [9, 10, 11], [7.5, 8.5, 9.5]]
    assert interpolated.lines[0].get_ydata().tolist() == [1, 2, 3]
    assert [axis.get_title() for axis in figure.axes] == ["kept", "interpolated"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["same start", "two starts"]


def test_pairs_are_drawn_at_predicted_and_measured_barriers() -> None:
    starts = {"start": ["same_start", "two_starts"]}
    estimates = xr.DataArray([[0.1, 0.2], [5.0, 6.0]], starts, ("start", "family"))
    rises = xr.DataArray([[0.5, 0.25], [1.5, 2.0]], {"layer": ["a", "b"]}, ("family", "layer"))
    left, right = predictions_and_layer_rises(estimates, estimates / 2, rises).axes
    assert [dots.get_offsets().tolist() for dots in left.collections] == [
        [[0.1, 0.05], [0.2, 0.1]],
        [[5.0, 2.5], [6.0, 3.0]],
    ]
    assert [line.get_xdata().tolist() for line in right.lines[:2]] == [[0.5, 0.25], [1.5, 2.0]]
    assert [label.get_text() for label in right.get_yticklabels()] == ["a", "b"]
    assert right.lines[2].get_xdata() == [2.75, 2.75]  # the mean barrier of the second kind of pairs


def test_a_plane_is_a_map_of_each_score_with_its_three_networks() -> None:
    rows, columns = np.meshgrid(np.arange(4.0), np.arange(5.0), indexing="ij")
    loss = 1 + rows + columns
    loss[0, 0] = np.nan
    plane = xr.Dataset(
        {
            "loss": (("row", "column"), loss, {"units": "nats"}),
            "error": (("row", "column"), np.full_like(loss, 7.0), {"units": "percent"}),
            "x": ("column", np.arange(5.0)),
            "y": ("row", np.arange(4.0)),
            "corner": (("point", "axis"), [[0.0, 0.0], [4.0, 0.0], [1.0, 3.0]]),
        }
    )
    figure = plane_map(plane, ("a.pt", "b.pt", "c.pt"))
    left, right, *bars = figure.axes
    mesh = left.collections[0].get_array()
    assert mesh.shape == (4, 5)
    assert mesh.mask.sum() == 1
    assert mesh[3, 4] == 8.0
    for axis in (left, right):
        marks = [(text.get_text(), *text.xy) for text in axis.texts]
        assert marks == [("a.pt", 0, 0), ("b.pt", 4, 0), ("c.pt", 1, 3)]
    assert [bar.get_xlabel() for bar in bars] == ["loss (nats)", "error (%)"]
