"""The variance of activations before and after each batch normalisation, on the line between two networks.

At the midpoint of two networks, the incoming weights of a channel are averages, and where the two disagree the averages
nearly cancel: the channel's input varies less from sample to sample than at either end. Statistics that ignore this
divide by too much, in one layer after the other.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from lmc_utils.measure.labelled_arrays import Coords, Quantity, blank
from lmc_utils.measure.mixtures import on_line
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.stacked_evaluator import require_stacked
from lmc_utils.networks import stack
from lmc_utils.networks.normalisation import EPS, BatchNorm
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError


def variances(pairs: Pairs, alphas: Sequence[float] | np.ndarray[Any, Any] = (0.0, 0.5, 1.0)) -> xr.Dataset:
    """Variance of the inputs and outputs of each batch normalisation, along the line through each pair of networks.

    Args:
        pairs: the networks.
        alphas: positions on the line.

    Returns:
        `variance` of the inputs, over samples and space, and `normalised`, the same divided by the layer's stored
        variance (plus its epsilon): the variance of the outputs before scale and shift, 1 where the statistics are
        right. Both are means over the channels, with the dimensions of the pairs, alpha and layer, on as many training
        samples as the convention re-estimates on; where statistics are kept, means over those of both networks.

    Raises:
        ParameterError: the network has no batch normalisation, or is not built of stacked layers.
    """
    evaluator = require_stacked(pairs)
    network = copy.deepcopy(evaluator.network)
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, BatchNorm)}
    if not layers:
        raise ParameterError("the network has no batch normalisation")
    seen: dict[str, Tensor] = {}

    def watch(name: str) -> Any:
        def hook(layer: BatchNorm, inputs: tuple[Tensor]) -> None:
            images = inputs[0] if inputs[0].dim() > 3 else inputs[0].transpose(0, 1)
            varies = images.var((0, *range(3, images.dim())), correction=0)
            seen[name] = torch.stack([varies, varies / (layer.running_var + EPS)]).mean(-1)

        return hook

    for name, layer in layers.items():
        layer.register_forward_pre_hook(watch(name))
    samples, steps = evaluator.estimation_inputs(), torch.tensor(alphas, dtype=torch.float64)
    points = on_line(steps, pairs.corners)
    coords: Coords = {**pairs.coords, "alpha": steps.tolist(), "layer": list(layers)}
    quantities = {
        "variance": Quantity(tuple(coords), long_name="variance of activations before normalisation"),
        "normalised": Quantity(tuple(coords), long_name="variance of activations after normalisation"),
    }
    result = blank(coords, quantities, pairs.attributes)
    for place, corners in bar(pairs, "measuring activations", unit="pair"):
        thetas = evaluator.thetas(corners, points)
        statistics = evaluator.statistics(corners, points, thetas)
        values = torch.zeros(2, len(steps), len(layers), dtype=torch.float64)
        for buffers in statistics:
            with torch.no_grad():
                named = stack.unflatten(thetas, network, buffers)
                torch.func.functional_call(network, named, (samples.expand(len(steps), *samples.shape),))
            values += torch.stack([seen[name] for name in layers], -1).cpu() / len(statistics)
        result.variance.values[place], result.normalised.values[place] = values.numpy()
    return result
