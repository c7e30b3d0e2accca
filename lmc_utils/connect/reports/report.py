"""Report on the line between two networks: a labelled dataset, a sentence, tables, a picture, and their average."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from torch import Tensor

from lmc_utils.connect.reports import sentences
from lmc_utils.connect.reports.tables import Table, tables
from lmc_utils.settings import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lmc_utils.measure.pairs import Pairs


@dataclass(frozen=True)
class Report:
    """Measurements of the line between two networks.

    Attributes:
        dataset: `loss` and, where there is one, `error` (percent) along `alpha`, from the first network (0) to the
            second (1). Of each curve: `loss_barrier` and `error_barrier_above_chord` (largest rise above the chord),
            `loss_at_half` and `error_at_half` (signed rise above the chord at the midpoint), `error_barrier` (largest
            error minus the mean of both ends, Frankle et al. 2020), and `highest_at`, where the loss is highest above
            its chord. The attributes say what was measured on what, and how.
        pairs: both networks, which share memory with those that were given; not part of what is saved or pickled.
        versions: how often torch had changed each of their tensors when they were measured.

    It can be asked for what its dataset has: `report.loss`, `report["error"]`, `report.attrs`.
    """

    dataset: xr.Dataset
    pairs: Pairs | None = field(default=None, repr=False, compare=False)
    versions: tuple[int, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "versions", self.present_versions())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.dataset[name]

    def __reduce__(self) -> tuple[Any, ...]:
        return Report, (self.dataset,)

    @property
    def sentence(self) -> str:
        """The cost of averaging the two networks in words, and how it was measured."""
        return sentences.sentence(self.dataset)

    def present_versions(self) -> tuple[int, ...]:
        """The number of changes that torch has counted of each tensor of both networks by now."""
        states = [] if self.pairs is None else self.pairs.read(())
        values = (value for state in states for value in state.values())
        return tuple(0 if value.is_inference() else value._version for value in values)

    def tables(self) -> dict[str, Table]:
        """All numbers as rows of text, by the title of a table; the first row of each is its head."""
        return tables(self.dataset)

    def average(self, alpha: float = 0.5) -> dict[str, Tensor]:
        """The network at a point of the line, as `load_state_dict` takes it, with its running statistics.

        They are re-estimated or interpolated as they were for the report; with `align`, the second network is the
        permuted one.

        Args:
            alpha: where on the line; outside [0, 1], beyond the networks.

        Raises:
            ParameterError: the report was read from a file, statistics that are kept, or networks that have been
                changed since they were measured.

        >>> import torch
        >>> from lmc_utils import connect, progress
        >>> first, second = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
        >>> with progress.hidden():
        ...     report = connect.pair(first, second, (torch.zeros(4, 3), torch.tensor([0, 1, 1, 0])))
        ...     state = report.average()
        >>> torch.allclose(state["bias"], (first.bias + second.bias) / 2)
        True
        """
        from lmc_utils.connect import averages  # here, as it measures pairs, whose result this is

        return averages.at_alpha(self, alpha)

    def to_netcdf(self, path: str | Path) -> None:
        """Write the dataset to a file.

        Raises:
            ParameterError: its folder is not there.
        """
        require(Path(path).expanduser().parent.is_dir(), "path", "a file in an existing folder", str(path))
        self.dataset.to_netcdf(path)

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON types; what is not finite, as where the work was stopped, is None."""
        result = self.dataset
        curves: dict[str, Any] = {"alphas": result.alpha.values}
        curves |= {str(name): each.values for name, each in result.data_vars.items() if "layer" not in each.dims}
        for name, each in result.data_vars.items():
            if "layer" in each.dims:
                key = "layers" if name == "layer_rise" else "layers_error"
                curves[key] = dict(zip(result.layer.values.tolist(), each.values.tolist(), strict=True))
        told: dict[str, Any] = finite({**curves, **result.attrs, "summary": self.sentence})
        return told

    def plot(self) -> Figure:
        """Draw loss and error along the line, with the chord and what was asked for besides."""
        from lmc_utils.figures.connections import along_line  # here, as drawing takes long to import
        from lmc_utils.figures.theme import themed

        with themed():
            return along_line(self.dataset)

    def _repr_html_(self) -> str:
        from lmc_utils.figures import elements  # here, as drawing takes long to import
        from lmc_utils.figures.theme import themed

        with themed():
            svg = elements.svg(self.plot(), self.sentence)
        found = "".join(f"<h4>{html.escape(title)}</h4>{_html_table(rows)}" for title, rows in self.tables().items())
        details = f"<details><summary>All numbers, and how they were measured</summary>{found}</details>"
        return f"<div><p>{html.escape(self.sentence)}</p>{svg}{details}</div>"


def finite(value: Any) -> Any:
    """A value as JSON types: arrays as lists, and None for numbers that are not finite.

    >>> finite({"a": [1.0, float("nan")], "b": np.array([np.inf, 2])})
    {'a': [1.0, None], 'b': [None, 2.0]}
    """
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _html_table(rows: Table) -> str:
    lines = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
