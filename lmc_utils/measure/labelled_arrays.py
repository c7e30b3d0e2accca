"""Labelled arrays for results, filled with NaN until a value is measured."""

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
    """Description of an array: dimensions, unit and meaning.

    Attributes:
        dims: its dimensions, in order.
        units: unit of its numbers; empty if dimensionless.
        long_name: the quantity, in words.
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
        attrs: attributes of the dataset, such as the samples used.

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
    """Raise ParameterError if a loss is NaN or infinite, with its labels.

    Args:
        values: losses at one place of an array, with the remaining dimensions.
        coords: labels along all dimensions of the array, in order.
        place: indices along the leading dimensions.

    >>> require_finite(np.array([1.0, np.nan]), {"pair": ["0-1"], "alpha": [0.0, 0.5]}, (0,))
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: the loss is NaN or infinite at pair 0-1, alpha 0.5
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
