"""Sphinx extension: the playground on a page that is no notebook, and what its stored runs have measured.

`<!-- playground -->`, on a line of its own, becomes the playground. Numbers come from results/playground.json, which
`python -m benchmarks.playground` writes: `<!-- playground over CASE FORK -->` is the number of runs with a barrier of
more than 2 points, `<!-- playground row CASE FORK -->` three cells of a table, `<!-- playground table -->` the table of
the default settings, and `<!-- playground source -->` how they were measured.
"""

from __future__ import annotations

import base64
import io
import json
import re
from datetime import date
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from lmc_utils.measure.barriers import STABLE_BELOW
from lmc_utils.provenance import CHECKOUT
from lmc_utils.widgets import Playground

TABLE = CHECKOUT / "results" / "playground.json"
_MARK = re.compile(r"<!-- playground(?: (\w+)(?: (\w+) (\d+))?)? -->")
_BLUE, _VERMILION = "#66abd1", "#e69e66"  # as in the widget


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", bring_playground)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def bring_playground(app: Sphinx, name: str, content: list[str]) -> None:
    """Replace the marks of a page."""
    if not _MARK.search(content[0]):
        return
    app.env.note_dependency(str(TABLE))
    for asset in (CHECKOUT / "lmc_utils" / "widgets").rglob("playground*"):
        app.env.note_dependency(str(asset))
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    content[0] = _MARK.sub(lambda mark: replaced(table, *mark.groups()), content[0])


def replaced(table: dict[str, Any], what: str | None, case: str | None, fork: str | None) -> str:
    """The text in the place of a mark.

    Raises:
        ExtensionError: the mark is unknown, or there are no such runs.
    """
    if what is None:
        return f"```{{raw}} html\n{Playground().page(still(table))}\n```"
    if what == "table":
        return default_table(table["runs"]["default"])
    if what == "source":
        day = date.fromisoformat(table["date"])
        seeds = f"seeds {table['seeds'][0]} to {table['seeds'][-1]}"
        return (
            f"{seeds}, measured on {day.day} {day:%B %Y} with Node {table['node'].lstrip('v')} by `{table['command']}`"
        )
    runs = table["runs"].get(case, {}).get(fork)
    if what not in ("over", "row") or not runs:
        raise ExtensionError(f"playground: no stored number '{what} {case} {fork}'")
    return over(runs) if what == "over" else row(runs)


def over(runs: dict[str, list[float]]) -> str:
    """How many runs have a barrier.

    >>> over({"barrier": [0.5, 2.0, 2.5]})
    '1 of 3'
    """
    barriers = np.array(runs["barrier"])
    return f"{(barriers > STABLE_BELOW).sum()} of {len(barriers)}"


def row(runs: dict[str, list[float]]) -> str:
    """How many runs have a barrier, the mean barrier, and the mean error of the copies, as cells of a table."""
    return f"{over(runs)} | {np.mean(runs['barrier']):.1f} | {np.mean(runs['error']):.1f}"


def default_table(forks: dict[str, dict[str, list[float]]]) -> str:
    """A table of the runs with the default settings, in Markdown."""
    head = "| fork epoch | barrier over 2 points | mean barrier (points) | mean error of the copies (%) |"
    rows = (f"| {fork} | {row(runs)} |" for fork, runs in forks.items())
    return "\n".join([head, "| ---: | ---: | ---: | ---: |", *rows])


def still(table: dict[str, Any]) -> str:
    """A picture of one run and of the barriers of all default runs, for readers without scripts."""
    figure = Figure(figsize=(8.2, 4.9), layout="constrained")
    axes = figure.subplot_mosaic([["first", "average", "second"], ["barriers"] * 3], height_ratios=[1, 1])
    errors, maps = table["picture"]["error"], table["picture"]["maps"]
    colours = LinearSegmentedColormap.from_list("classes", [_BLUE, "white", _VERMILION])
    parts = zip(
        ("first", "second", "average"),
        ("Copy 1", "Copy 2", "Average"),
        maps,
        (errors[0], errors[-1], errors[len(errors) // 2]),
        strict=True,
    )
    for place, name, text, error in parts:
        answers = np.frombuffer(base64.b64decode(text), np.uint8)
        side = int(np.sqrt(len(answers)))
        axes[place].imshow(answers.reshape(side, side), cmap=colours, vmin=0, vmax=255, interpolation="bilinear")
        axes[place].set(xticks=[], yticks=[], title=f"{name}: {error:.1f} % error")
    for fork, runs in table["runs"]["default"].items():
        axes["barriers"].plot([int(fork)] * len(runs["barrier"]), runs["barrier"], "o", color="#0173b2", alpha=0.6)
    axes["barriers"].axhline(STABLE_BELOW, color="grey", linestyle="--", linewidth=1)
    axes["barriers"].set(xlabel="fork epoch", ylabel="error barrier (points)", ylim=(-1, None))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=90, metadata={"Software": None})
    words = "; ".join(f"epoch {fork}: {over(runs)}" for fork, runs in table["runs"]["default"].items())
    alt = (
        f"Above, what two copies forked at initialisation and their average answer in the plane; the errors are "
        f"{errors[0]:.1f}, {errors[-1]:.1f} and {errors[len(errors) // 2]:.1f} %. Below, the error barrier by fork "
        f"epoch; the number of runs with more than 2 points is {words}."
    )
    return f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}">'
