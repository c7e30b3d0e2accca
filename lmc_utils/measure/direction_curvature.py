"""How steep the loss is in the direction from one network to another, compared with random directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.sparse.linalg import LinearOperator

from lmc_utils.measure import hessian, spectrum
from lmc_utils.measure.evaluator import Corners, Evaluator
from lmc_utils.measure.labelled_arrays import Quantity, blank
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import Interrupted
from lmc_utils.progress import bar, hidden

__all__ = ["against_random", "compared", "quantities", "start_and_difference"]

_CERTAIN = 3.0  # standard errors that the trace must be above zero

Array = np.ndarray[Any, np.dtype[np.float64]]


def against_random(
    pairs: Pairs, *, probes: int = 8, seed: int = 0, split: str | None = None, part: str = "hessian"
) -> xr.Dataset:
    """The curvature at the first network of each pair, towards the second network and in random directions.

    Args:
        pairs: the networks.
        probes: random vectors for the trace, see `spectrum.trace`.
        seed: of the random vectors, the same for all pairs.
        split: name of the samples; by default the first split.
        part: of the Hessian, see `hessian.operator`.

    Returns:
        With the dimensions of the pairs, see `compared`; NaN where there is no pair, or no distance.

    Raises:
        ParameterError: see `hessian.operator` and `spectrum.trace`.
        points.Interrupted: the measurement was interrupted; it holds the pairs measured so far.
    """
    split = pairs.require_splits(split)[0]
    evaluator = pairs.evaluator
    about = quantities(tuple(pairs.coords), evaluator.quantities["loss"][0])
    found = blank(pairs.coords, about, {**pairs.attributes, "split": split, "part": part})
    try:
        for place, corners in bar(pairs, "measuring curvature", unit="pair", total=len(pairs)):
            matrix = hessian.operator(evaluator, evaluator.select(corners, [0]), split=split, part=part)
            with hidden():
                measured = compared(matrix, start_and_difference(evaluator, corners)[1], probes=probes, seed=seed)
            for name, values in measured.items():
                found[name].values[place] = values
    except KeyboardInterrupt as stop:
        raise Interrupted(found) from stop
    return found


def compared(matrix: LinearOperator, direction: Array, *, probes: int, seed: int) -> dict[str, float]:
    """The curvature in one direction, and that of random directions.

    Returns:
        `curvature`, `d^T H d`; `squared_distance`, the squared length of d; the `trace` of H and its standard error,
        `trace_error`; and `alignment`, the curvature over that expected of random directions of the same length,
        `squared_distance * trace / parameters`: NaN where the trace is not clearly positive, by three standard errors.

    >>> diagonal = LinearOperator((2, 2), matvec=lambda vector: np.array([3.0, 1.0]) * vector.ravel(), dtype=float)
    >>> compared(diagonal, np.array([2.0, 0.0]), probes=2, seed=0)["alignment"]  # 12 / (4 * 4 / 2)
    1.5
    """
    trace = spectrum.trace(matrix, probes=probes, seed=seed)
    squared, curvature = float(direction @ direction), float(direction @ matrix.matvec(direction))
    expected = squared * trace.mean / len(direction)
    reliable = expected > 0 and trace.mean > _CERTAIN * trace.standard_error
    return {
        "curvature": curvature,
        "squared_distance": squared,
        "trace": trace.mean,
        "trace_error": trace.standard_error,
        "alignment": curvature / expected if reliable else float("nan"),
    }


def quantities(dims: tuple[str, ...], unit: str) -> dict[str, Quantity]:
    """Descriptions of the results of `compared`, with the unit of the loss."""
    return {
        "curvature": Quantity(dims, unit, "second derivative along the line"),
        "squared_distance": Quantity(dims, "", "squared distance of the networks"),
        "trace": Quantity(dims, unit, "trace of the Hessian"),
        "trace_error": Quantity(dims, unit, "standard error of the trace"),
        "alignment": Quantity(dims, "", "curvature over that of random directions of the same length"),
    }


def start_and_difference(evaluator: Evaluator, corners: Corners) -> tuple[Array, Array]:
    """The parameters of the first network, and those of the second less those of the first, float64, flat."""
    vectors = evaluator.vectors(evaluator.select(corners, [0, 1]))
    first, second = torch.cat([each.double() for each in vectors.values()], 1).cpu().numpy()
    return first, second - first
