"""The style of all figures: fonts, colours, one colour for each fork epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import matplotlib as mpl
import seaborn as sns

INK, FAINT = "#3b4252", "#c8ccd4"


def use_theme() -> None:
    """Set the style of all figures: seaborn, white background, vector graphics, text that is legible on a phone."""
    _set_theme()
    with suppress(ImportError):  # outside Jupyter
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg")  # type: ignore[no-untyped-call]


@contextmanager
def themed() -> Iterator[None]:
    """The style of all figures for a while; the settings of matplotlib are given back as they were."""
    with mpl.rc_context():
        _set_theme()
        yield


def _set_theme() -> None:
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
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


def fork_colours(fork_epochs: Sequence[int]) -> dict[int, Any]:
    """One colour for each fork epoch, the same in every figure: early forks dark, late ones bright.

    >>> list(fork_colours([0, 1, 15]))
    [0, 1, 15]
    """
    return dict(zip(fork_epochs, sns.color_palette("viridis", len(fork_epochs)), strict=True))
