"""All numbers of a report as text tables: one for each dimension, and one of scalars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from lmc_utils.formatting import LONGEST_VALUE, one_line

Table = list[list[str]]
"""Rows of cells; the first row is the head."""

_TITLES = {
    "alpha": "Along the line",
    "layer": "One layer at the midpoint",
    "end": "At both ends",
    "fraction": "Along the curve",
}
_GROUPS = {"group": "Groups of layers at the midpoint", "random": "Random steps as far as to the midpoint"}
_AGREEMENT = ("disagreement", "both_wrong", "cka")
_UNITS = {"percent": "%", "percentage points": "points"}


def tables(result: xr.Dataset) -> dict[str, Table]:
    """The numbers of a report, by the title of a table.

    Args:
        result: the dataset of a `connect.Report`.

    Returns:
        Tables along the line, of layers, of both ends and along the curve, if measured; of groups of layers and of
        random steps, if measured; of the barriers; of the agreement, if measured; and of networks, samples and methods.

    >>> measured = xr.Dataset({"loss": ("alpha", [1.0, 2.0]), "loss_barrier": 0.5}, {"alpha": [0.0, 1.0]})
    >>> tables(measured)["Along the line"]
    [['alpha', 'loss'], ['0', '1'], ['1', '2']]
    """
    found = {title: _along(result, dim) for dim, title in _TITLES.items() if dim in result.dims}
    for kind, title in _GROUPS.items():
        names = [name for name, each in result.data_vars.items() if "group" in each.dims and str(name).startswith(kind)]
        if names:
            found[title] = _along(result[names], "layer", beside="group")
    single: dict[str, Table] = {title: [["quantity", "value", "unit"]] for title in ("Barriers", "Agreement")}
    for name, each in result.data_vars.items():
        if not each.dims and each.dtype.kind in "fi":
            title = "Agreement" if name in _AGREEMENT else "Barriers"
            single[title].append([_label(str(name)), _number(each), _unit(each)])
    found |= single
    found["Conditions"] = conditions(result.attrs)
    return {title: rows for title, rows in found.items() if len(rows) > 1}


def conditions(attributes: Mapping[Any, Any]) -> Table:
    """A table of attributes, such as networks, samples and methods."""
    rows = [[_label(str(name)), one_line(_text(value), LONGEST_VALUE)] for name, value in attributes.items()]
    return [["", ""], *rows]


def titled(name: str, values: xr.DataArray) -> str:
    """The name of a quantity in words, with its unit.

    >>> titled("both_wrong", xr.DataArray(attrs={"units": "percent"}))
    'samples that both misclassify (%)'
    """
    unit = _unit(values)
    return f"{_label(name)} ({unit})" if unit else _label(name)


def _along(result: xr.Dataset, dim: str, *, beside: str = "kept") -> Table:
    columns: dict[str, Sequence[Any]] = {dim: result[dim].values.tolist()}
    for name, each in result.data_vars.items():
        label = titled(str(name), each)
        if each.dims == (dim,):
            columns[label] = each.values.tolist()
        elif set(each.dims) == {dim, beside}:
            for other in each[beside].values.tolist():
                columns[f"{label}, {other.replace('_', ' ')}"] = each.sel({beside: other}).values.tolist()
    rows = zip(*columns.values(), strict=True)
    return [list(columns), *([_text(cell) for cell in row] for row in rows)]


def _label(name: str) -> str:
    """A name in words.

    >>> _label("loss_at_half"), _label("highest_at")
    ('loss at the midpoint, above the chord', 'loss is highest above its chord at')
    """
    words = {
        "highest_at": "loss is highest above its chord at", "differentiated": "curvature",
        "disagreement": "samples with different predictions", "both_wrong": "samples that both misclassify",
        "cka": "linear CKA of the last hidden layers", "cka_left_out": "linear CKA",
        "group_rise": "loss rise", "group_error_rise": "error rise", "random_rise": "loss rise",
        "random_error_rise": "error rise",
    }  # fmt: skip
    midpoint = name.replace("_at_half_unaligned", " at the midpoint, not aligned, above the chord")
    return words.get(name, midpoint.replace("_at_half", " at the midpoint, above the chord").replace("_", " "))


def _unit(values: xr.DataArray) -> str:
    units = str(values.attrs.get("units", ""))
    return _UNITS.get(units, units)


def _number(value: Any) -> str:
    return f"{float(value):.4g}"


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return _number(value)
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(map(_text, value))
    return str(value)
