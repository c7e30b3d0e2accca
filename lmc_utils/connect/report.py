"""What was found between two networks: a labelled dataset, a sentence, and a picture."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lmc_utils.measure.barriers import STABLE_BELOW

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Report:
    """What lies between two networks.

    Attributes:
        dataset: `loss` and, where there is one, `error` (percent) along `alpha`, from the first network (0) to the
            second (1). Of each curve: `loss_barrier` and `error_barrier_above_chord` (largest rise above the chord),
            `loss_at_half` and `error_at_half` (signed rise above the chord at the midpoint), `error_barrier` (largest
            error minus the mean of both ends, Frankle et al. 2020), and `highest_at`, where the loss is highest above
            its chord. The attributes say what was measured on what, and how.

    It can be asked for what its dataset has: `report.loss`, `report["error"]`, `report.attrs`.
    """

    dataset: xr.Dataset

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.dataset[name]

    @property
    def sentence(self) -> str:
        """What averaging the two networks costs, in words."""
        result = self.dataset
        if "error" in result and np.isfinite(result.error_barrier):
            half, barrier = float(result.error_at_half), float(result.error_barrier)
            cost = f"costs {half:.1f} points of error" if half >= 0 else f"saves {-half:.1f} points of error"
            verdict = "stable: they can be averaged" if barrier < STABLE_BELOW else "not stable"
            bound = f"the error barrier is {barrier:.1f} points, {verdict} (bound: {STABLE_BELOW:g})"
            return f"Averaging {cost}; {bound}; the loss is highest above its chord at {self._highest()}."
        if np.isfinite(result.loss_barrier):
            half = float(result.loss_at_half)
            cost = f"costs {half:.3g} of loss" if half >= 0 else f"saves {-half:.3g} of loss"
            return f"Averaging {cost}; the barrier is {float(result.loss_barrier):.3g}, highest at {self._highest()}."
        done = int(np.isfinite(result.loss).sum())
        return f"{done} of {result.sizes['alpha']} points of the line were measured."

    def to_netcdf(self, path: str | Path) -> None:
        """Write the dataset to a file."""
        self.dataset.to_netcdf(path)

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON types; what is not finite, as where the work was stopped, is None."""
        result = self.dataset
        curves: dict[str, Any] = {"alphas": result.alpha.values.tolist()}
        curves |= {
            name: _plain(result[name]) for name in map(str, result.data_vars) if "layer" not in result[name].dims
        }
        if "layer_rise" in result:
            rises = zip(result.layer.values.tolist(), _plain(result.layer_rise), strict=True)
            curves["layers"] = dict(rises)
        return {**curves, **{str(name): value for name, value in result.attrs.items()}, "summary": self.sentence}

    def plot(self) -> Figure:
        """Draw loss and error along the line, with the chord and what was asked for besides."""
        from lmc_utils.figures.connections import along_line  # here, as drawing takes long to import

        return along_line(self.dataset)

    def _repr_html_(self) -> str:
        from lmc_utils.figures import elements  # here, as drawing takes long to import

        svg = elements.svg(self.plot(), self.sentence)
        rows = "".join(
            f"<tr><th>{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>"
            for name, value in self.dataset.attrs.items()
        )
        details = f"<details><summary>What was measured, and how</summary><table>{rows}</table></details>"
        return f"<div><p>{html.escape(self.sentence)}</p>{svg}{details}</div>"

    def _highest(self) -> str:
        return f"alpha = {float(self.dataset.highest_at):.3g}"


def _plain(values: xr.DataArray) -> Any:
    numbers = np.where(np.isfinite(values.values), values.values, None)  # type: ignore[call-overload]
    return numbers.tolist()
