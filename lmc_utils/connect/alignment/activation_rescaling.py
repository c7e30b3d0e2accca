"""Rescaling of activations (REPAIR) on the line between two stacked networks, the second step after alignment.

At the midpoint, contributions cancel where the two networks disagree, and activations vary less than at either end (see
`measure.activation_variance`). Jordan et al. (2023) repair it: at each point of the line, layer after layer, every
channel is shifted and scaled so that its mean and its standard deviation are interpolated between those at the ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import xarray as xr
from torch import Tensor, nn

from lmc_utils.measure import lines
from lmc_utils.measure.batchnorm import Convention
from lmc_utils.measure.lines import LineGrid
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.pairs import Pairs
from lmc_utils.measure.stacked_evaluator import StackedEvaluator, require_stacked, with_convention
from lmc_utils.measure.stacked_scores import ESTIMATION_MEMORY, batches, blocks, norms
from lmc_utils.networks import layers, permutation_symmetry, stack
from lmc_utils.networks.activation_sizes import activations
from lmc_utils.networks.layers import Parameters
from lmc_utils.networks.normalisation import Norm, by_channel
from lmc_utils.networks.stack import Networks
from lmc_utils.settings import ParameterError

STILL = 1e-6
"""A channel that varies less, in standard deviations, is shifted only."""


def line(pairs: Pairs, grid: LineGrid, *, splits: Sequence[str] | str | None = None) -> xr.Dataset:
    """Loss and error along the line through each pair, with the statistics of activations repaired at every point.

    With batch normalisation, statistics are re-estimated, which has the same effect. Without it, the outputs of every
    hidden layer are shifted and scaled, using as many training samples as the convention of the pairs; this changes
    only weights and biases, so that a network of the same architecture is measured. The ends are unchanged; outside
    them, where interpolated deviations could turn negative, the statistics of the nearest end are used.

    Args:
        pairs: pairs of stacked networks, aligned or not.
        grid: the interpolation coefficients.
        splits: names of the samples; see `points.measure`, also for further results and the errors raised.

    Returns:
        As `lines.line`; the attribute `rescaled` describes the method.

    Raises:
        ParameterError: the network has another normalisation, or is not built of stacked layers.
    """
    evaluator = require_stacked(pairs)
    convention = Convention("reestimate", evaluator.convention.batchnorm_samples)
    if norms(evaluator.network):
        result = lines.line(with_convention(pairs, convention), grid, splits=splits)
        return result.assign_attrs(rescaled=convention.describe())
    others = sorted({type(layer).__name__ for layer in evaluator.network.modules() if isinstance(layer, Norm)})
    if others:
        raise ParameterError(f"norm must be 'none' or 'batch' for rescaling activations (got {', '.join(others)})")
    rescaled = RescaledEvaluator(evaluator.network, evaluator.samples, convention, evaluator.device)
    result = lines.line(replace(pairs, evaluator=rescaled), grid, splits=splits)
    count = len(rescaled.estimation_inputs())
    return result.assign_attrs(rescaled=f"means and deviations of activations, on {count} training samples")


class RescaledEvaluator(StackedEvaluator):
    """Evaluator of points whose activations have means and standard deviations interpolated between the ends."""

    def thetas(self, corners: Networks, points: Mixtures) -> Tensor:
        thetas = super().thetas(corners, points)
        alphas = points.weights[:, 1].to(thetas)
        within = (alphas != 0) & (alphas != 1)
        if bool(within.any()):
            inputs, inside = self.estimation_inputs(), alphas[within].clamp(0, 1)
            ends = moments(self.network, corners.theta[:2], inputs)
            wanted = {name: torch.lerp(both[:, :1], both[:, 1:], inside[:, None]) for name, both in ends.items()}
            thetas[within] = rescale(self.network, thetas[within], wanted, inputs=inputs)
        return thetas


def moments(network: nn.Module, thetas: Tensor, inputs: Tensor) -> Parameters:
    """Mean and standard deviation of every channel over samples and space, at the output of every hidden layer.

    Args:
        network: a stack without normalisation.
        thetas: parameter vectors, shape (networks, parameters).
        inputs: shape (samples, space..., channels).

    Returns:
        For each affine layer except the last: shape (2, networks, channels).
    """
    return _forward_pass(network, thetas, inputs, {})[0]


def rescale(network: nn.Module, thetas: Tensor, targets: Parameters, *, inputs: Tensor) -> Tensor:
    """Rescale networks, layer after layer, to given means and standard deviations of activations on these samples.

    Constant channels are only shifted.

    Args:
        network, thetas, inputs: as for `moments`.
        targets: moments of each hidden layer, shape (2, networks, channels), see `moments`.

    Returns:
        Parameter vectors of the same shape.
    """
    _, changes = _forward_pass(network, thetas, inputs, targets)
    values = dict(stack.unflatten(thetas.clone(), network))
    for name, (scale, shift) in changes.items():
        weight, bias = values[f"{name}.weight"], values[f"{name}.bias"]
        linear = weight.dim() == 3  # (networks, fan_in, fan_out); else (networks, channels_out, ...)
        values[f"{name}.weight"] = weight * (scale[:, None] if linear else scale[(...,) + (None,) * (weight.dim() - 2)])
        values[f"{name}.bias"] = bias * scale.view_as(bias) + shift.view_as(bias)
    return stack.flatten(values)


def _forward_pass(
    network: nn.Module, thetas: Tensor, inputs: Tensor, targets: Parameters
) -> tuple[Parameters, dict[str, tuple[Tensor, Tensor]]]:
    """The moments of hidden layers, and the applied scales and shifts, each (networks, channels)."""
    channels = permutation_symmetry.channels(network)
    numbers_each = 2 * max(activations(network, inputs)) * len(inputs)
    _, at_once = batches(numbers_each * thetas.element_size(), 1, memory=ESTIMATION_MEMORY, most=1)
    result: dict[str, list[Tensor]] = {}
    changes: dict[str, list[Tensor]] = {}

    def watch(name: str, rows: slice) -> Any:
        def hook(_: nn.Module, __: Any, outputs: Tensor) -> Tensor | None:
            over = (1,) if outputs.dim() == 3 else (0, *range(3, outputs.dim()))
            mean, deviation = outputs.mean(over), outputs.std(over, correction=0)
            result.setdefault(name, []).append(torch.stack([mean, deviation]))
            if name not in targets:
                return None
            mean_wanted, deviation_wanted = targets[name][:, rows]
            scale = torch.where(deviation > STILL, deviation_wanted / deviation.clamp(min=STILL), 1.0)
            shift = mean_wanted - mean * scale
            changes.setdefault(name, []).append(torch.stack([scale, shift]))
            return outputs * by_channel(scale, outputs) + by_channel(shift, outputs)

        return hook

    for rows in blocks(len(thetas), at_once):
        passing = stack.bound(network, thetas[rows].to(inputs.device)).eval()
        for name, layer in passing.named_modules():
            if isinstance(layer, (layers.Linear, layers.Conv)) and channels[name]:
                layer.register_forward_hook(watch(name, rows))
        with torch.no_grad():
            passing(inputs.expand(len(thetas[rows]), *inputs.shape))
    return (
        {name: torch.cat(parts, 1) for name, parts in result.items()},
        {name: (whole[0], whole[1]) for name, parts in changes.items() for whole in [torch.cat(parts, 1)]},
    )
