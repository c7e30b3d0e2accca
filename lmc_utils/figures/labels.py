"""Words of axes: quantities with their split and unit."""

from __future__ import annotations

import xarray as xr

__all__ = ["axis_label", "series_name"]

_SPLITS = {"train": "training", "test": "test"}
_CONVENTIONS = {"reestimate": "re-estimated", "interpolate": "interpolated", "keep": "kept"}
_SERIES = {split: f"{words} set" for split, words in _SPLITS.items()} | _CONVENTIONS
_UNITS = {"percent": "%"}


def axis_label(name: str, values: xr.DataArray) -> str:
    """The label of an axis: split, quantity and unit, as far as they are known.

    >>> axis_label("error", xr.DataArray(1.0, coords={"split": "train"}, attrs={"units": "percent"}))
    'training error (%)'
    >>> axis_label("loss", xr.DataArray(1.0))
    'loss'
    """
    split = values.coords["split"].item() if "split" in values.coords else ""
    units = values.attrs.get("units", "")
    words = f"{_SPLITS.get(split, split)} {name}".strip()
    return f"{words} ({_UNITS.get(units, units)})" if units else words


def series_name(name: str) -> str:
    """The name of a series in legends and titles; splits and batch-norm conventions in words.

    >>> series_name("train"), series_name("interpolate"), series_name("width 64")
    ('training set', 'interpolated', 'width 64')
    """
    return _SERIES.get(name, name)
