"""Height of the ridge between two networks, from the line between them up to a third point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr

from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import measure
from lmc_utils.settings import Settings, odd_at_least, parameter

TRACKS = ("first", "middle", "second")


@dataclass(frozen=True)
class HeightGrid(Settings):
    """Grid of heights between the sibling line (height 0) and a third point (height 1).

    Their number is odd, so that every other one is an evenly spaced grid, too.

    >>> HeightGrid(heights=5).values().tolist(), HeightGrid(heights=5).every_other().tolist()
    ([0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 0.5, 1.0])
    """

    heights: int = parameter(
        11,
        "number of lines parallel to the sibling line, from it to the third point",
        odd_at_least(5),
        bytes_each=64,
    )

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"smoke": {"heights": 5}}

    def values(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """All heights, from 0 to 1, shape (heights,)."""
        return np.linspace(0, 1, self.heights).round(12)

    def every_other(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Every other height, from 0 to 1, shape ((heights + 1) / 2,)."""
        return self.values()[::2]


def tracks(
    pairs: Pairs, heights: Sequence[float] | np.ndarray[Any, Any], *, splits: Sequence[str] | str | None = None
) -> xr.Dataset:
    """Loss and error on three tracks from the line up to the third point: the midline and both flanks.

    At height h the two flanks are at `(1 - h) * theta_i + h * third`; the midline is at their midpoint.

    Args:
        pairs: pairs with a third point.
        heights: from 0, the line between the networks, to 1, the third point; shape (heights,).
        splits: names of the samples; see `points.measure`, also for further results and the errors raised.

    Returns:
        `loss` and `error` (percent) with dimensions split, those of the pairs, height and track (first, middle,
        second). The attribute `third` describes the third point.

    Raises:
        ParameterError: pairs without a third point.
    """
    third, rise = pairs.require_third(), torch.as_tensor(np.asarray(heights, dtype=np.float64))
    sides = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    height, track = (
        each.flatten() for each in torch.meshgrid(torch.arange(len(rise)), torch.arange(len(TRACKS)), indexing="ij")
    )
    weights = torch.cat([(1 - rise[height, None]) * sides[track], rise[height, None]], 1)
    inner = {"height": rise.tolist(), "track": TRACKS}
    return measure(pairs, inner, Mixtures(weights), splits=splits, unit="ridge").assign_attrs(third=third)


def ridge(values: xr.DataArray) -> xr.DataArray:
    """Height of the midline above the mean of its two flanks, at every height above the line.

    At height 0 it is the barrier at the midpoint of the networks, with its sign; at the third point it is 0.

    Args:
        values: loss or error with a dimension track (first, middle, second), as `tracks` measures them.

    Returns:
        The other dimensions of `values`, in its unit.

    >>> values = xr.DataArray([1.0, 5.0, 3.0], coords={"track": ["first", "middle", "second"]})
    >>> float(ridge(values))
    3.0
    """
    flanks = values.sel(track=["first", "second"]).mean("track", skipna=False)
    return (values.sel(track="middle", drop=True) - flanks).assign_attrs(values.attrs)
