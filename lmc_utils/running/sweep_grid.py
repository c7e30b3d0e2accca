"""The points of a sweep, from a grid or a list, all checked before the first one starts."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmc_utils.formatting import short_repr
from lmc_utils.provenance import digest
from lmc_utils.running import yaml_values
from lmc_utils.running.notebooks import Notebook
from lmc_utils.settings import ParameterError, require

Point = dict[str, Any]

_RANGE = re.compile(r"(-?\d+):(-?\d+)(?::(-?\d+))?")
_MOST = 100_000  # points


def parse_axis(text: str) -> tuple[str, list[Any]]:
    """Parse a name and its values from `NAME=V1,V2` or `NAME=START:STOP[:STEP]`, a range as in Python.

    Raises:
        ParameterError: it has another form, no values, or a repeated value.

    >>> parse_axis("seed=0:4"), parse_axis("widths=[8, 8],[16]"), parse_axis("norm=none,batch")
    (('seed', [0, 1, 2, 3]), ('widths', [[8, 8], [16]]), ('norm', ['none', 'batch']))
    """
    name, equals, said = text.partition("=")
    name = name.strip()
    require(bool(equals and name and said.strip()), "grid", "NAME=V1,V2 or NAME=START:STOP[:STEP]", text)
    if found := _RANGE.fullmatch(said.strip()):
        start, stop, step = (int(each) if each else 1 for each in found.groups())
        if step == 0:
            raise ParameterError(f"{name}: the step of a range must not be 0 (got {said})")
        taken: list[Any] = list(itertools.islice(range(start, stop, step), _MOST + 1))
    else:
        taken = yaml_values.parse(name, f"[{said}]")
    require(bool(taken), name, "at least one value", said)
    require(_all_different(taken), name, "distinct values", said)
    return name, taken


def grid_points(axes: Sequence[tuple[str, Sequence[Any]]]) -> list[Point]:
    """All combinations of values, with the last axis varying fastest.

    Raises:
        ParameterError: a name is repeated, or there are too many points.

    >>> grid_points([("seed", [0, 1]), ("norm", ["none"])])
    [{'seed': 0, 'norm': 'none'}, {'seed': 1, 'norm': 'none'}]
    """
    names = [name for name, _ in axes]
    if len(set(names)) != len(names):
        raise ParameterError(f"each parameter can be in the grid only once (got {', '.join(names)})")
    count = math.prod(len(taken) for _, taken in axes)
    if count > _MOST:
        raise ParameterError(f"the grid has {count} points; at most {_MOST} are allowed")
    return [dict(zip(names, each, strict=True)) for each in itertools.product(*(taken for _, taken in axes))]


def read_points(path: Path) -> list[Point]:
    """Read the points in a YAML file: a list of mappings from names to values.

    Raises:
        ParameterError: there is no such file, or it holds something else.
    """
    points: list[Point] = yaml_values.read("points", path)
    good = isinstance(points, list) and points and all(isinstance(each, dict) and each for each in points)
    require(bool(good), "points", "a list of mappings from parameters to values", points)
    if not _all_different(points):
        raise ParameterError(f"'{path}' lists the same point twice")
    return points


def point_name(point: Mapping[str, Any]) -> str:
    """The file name of a point, independent of the other points."""
    return digest(dict(point))[:16]


def check_points(notebook: Notebook, points: Sequence[Mapping[str, Any]]) -> None:
    """Check the parameters of every point.

    Raises:
        ParameterError: parameters of a point are invalid; if there are several points, the message names it.
    """
    if not points:
        raise ParameterError("there are no points to execute")
    for place, point in enumerate(points, 1):
        try:
            notebook.check(point)
        except ParameterError as error:
            where = f"; in point {place} of {len(points)}, {short_repr(point)}" if len(points) > 1 else ""
            raise ParameterError(f"{error}{where}") from error


def _all_different(values: Sequence[Any]) -> bool:
    return all(value not in values[:place] for place, value in enumerate(values))
