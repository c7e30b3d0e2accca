"""What several figures are made of: panels side by side, bands, heat maps, legends."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lmc_utils.figures.theme import FAINT, fork_colours

BLUE, ORANGE, GREEN = "#0173b2", "#de8f05", "#029e73"  # of seaborn's colour-blind palette

Part = TypeVar("Part")


def side_by_side(count: int, width: float, height: float, share: str = "", **each: Any) -> tuple[Figure, list[Axes]]:
    """A figure, in inches, and its panels in one row, which `share` the axes "x", "y", "xy"; properties of `each`."""
    return _grid(1, count, width, height, share, each)


def panels(
    parts: Mapping[str, Part], each: float, beside: float, height: float, ylabel: str = "", key: str = "title",
    share: str = "", **options: Any,
) -> tuple[Figure, list[tuple[Axes, Part]]]:  # fmt: skip
    """A panel for each part, its key as title, or as label of an axis; `each` so wide, and so much `beside` them all.

    Only the first of a row, see `column_count`, has the `ylabel`, only the last row an `xlabel`; other options as for
    `side_by_side`.
    """
    columns = column_count(len(parts))
    rows = -(-len(parts) // columns)
    width, height = each * columns + beside, height * (1 if rows == 1 else 0.85 * rows)
    figure, axes = _grid(rows, columns, width, height, share, options)
    for spare in axes[len(parts) :]:
        spare.remove()
    for axis in axes[: len(parts) - columns]:
        axis.set_xlabel("")
    for axis in axes[::columns]:
        axis.set_ylabel(ylabel)
    for axis, name in zip(axes, parts, strict=False):
        axis.set(**{key: name})
    return figure, list(zip(axes, parts.values(), strict=False))


def column_count(count: int) -> int:
    """How many panels stand in a row: up to three, but four two by two, so that they can be read on a phone.

    >>> [column_count(count) for count in (1, 3, 4, 5)]
    [1, 3, 2, 3]
    """
    return 2 if count == 4 else min(count, 3)


def _grid(
    rows: int, columns: int, width: float, height: float, share: str, each: dict[str, Any]
) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, sharex="x" in share, sharey="y" in share, subplot_kw=each, squeeze=False)
    return figure, axes.ravel().tolist()


def each_fork(values: xr.DataArray) -> Iterator[tuple[int, Any, xr.DataArray]]:
    """The fork epochs, the colour of each, and its part of the values."""
    for fork, colour in fork_colours(values.fork_epoch.values).items():
        yield fork, colour, values.sel(fork_epoch=fork)


def by_fork(values: xr.DataArray) -> dict[str, tuple[int, Any, xr.DataArray]]:
    """As `each_fork`, each under the title of its panel."""
    return {f"fork at epoch {fork}": (fork, colour, part) for fork, colour, part in each_fork(values)}


def band(axis: Axes, curves: xr.DataArray, along: str, colour: Any, **line: Any) -> None:
    """Curves along one of their dimensions: the mean over all others as a line, their range as a band."""
    others = [name for name in curves.dims if name != along]
    axis.fill_between(curves[along], curves.min(others), curves.max(others), color=colour, alpha=0.2, lw=0)
    axis.plot(curves[along], curves.mean(others), color=colour, **{"lw": 2} | line)


def fork_bands(axis: Axes, values: xr.DataArray, along: str) -> None:
    """A band for each fork epoch, named for the legend."""
    for fork, colour, curves in each_fork(values):
        band(axis, curves, along, colour, label=f"{fork}")


def svg(figure: Figure, said: str) -> str:
    """A figure as part of a page, no wider than its column, with what it shows in words."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", bbox_inches="tight")
    about = f'role="img" aria-label="{html.escape(said)}" style="max-width: 100%; height: auto"'
    return f"<svg {about} " + drawn.getvalue().partition("<svg ")[2]


def zero_line(axis: Axes) -> None:
    """A faint line at height 0, under everything else."""
    axis.axhline(0, color=FAINT, lw=0.8, zorder=0)


def fork_legend(axis: Axes) -> None:
    """The legend of the fork epochs, on the right of a panel."""
    axis.legend(title="fork epoch", loc="center left", bbox_to_anchor=(1, 0.5))


def legend_below(figure: Figure, axis: Axes, columns: int) -> None:
    """What the legend of one panel would say, below the whole figure."""
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=columns, fontsize="small")


def heat_map(axis: Axes, values: xr.DataArray, size: int = 8, **options: Any) -> None:
    """A table as colours and numbers, rows from the first dimension of the values, columns from the second."""
    rows, columns = (values[name].values for name in values.dims)
    options |= {"annot": True, "annot_kws": {"size": size}, "cbar": False, "linewidths": 0.5}
    sns.heatmap(values.values, xticklabels=columns, yticklabels=rows, ax=axis, **options)
    axis.tick_params(axis="y", rotation=0)
