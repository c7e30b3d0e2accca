"""What a figure shows on a dark page can be told from the page."""

import io
import re

from matplotlib.figure import Figure

from lmc_utils.figures import elements, theme
from lmc_utils.figures.dark_colours import PAPER, with_dark_colours


def drawn(colours: list[object]) -> str:
    with theme.themed():
        figure = Figure()
        axis = figure.subplots()
        for height, colour in enumerate(colours):
            axis.plot([0, 1], [height, height], color=colour)
            axis.fill_between([0, 1], height, height + 0.5, color=colour, alpha=0.2)
        axis.set(xlabel="x")
        file = io.StringIO()
        figure.savefig(file, format="svg")
    return file.getvalue()


def test_every_line_of_a_figure_is_visible_on_dark_paper() -> None:
    forks = list(theme.fork_colours([0, 1, 2, 15]).values())
    plain = drawn([*forks, elements.BLUE, theme.INK])
    dark = with_dark_colours(plain)
    changed = dict(re.findall(r'\[style\*="stroke: (#\w{6})"\]\{stroke:(#\w{6})', dark))
    for colour in set(re.findall(r"stroke: (#\w{6})", plain)) - {theme.FAINT}:
        shown = changed.get(colour, colour)
        assert sum(int(shown[place : place + 2], 16) for place in (1, 3, 5)) > 250, (colour, shown)
    assert theme.INK in changed
    assert elements.BLUE not in changed
    assert f"#figure_1>#patch_1>path{{fill:{PAPER}!important}}" in dark


def test_what_is_drawn_on_a_map_stays_as_it_is() -> None:
    assert theme.ON_MAP not in with_dark_colours(drawn([theme.ON_MAP])).partition("</style>")[0]


def test_only_the_figure_has_paper() -> None:
    plain = drawn([theme.INK])
    assert plain.count("fill: #ffffff") == 1
