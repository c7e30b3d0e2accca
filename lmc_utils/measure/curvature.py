"""Second derivatives along a direction: the whole network, layer by layer, and layer against layer.

If every layer l moves by its own `a_l * delta_l`, the loss is a function of one number for each layer. Its Hessian at a
= 0 holds `delta_l^T H delta_k` for every two layers; the sum of its entries is `delta^T H delta`. `measure.derivatives`
differentiates; for the network as a whole, all layers share one coefficient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from lmc_utils.measure.derivatives import Derivatives
from lmc_utils.measure.evaluator import Corners
from lmc_utils.measure.labelled_arrays import Coords, Quantity, blank, require_finite
from lmc_utils.measure.pairs import Pairs
from lmc_utils.progress import bar


def along(
    pairs: Pairs,
    alphas: Sequence[float] | np.ndarray[Any, Any] = (0.0, 1.0),
    *,
    by_layer: bool = True,
    split: str | None = None,
) -> xr.Dataset:
    """Loss, its slopes and its curvatures along the line through each pair of networks.

    Args:
        pairs: the networks.
        alphas: positions on the line; by default both endpoints.
        by_layer: for every layer and every two layers, or for the network as a whole.
        split: name of the samples; by default the first split.

    Returns:
        `loss` with the dimensions of the pairs, then alpha; `slope` and `curvature` (per unit of alpha and its square)
        and `squared_distance` (without alpha). By layer, these three have a dimension layer, and curvature also
        with_layer. NaN where there is no pair. The attribute `batchnorm` gives the source of batch-norm statistics, and
        `differentiated` whether they are differentiated as functions of the parameters, or constants. If each network's
        own are kept in turn, all are means over both.

    Raises:
        ParameterError: an unknown split, a network that is not supported or that torch does not differentiate twice, or
            a loss, slope or curvature that is NaN or infinite.
    """
    evaluator, split = pairs.evaluator, pairs.require_splits(split)[0]
    steps = [float(alpha) for alpha in alphas]
    names = list(evaluator.layers) if by_layer else ["all"]
    layers = {"layer": names, "with_layer": names}
    coords: Coords = {**pairs.coords, "alpha": steps, **layers}
    dims, alone = tuple(pairs.coords), (*pairs.coords, "alpha")
    unit, meaning = evaluator.quantities["loss"]
    quantities = {
        "loss": Quantity(alone, unit, meaning),
        "slope": Quantity((*alone, "layer"), unit, "first derivative in alpha"),
        "curvature": Quantity((*alone, *layers), unit, "second derivative in alpha"),
        "squared_distance": Quantity((*dims, "layer"), "", "squared length of delta"),
    }
    about = {"differentiated": evaluator.differentiated} if evaluator.differentiated else {}
    found = blank(coords, quantities, {**pairs.attributes, "split": split, **about})

    def corners() -> Iterator[Corners]:
        for place, each in pairs:
            lengths = evaluator.gram(each, by_layer=by_layer)[..., 1, 1]
            found.squared_distance.values[place] = lengths if by_layer else [float(lengths)]
            yield each

    results = evaluator.derivatives(corners(), steps, by_layer=by_layer, split=split)
    for place, derivatives in zip(
        pairs.places, bar(results, "measuring curvature", unit="pair", total=len(pairs)), strict=True
    ):
        require_finite(_worst(derivatives), {**pairs.coords, "alpha": steps}, place)
        for name, values in derivatives._asdict().items():
            found[name].values[place] = values.numpy()
    return found if by_layer else found.isel(layer=0, with_layer=0, drop=True)


def _worst(derivatives: Derivatives) -> np.ndarray[Any, Any]:
    """The loss of each network, or a NaN or infinite value where any of its derivatives is."""
    sums = derivatives.slope.sum(1) + derivatives.curvature.sum((1, 2))
    return torch.where(sums.isfinite(), derivatives.loss, derivatives.loss + sums).numpy()
