"""Report on the line between two networks: a labelled dataset, a sentence, tables, a figure, and their average."""

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

_BY_LAYER = {"layer": "layers", "group": "layer_groups", "random": "random_steps"}


@dataclass(frozen=True)
class Report:
    """Measurements of the line between two networks.

    Attributes:
        dataset: `loss` and, if measured, `error` (percent) along `alpha`, from the first network (0) to the second (1).
            Of each curve: `loss_barrier` and `error_barrier_above_chord` (largest rise above the chord), `loss_at_half`
            and `error_at_half` (signed rise above the chord at the midpoint), `error_barrier` (largest error minus the
            mean of both ends, Frankle et al. 2020), and `highest_at`, the alpha at which the loss is highest above its
            chord. The attributes describe networks, samples and methods.
        pairs: both networks, which share memory with the given ones; not saved or pickled.
        versions: torch's version counter of each of their tensors when they were measured.

    Items and attributes of the dataset are available directly: `report.loss`, `report["error"]`, `report.attrs`.
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
        """The current version counter of each tensor of both networks."""
        states = [] if self.pairs is None else self.pairs.read(())
        values = (value for state in states for value in state.values())
        return tuple(0 if value.is_inference() else value._version for value in values)

    def tables(self) -> dict[str, Table]:
        """All numbers as rows of text, by the title of a table; the first row of each is its header."""
        return tables(self.dataset)

    def average(self, alpha: float = 0.5) -> dict[str, Tensor]:
        """The network at a point of the line, as a state for `load_state_dict`, with its running statistics.

        These are re-estimated or interpolated as for the report; with `align`, the second network is the permuted one.

        Args:
            alpha: position on the line; values outside [0, 1] extrapolate.

        Raises:
            ParameterError: the report was read from a file, statistics were kept, or the networks have changed since
                they were measured.

        >>> import torch
        >>> from lmc_utils import connect, progress
        >>> first, second = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
        >>> with progress.hidden():
        ...     report = connect.pair(first, second, (torch.zeros(4, 3), torch.tensor([0, 1, 1, 0])))
        ...     state = report.average()
        >>> torch.allclose(state["bias"], (first.bias + second.bias) / 2)
        True
        """
        from lmc_utils.connect import averages  # imported here, as it depends on this module

        return averages.at_alpha(self, alpha)

    def to_netcdf(self, path: str | Path) -> None:
        """Write the dataset to a file.

        Raises:
            ParameterError: its folder does not exist.
        """
        require(Path(path).expanduser().parent.is_dir(), "path", "a file in an existing folder", str(path))
        self.dataset.to_netcdf(path)

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON types; non-finite values, as after an interruption, are None."""
        result = self.dataset
        curves: dict[str, Any] = {"alphas": result.alpha.values}
        curves |= {str(name): each.values for name, each in result.data_vars.items() if "layer" not in each.dims}
        for name, each in result.data_vars.items():
            if "layer" in each.dims:
                kind = str(name).partition("_")[0]
                key = _BY_LAYER[kind] + ("_error" if str(name) == f"{kind}_error_rise" else "")
                curves[key] = _by_label(each.transpose("group", "layer", missing_dims="ignore"))
        told: dict[str, Any] = finite({**curves, **result.attrs, "summary": self.sentence})
        return told

    def plot(self) -> Figure:
        """Draw loss and error along the line, with the chord and further measurements."""
        from lmc_utils.figures.connections import along_line  # slow to import
        from lmc_utils.figures.theme import themed

        with themed():
            return along_line(self.dataset)

    def _repr_html_(self) -> str:
        from lmc_utils.figures import elements  # slow to import
        from lmc_utils.figures.theme import themed

        with themed():
            svg = elements.svg(self.plot(), self.sentence)
        found = "".join(f"<h4>{html.escape(title)}</h4>{_html_table(rows)}" for title, rows in self.tables().items())
        details = f"<details><summary>All numbers, and how they were measured</summary>{found}</details>"
        return f"<div><p>{html.escape(self.sentence)}</p>{svg}{details}</div>"


def finite(value: Any) -> Any:
    """A value as JSON types: arrays as lists, non-finite numbers as None.

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


def _by_label(values: xr.DataArray) -> Any:
    """Values by the label of each dimension, the first outermost."""
    if not values.dims:
        return values.item()
    dim = values.dims[0]
    return {label: _by_label(values.sel({dim: label})) for label in values[dim].values.tolist()}


def _html_table(rows: Table) -> str:
    lines = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
