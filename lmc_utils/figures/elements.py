"""Elements of figures: grids of panels, bands, heat maps, legends."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lmc_utils.figures.dark_colours import with_dark_colours
from lmc_utils.figures.theme import FAINT, fork_colours
from lmc_utils.measure.statistics import bounds

BLUE, ORANGE, GREEN = "#0173b2", "#de8f05", "#029e73"  # of seaborn's colour-blind palette
_LEGIBLE = 75  # pixels for an inch, at which type of 10 points has 10

Part = TypeVar("Part")


def side_by_side(
    count: int, size: tuple[float, float], *, shared_axes: str = "", **properties: Any
) -> tuple[Figure, list[Axes]]:
    """A figure with panels in one row.

    Args:
        count: of the panels.
        size: of the figure, width and height in inches.
        shared_axes: the axes that panels have in common: "x", "y" or "xy".
        properties: of all panels.
    """
    return _grid(1, count, size, shared_axes, properties)


def panels(
    parts: Mapping[str, Part],
    size: tuple[float, float],
    *,
    beside: float = 0.0,
    ylabel: str = "",
    key: str = "title",
    shared_axes: str = "",
    **properties: Any,
) -> tuple[Figure, list[tuple[Axes, Part]]]:
    """A figure with a panel for each part, in rows of `column_count`.

    Args:
        parts: by the text that each panel shows as its `key`: title, or label of an axis.
        size: of one panel, width and height in inches.
        beside: width in inches for what is beside all panels.
        ylabel: of the first panel of each row. An `xlabel` is shown in the last row only.
        key: see `parts`.
        shared_axes: as for `side_by_side`.
        properties: of all panels.
    """
    columns = column_count(len(parts))
    rows = -(-len(parts) // columns)
    whole = (size[0] * columns + beside, size[1] * (1 if rows == 1 else 0.85 * rows))
    figure, axes = _grid(rows, columns, whole, shared_axes, properties)
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
    """The number of panels in a row: up to three, but two of four, so that they can be read on a phone.

    >>> [column_count(count) for count in (1, 3, 4, 5)]
    [1, 3, 2, 3]
    """
    return 2 if count == 4 else min(count, 3)


def _grid(
    rows: int, columns: int, size: tuple[float, float], shared_axes: str, properties: dict[str, Any]
) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(
        rows, columns, sharex="x" in shared_axes, sharey="y" in shared_axes, subplot_kw=properties, squeeze=False
    )
    return figure, axes.ravel().tolist()


def frame_figure(size: tuple[float, float]) -> Figure:
    """An empty figure without automatic layout, so that nothing moves between the frames of a flip-book."""
    return Figure(figsize=size, layout="none")  # type: ignore[arg-type]


def coloured(parts: Mapping[str, Part]) -> Iterator[tuple[str, Part, Any]]:
    """Name, value and colour of each part."""
    for (name, part), colour in zip(parts.items(), sns.color_palette("colorblind"), strict=False):
        yield name, part, colour


def each_fork(values: xr.DataArray) -> Iterator[tuple[float, Any, xr.DataArray]]:
    """Each fork epoch, its colour, and its part of the values."""
    for fork, colour in fork_colours(values.fork_epoch.values).items():
        yield fork, colour, values.sel(fork_epoch=fork)


def fork_panels(
    values: xr.DataArray, size: tuple[float, float], **options: Any
) -> tuple[Figure, list[tuple[Axes, tuple[float, Any, xr.DataArray]]]]:
    """A figure with a panel for each fork epoch, its colour, and its part of the values; options as for `panels`."""
    return panels({f"fork at epoch {each[0]}": each for each in each_fork(values)}, size, **options)


def band(axis: Axes, curves: xr.DataArray, dim: str, colour: Any, **line: Any) -> None:
    """Draw curves along one dimension: the mean over all others as a line, the range as a band."""
    others = [name for name in curves.dims if name != dim]
    axis.fill_between(curves[dim], curves.min(others), curves.max(others), color=colour, alpha=0.2, lw=0)
    axis.plot(curves[dim], curves.mean(others), color=colour, **{"lw": 2} | line)


def fork_bands(axis: Axes, values: xr.DataArray, dim: str) -> None:
    """Draw a band for each fork epoch, with its label for the legend."""
    for fork, colour, curves in each_fork(values):
        band(axis, curves, dim, colour, label=f"{fork}")


def means(axis: Axes, places: Any, values: xr.DataArray, **style: Any) -> None:
    """Draw means over parents with their 95 % intervals.

    Args:
        axis: to draw on.
        places: of the means on its x axis.
        values: dimensions parent and pair, and one more.
        style: of `Axes.errorbar`.
    """
    middle = values.mean(["parent", "pair"]).values
    axis.errorbar(places, middle, abs(bounds(values).transpose("bound", ...).values - middle), **style)


def svg(figure: Figure, alt: str) -> str:
    """A figure as an image for a page, at most as wide as its column, in the page's colours, with an alternative text.

    Where the column is narrow, it scrolls sideways rather than become too small to read.
    """
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", bbox_inches="tight")
    text = with_dark_colours(drawn.getvalue().partition("?>")[2])
    source = f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode()}"
    legible = f"max-width: 100%; height: auto; min-width: {_LEGIBLE * figure.get_figwidth():.0f}px"
    image = f'<img src="{source}" alt="{html.escape(alt)}" style="{legible}">'
    return f'<div class="lmc-scroll" tabindex="0" style="overflow-x: auto">{image}</div>'


def zero_line(axis: Axes) -> None:
    """Draw a faint line at height 0, below all other artists."""
    axis.axhline(0, color=FAINT, lw=0.8, zorder=0)


def fork_legend(axis: Axes) -> None:
    """Put the legend of the fork epochs to the right of a panel."""
    axis.legend(title="fork epoch", loc="center left", bbox_to_anchor=(1, 0.5))


def legend_below(figure: Figure, columns: int) -> None:
    """Put the legend of the first panel below the whole figure."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize="small")


def heat_map(axis: Axes, values: xr.DataArray, *, size: int = 8, **options: Any) -> None:
    """Draw a table in colours and numbers: the first dimension as rows, the second as columns."""
    rows, columns = (values[name].values for name in values.dims)
    options |= {"annot": True, "annot_kws": {"size": size}, "cbar": False, "linewidths": 0.5}
    sns.heatmap(values.values, xticklabels=columns, yticklabels=rows, ax=axis, **options)
    axis.tick_params(axis="y", rotation=0)
