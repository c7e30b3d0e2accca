"""Design rules of all figures: type, colours, background, sizes.

| what | rule |
| --- | --- |
| type | labels and titles 12 points, ticks and legends 11; `small` (10) in crowded figures, at least `x-small` |
| width | at most 9 inches: the book's column shows that at nearly natural size, text at 12 pixels |
| phone | a wider figure is shrunk to the column; a tap opens it at natural size, text at 11 pixels or more |
| format | SVG, with large meshes as `rasterized` pictures in it; frames of a flip-book have twice the pixels shown |
| background | white, axes transparent; in dark mode that of the page (`dark_colours`) |
| ink | `INK` for text, axes and references; `FAINT` for guides; inverted in dark mode |
| on a map | white or `ON_MAP`, unchanged in dark mode |
| fork epochs | `fork_colours`, early ones dark; lightened in dark mode where too dark |
| other series | seaborn's colour-blind palette, in its order; its own marker or line style where text refers to it |
| legends | beside or below the panels (`elements.fork_legend`, `elements.legend_below`), or where there are no data |
| labels | quantity and unit at each axis; the alternative text describes what is visible |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import matplotlib as mpl
import seaborn as sns

INK, FAINT, ON_MAP = "#3b4252", "#c8ccd4", "#2e3440"


def use_theme() -> None:
    """Set the style of all figures, and vector graphics in notebooks."""
    _set_theme()
    with suppress(ImportError):  # outside Jupyter
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")  # type: ignore[no-untyped-call]


@contextmanager
def themed() -> Iterator[None]:
    """Use the style of all figures within a block; restore matplotlib's settings at the end."""
    with mpl.rc_context():
        _set_theme()
        yield


def _set_theme() -> None:
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
            "axes.facecolor": "none",
            "axes.spines.right": False,
            "axes.spines.top": False,
            **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK),
            "axes.titlesize": "medium",
            "axes.titleweight": "bold",
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "svg.fonttype": "path",
            "svg.hashsalt": "lmc",
            "legend.frameon": False,
        },
    )


def fork_colours(fork_epochs: Sequence[float]) -> dict[float, Any]:
    """One colour for each fork epoch, the same in every figure: early forks dark, late ones bright.

    >>> list(fork_colours([0, 1, 15]))
    [0, 1, 15]
    """
    return dict(zip(fork_epochs, sns.color_palette("viridis", len(fork_epochs)), strict=True))
