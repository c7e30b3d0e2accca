"""One way to lay out what was measured: labelled arrays, NaN until something is measured there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from lmc_utils.settings import ParameterError

Coords = Mapping[str, Sequence[Any] | int]
"""The labels along each dimension, in order; a number for a dimension without labels that is so long."""

Place = tuple[int, ...]
"""Positions along the first dimensions of an array."""


class Quantity(NamedTuple):
    """The content of an array.

    Attributes:
        dims: its dimensions, in order.
        units: of its numbers; empty where they have none.
        long_name: what it is, in words.
        more: further attributes.
    """

    dims: tuple[str, ...]
    units: str = ""
    long_name: str = ""
    more: Mapping[str, str] = {}

    def attrs(self) -> dict[str, str]:
        """The attributes of the array; empty ones are left out."""
        named = {"units": self.units, "long_name": self.long_name, **self.more}
        return {name: value for name, value in named.items() if value}


def blank(coords: Coords, quantities: Mapping[str, Quantity], attrs: Mapping[str, str]) -> xr.Dataset:
    """A dataset of NaN, to be filled place by place: `results.loss.values[place] = ...`.

    Args:
        coords: the labels along every dimension.
        quantities: what each array holds.
        attrs: of the dataset: what it was measured on.

    >>> results = blank({"alpha": [0.0, 1.0]}, {"loss": Quantity(("alpha",), "nats")}, {"split": "train"})
    >>> results.loss.values, results.loss.attrs, results.attrs
    (array([nan, nan]), {'units': 'nats'}, {'split': 'train'})
    """
    sizes = {name: size(labels) for name, labels in coords.items()}
    arrays = {
        name: (quantity.dims, np.full([sizes[dim] for dim in quantity.dims], np.nan), quantity.attrs())
        for name, quantity in quantities.items()
    }
    labelled = {name: list(labels) for name, labels in coords.items() if not isinstance(labels, int)}
    return xr.Dataset(arrays, coords=labelled, attrs=dict(attrs))


def require_finite(values: np.ndarray[Any, Any], coords: Coords, place: Place) -> None:
    """Raise ParameterError where a loss is NaN or infinite, with its labels.

    Args:
        values: losses at one place of an array, with the dimensions that are left.
        coords: those of the whole array, in order.
        place: positions in the first of them.

    >>> require_finite(np.array([1.0, np.nan]), {"pair": ["0-1"], "alpha": [0.0, 0.5]}, (0,))
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: loss: it is NaN or infinite at pair 0-1, alpha 0.5
    """
    broken = np.argwhere(~np.isfinite(values))
    if len(broken):
        positions = zip(coords.items(), (*place, *broken[0]), strict=True)
        labels = ", ".join(f"{name} {_labels(dim_labels)[index]}" for (name, dim_labels), index in positions)
        raise ParameterError(f"the loss is NaN or infinite at {labels}")


def size(labels: Sequence[Any] | int) -> int:
    """The length of a dimension, by its labels or their number."""
    return labels if isinstance(labels, int) else len(labels)


def _labels(labels: Sequence[Any] | int) -> Sequence[Any]:
    return range(labels) if isinstance(labels, int) else labels
