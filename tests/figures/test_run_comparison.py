"""Numbers of several runs: each run's line has points at its own forks."""

import base64
import re

from matplotlib.figure import Figure

from lmc_utils.figures.elements import svg
from lmc_utils.figures.run_comparison import curves_by_fork, numbers_by_fork


def test_a_line_has_the_forks_of_its_run() -> None:
    series = {"error_barrier": {15: [1.0, None], 0: [4.0, 3.0], 8: [None, 2.0]}, "loss": {0: [1.0, 1.0]}, "x": {}}
    figure = numbers_by_fork(series, ["one", "two"])
    first = figure.axes[0]
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in first.lines[:2]] == [
        ([0, 15], [4.0, 1.0]),
        ([0, 8], [3.0, 2.0]),
    ]
    assert [axis.get_title() for axis in figure.axes] == ["error barrier", "loss", "x"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]


def test_a_picture_on_a_page_says_what_it_shows() -> None:
    drawn = svg(Figure(), 'of "a"')
    (source,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)" alt="of &quot;a&quot;"', drawn)
    assert b"prefers-color-scheme:dark" in base64.b64decode(source)


def test_curves_of_two_runs_share_the_panels_of_the_forks_that_both_have() -> None:
    one = {0: ([0.0, 1.0], [4.0, 2.0]), 15: ([0.0, 1.0], [1.0, 0.0])}
    two = {0: ([0.0, 0.5, 1.0], [5.0, 9.0, 3.0]), 3: ([0.0, 1.0], [2.0, 2.0])}
    figure = curves_by_fork([one, two], ["one", "two"])
    assert [axis.get_title() for axis in figure.axes] == [f"fork at epoch {fork}" for fork in (0, 3, 15)]
    drawn = [[line.get_ydata().tolist() for line in axis.lines] for axis in figure.axes]
    assert drawn == [[[4.0, 2.0], [5.0, 9.0, 3.0]], [[], [2.0, 2.0]], [[1.0, 0.0], []]]
