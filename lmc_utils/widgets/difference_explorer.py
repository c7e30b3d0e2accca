"""Difference explorer: how two siblings move apart after a chosen difference at the fork, epoch by epoch."""

from __future__ import annotations

from typing import Any

import anywidget
import matplotlib as mpl
import numpy as np
import traitlets
import xarray as xr

from lmc_utils.figures.theme import fork_colours
from lmc_utils.measure.barriers import midpoint_barrier
from lmc_utils.settings import ParameterError, require
from lmc_utils.widgets.assets import join_scripts, require_dimensions, round_significant, static_text

_EPOCHS = ("difference", "fork_epoch", "epoch")


class DifferenceExplorer(anywidget.AnyWidget):
    """Compare small differences between two siblings at the fork: their distance and the error between them, by epoch.

    The reader chooses the difference, the fork epoch and the epoch, or plays all epochs. Values before the fork are
    ignored. A difference that is NaN at all epochs of a fork is not offered at this fork.

    Args:
        distance: between the siblings, >= 0; dimensions difference, fork_epoch and epoch. The labels of `difference`
            are shown to the reader.
        error: training error along the line between them, in percent; the same dimensions and `alpha`, which is
            increasing and includes 0, 1/2 and 1.
        caption: shown below the figure.

    Raises:
        ParameterError: the arrays have other dimensions or differ in their labels; a value after the fork is NaN or
            infinite, or negative; a fork epoch has no difference or no epoch.

    Attributes:
        scene: all data of the figure. Errors and distances have three significant digits, barriers one decimal: about
            80 kilobytes for 8 differences, 4 forks, 41 epochs and 9 alphas.

    >>> where = {"difference": ["noise 1e-6", "noise 1e-3"], "fork_epoch": [0, 2], "epoch": [0, 1, 2]}
    >>> distance = xr.DataArray(np.full((2, 2, 3), 0.12345), where)
    >>> error = xr.DataArray(np.full((2, 2, 3, 3), [2.0, 12.0, 4.0]), {**where, "alpha": [0, 0.5, 1]})
    >>> scene = DifferenceExplorer(distance, error).scene
    >>> scene["distance"][0], scene["barrier"][0]
    ([[0.123, 0.123, 0.123], [0.123]], [[9.0, 9.0, 9.0], [9.0]])
    """

    _esm = join_scripts("chart.js", "difference_explorer.js")
    _css = static_text("widgets.css") + static_text("difference_explorer.css")

    scene: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, distance: xr.DataArray, error: xr.DataArray, *, caption: str = "") -> None:
        require_dimensions(distance, "distance", _EPOCHS)
        require_dimensions(error, "error", (*_EPOCHS, "alpha"))
        for name in _EPOCHS:
            ours, theirs = distance[name].values.tolist(), error[name].values.tolist()
            require(ours == theirs, name, f"the same in distance and error, {ours}", theirs)
        for name in ("epoch", "alpha"):
            require(bool((np.diff(error[name].values) > 0).all()), name, "increasing", error[name].values.tolist())
        alphas = error.alpha.values
        complete = all(np.isclose(alphas, needed).any() for needed in (0, 0.5, 1))
        require(complete, "alpha", "values that include 0, 0.5 and 1", alphas.tolist())
        distance, error = distance.transpose(*_EPOCHS), error.transpose(*_EPOCHS, "alpha")
        after = distance.epoch >= distance.fork_epoch
        measured = (distance.notnull() & after).any("epoch")
        _check_values(distance, error, after & measured)
        for fork in distance.fork_epoch.values:
            if not measured.sel(fork_epoch=fork).any():
                raise ParameterError(f"distance has no value at or after fork epoch {fork}")
        barrier = midpoint_barrier(error)

        def after_fork(values: xr.DataArray, digits: int) -> list[Any]:
            """For each difference and fork, the values from the fork on; None where nothing was measured."""
            return [
                [
                    round_significant(values.values[i, j, after.values[:, j]], digits).tolist()
                    if measured[i, j]
                    else None
                    for j in range(values.sizes["fork_epoch"])
                ]
                for i in range(values.sizes["difference"])
            ]

        super().__init__(
            scene={
                "differences": [str(label) for label in distance.difference.values],
                "forks": distance.fork_epoch.values.tolist(),
                "epochs": distance.epoch.values.tolist(),
                "alphas": alphas.tolist(),
                "colours": [mpl.colors.to_hex(colour) for colour in fork_colours(distance.fork_epoch.values).values()],
                "distance": after_fork(distance, 3),
                "error": after_fork(error, 3),
                "barrier": after_fork(barrier.round(1), 4),
                "caption": caption,
            }
        )


def _check_values(distance: xr.DataArray, error: xr.DataArray, needed: xr.DataArray) -> None:
    """Raise ParameterError where a needed value is missing, not finite or negative, naming the place."""
    for name, values in (("distance", distance), ("error", error)):
        valid = (values >= 0) & (values < np.inf)
        places = np.argwhere((needed & ~valid.all(set(values.dims) - set(_EPOCHS))).transpose(*_EPOCHS).values)
        if len(places):
            labels = ", ".join(f"{dim} {values[dim].values[at]}" for dim, at in zip(_EPOCHS, places[0], strict=True))
            raise ParameterError(f"{name} must be finite and >= 0 from the fork on; it is not at {labels}")
