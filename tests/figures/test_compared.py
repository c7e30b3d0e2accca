"""Numbers of several runs: each run's line goes through the forks that it has."""

from lmc_utils.figures.compared import by_fork


def test_a_line_has_the_forks_of_its_run() -> None:
    series = {"error_barrier": {15: [1.0, None], 0: [4.0, 3.0], 8: [None, 2.0]}, "loss": {0: [1.0, 1.0]}, "x": {}}
    figure = by_fork(series, ["one", "two"])
    first = figure.axes[0]
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in first.lines[:2]] == [
        ([0, 15], [4.0, 1.0]),
        ([0, 8], [3.0, 2.0]),
    ]
    assert [axis.get_title() for axis in figure.axes] == ["error barrier", "loss", "x", ""]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]
    assert not figure.axes[3].axison
