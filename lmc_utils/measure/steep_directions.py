"""Where one network lies as seen from another: along the steep directions of the loss, or across them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import xarray as xr

from lmc_utils.measure import direction_curvature, hessian, spectrum
from lmc_utils.measure.direction_curvature import Array
from lmc_utils.measure.evaluator import Corners, Evaluator
from lmc_utils.measure.labelled_arrays import Coords, Quantity, blank
from lmc_utils.measure.loss_function import LossFunction
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.points import Interrupted
from lmc_utils.progress import bar, hidden
from lmc_utils.settings import require

__all__ = ["steep_directions"]

PARTS = ("line", "steep", "rest", "random")
_RANDOM_DIRECTIONS = 4


def steep_directions(
    pairs: Pairs, *, eigenpairs: int = 100, probes: int = 32, seed: int = 0, split: str | None = None
) -> xr.Dataset:
    """The Hessian at the first network of each pair, and how the direction to the second network lies in it.

    Let `delta` be the difference of the networks, `P` the projection onto the steep directions (the eigenvectors of the
    largest eigenvalues), and `r` a random direction of the length of `delta`. The loss is measured at the midpoint:
    at `theta_1` plus half of `delta`, of `P delta`, of `delta - P delta` and of `r`.

    Args:
        pairs: the networks.
        eigenpairs: the number of steep directions.
        probes: random vectors for the trace, see `spectrum.trace`.
        seed: of the random vectors and directions, the same for all pairs.
        split: name of the samples; by default the first split.

    Returns:
        With the dimensions of the pairs: the curvature of `delta` and of random directions, see
        `direction_curvature.compared`. With a last dimension number (from 1): `eigenvalue`, descending; and
        `length_share` and `curvature_share`, the fractions of the squared length and of the curvature of `delta` along
        so many of the steepest directions. With a last dimension part (line, steep, rest, random): `rise` of the loss
        at the midpoint, for random directions the mean of four. NaN where there is no pair.

    Raises:
        ParameterError: see `hessian.operator` and `spectrum.largest_eigenpairs`.
        points.Interrupted: the measurement was interrupted; it holds the pairs measured so far.
    """
    split = pairs.require_splits(split)[0]
    evaluator, dims = pairs.evaluator, tuple(pairs.coords)
    most = evaluator.parameters
    require(1 <= eigenpairs <= most, "eigenpairs", f"between 1 and {most}, the number of parameters", eigenpairs)
    coords: Coords = {**pairs.coords, "number": list(range(1, eigenpairs + 1)), "part": list(PARTS)}
    unit = evaluator.quantities["loss"][0]
    quantities = {
        **direction_curvature.quantities(dims, unit),
        "eigenvalue": Quantity((*dims, "number"), unit, "eigenvalue of the Hessian"),
        "length_share": Quantity((*dims, "number"), "", "fraction of the squared length in the steepest directions"),
        "curvature_share": Quantity((*dims, "number"), "", "fraction of the curvature in the steepest directions"),
        "rise": Quantity((*dims, "part"), unit, "loss at the midpoint less the loss of the first network"),
    }
    found = blank(coords, quantities, {**pairs.attributes, "split": split})
    try:
        for place, corners in bar(pairs, "measuring steep directions", unit="pair", total=len(pairs)):
            with hidden():
                measured = _measure(evaluator, corners, split, eigenpairs=eigenpairs, probes=probes, seed=seed)
            for name, values in measured.items():
                found[name].values[place] = values
    except KeyboardInterrupt as stop:
        raise Interrupted(found) from stop
    return found


def _measure(
    evaluator: Evaluator, corners: Corners, split: str, *, eigenpairs: int, probes: int, seed: int
) -> dict[str, Any]:
    first = evaluator.select(corners, [0])
    matrix, loss = hessian.operator(evaluator, first, split=split), evaluator.loss_function(first, split)
    start, delta = direction_curvature.start_and_difference(evaluator, corners)
    steepest = spectrum.largest_eigenpairs(matrix, eigenpairs, seed=seed)
    fractions = spectrum.subspace_fractions(matrix, delta, steepest, range(1, eigenpairs + 1))
    steep = steepest.vectors @ (steepest.vectors.T @ delta)
    drawn = np.random.default_rng(seed).standard_normal((_RANDOM_DIRECTIONS, len(delta)))
    drawn *= np.linalg.norm(delta) / np.linalg.norm(drawn, axis=1, keepdims=True)
    steps = [delta, steep, delta - steep, *drawn]
    before, *after = (_mean_loss(loss, start + step / 2) for step in [0 * delta, *steps])
    rises = np.array(after) - before
    return {
        **direction_curvature.compared(matrix, delta, probes=probes, seed=seed),
        "eigenvalue": steepest.values,
        "length_share": fractions.squared_length,
        "curvature_share": fractions.curvature,
        "rise": [*rises[:3], rises[3:].mean()],
    }


def _mean_loss(loss: LossFunction, at: Array) -> float:
    vector = torch.from_numpy(at).to(loss.vector)
    with torch.no_grad():
        return sum(float(batch.loss(batch.outputs(vector))) for batch in loss.batches()) / loss.samples
