"""The figure of differences at the fork shows the numbers it was given."""

import numpy as np
import xarray as xr

from lmc_utils.figures import differences


def test_distances_since_the_fork_and_the_last_errors_are_drawn() -> None:
    where = {"difference": ["noise 1e-6", "one weight"], "fork_epoch": [0, 2], "epoch": [0, 1, 2, 3]}
    random = np.random.default_rng(0)
    distance = xr.DataArray(random.uniform(0.1, 1, (2, 2, 4)), where)
    distance[1, 1, 2] = 0
    error = xr.DataArray(random.uniform(0, 90, (2, 2, 4, 3)), where | {"alpha": [0, 0.5, 1]})
    figure = differences.distance_and_error(distance, error, 2)
    growth, line = figure.axes
    for index in range(2):
        np.testing.assert_array_equal(growth.lines[index].get_xdata(), [2, 3])
        np.testing.assert_array_equal(line.lines[index].get_ydata(), error[index, 1, -1])
    np.testing.assert_array_equal(growth.lines[0].get_ydata(), distance[0, 1, 2:])
    np.testing.assert_array_equal(growth.lines[1].get_ydata(), [np.nan, distance[1, 1, 3]])
    assert growth.get_yscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["noise 1e-6", "one weight"]
