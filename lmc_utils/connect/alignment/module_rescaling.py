"""Rescaling of activations (REPAIR, Jordan et al. 2022, arXiv 2211.08403) for any PyTorch module.

At each point of the line, layer after layer, every channel of a fully connected, convolutional or transposed
convolutional layer is shifted and scaled so that its mean and standard deviation are interpolated between those at the
ends. This affine map is folded into the layer's weight and bias, so that a network of the same architecture is
measured. If a batch normalisation follows, its re-estimated statistics have the same effect. `activation_rescaling`
does the same for stacked networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.connect.alignment import channel_graph
from lmc_utils.connect.alignment.activation_rescaling import STILL
from lmc_utils.connect.alignment.channel_graph import AffineLayer
from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.mixed_module import Corners
from lmc_utils.measure.mixtures import Mixtures
from lmc_utils.measure.module_evaluator import ModuleEvaluator
from lmc_utils.measure.module_state import tensors
from lmc_utils.settings import ParameterError, require

_FOLDABLE = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)

Moments = tuple[Tensor, Tensor]
"""Mean and standard deviation of every channel, (channels,) each, float64."""


def rescaled(evaluator: ModuleEvaluator) -> RescaledModuleEvaluator:
    """The evaluator of a line with rescaled activations, using the estimation samples.

    Raises:
        ParameterError: layers that an affine map cannot be folded into, or running statistics that are not
            re-estimated.
    """
    if evaluator.norms:
        require(
            evaluator.convention == "reestimate", "batchnorm", "'reestimate' with rescale=True", evaluator.convention
        )
    graph = channel_graph.read(evaluator.module, next(iter(evaluator.estimated_on)), asked="rescale")
    layers = tuple(each for each in graph.layers if not each.normalised and not each.reads_out)
    for each in layers:
        _require_foldable(evaluator.module, each)
    if not layers and not evaluator.norms:
        raise ParameterError("rescale: the network has no linear or convolutional layers before the last")
    own = {each.name: getattr(evaluator, each.name) for each in fields(ModuleEvaluator)}
    return RescaledModuleEvaluator(**own, layers_to_rescale=layers)


@dataclass(frozen=True)
class RescaledModuleEvaluator(ModuleEvaluator):
    """Evaluator of points whose activations have means and standard deviations interpolated between the ends.

    Attributes:
        layers_to_rescale: affine layers in execution order.
    """

    layers_to_rescale: tuple[AffineLayer, ...] = ()

    @cached_property
    def description(self) -> str:
        """A description of the rescaling, for the attributes of a report."""
        parts = [f"means and deviations of {len(self.layers_to_rescale)} layers"] if self.layers_to_rescale else []
        parts += ["statistics of batch normalisation"] if self.norms else []
        return f"{' and '.join(parts)}, on {self.estimated_on.description}"

    def scores(self, corners: Corners, points: Mixtures, splits: Sequence[str]) -> Iterator[tuple[slice, Tensor]]:
        ends: list[dict[str, Moments]] = []
        for row in range(len(points)):
            found = super().scores(corners, points[row : row + 1], splits)
            if self._inner(points, row):
                ends = ends or [self._moments_of(corner) for corner in corners[:2]]
                state = self._rescaled_state(corners, points, row, ends)
                found = super().scores([state, state], Mixtures(torch.eye(2, dtype=torch.float64)[:1]), splits)
            for _, scores in found:
                yield slice(row, row + 1), scores

    def state(self, corners: Corners, points: Mixtures) -> dict[str, Any]:
        if not self._inner(points, 0):
            return super().state(corners, points)
        self._rescaled_state(corners, points, 0, [self._moments_of(corner) for corner in corners[:2]])
        self._reestimate()
        return self._held_state()

    def _inner(self, points: Mixtures, row: int) -> bool:
        return bool(self.layers_to_rescale) and float(points.weights[row, 1]) not in (0, 1)

    def _rescaled_state(
        self, corners: Corners, points: Mixtures, row: int, ends: Sequence[Mapping[str, Moments]]
    ) -> dict[str, Tensor]:
        """The tensors of a point between the ends, which are in the copy."""
        self._point.mix(corners, points, row, self._point.parameters)
        self._rescale(_mixed(ends, min(max(float(points.weights[row, 1]), 0), 1)))
        return {name: value.clone() for name, value in tensors(self.module).items()}

    def _moments_of(self, corner: Mapping[str, Tensor]) -> dict[str, Moments]:
        self._point.hold(corner)
        self._reestimate()
        return {each.place: moments(self.module, each, self.estimated_on) for each in self.layers_to_rescale}

    def _rescale(self, targets: Mapping[str, Moments]) -> None:
        """Rescale the network in the copy."""
        for layer in self.layers_to_rescale:
            self._reestimate()
            fold(self.module, layer, moments(self.module, layer, self.estimated_on), targets[layer.place])

    def _reestimate(self) -> None:
        if self.norms:
            self._reestimation.run()


def moments(module: nn.Module, layer: AffineLayer, batches: Batches) -> Moments:
    """Mean and standard deviation of each output channel of a layer, over samples and space.

    Args:
        module: in evaluation mode.
        layer: one of its modules, see `channel_graph.read`.
        batches: samples; each forward pass stops at the layer.
    """
    sums: list[Tensor] = []

    def watch(_: nn.Module, __: object, output: Tensor) -> None:
        channels = output.detach().movedim(layer.channel_axis, 0).flatten(1).double()
        count = torch.full((len(channels),), channels.shape[1], dtype=torch.float64, device=channels.device)
        sums.append(torch.stack([count, channels.sum(1), channels.square().sum(1)]))
        raise _Reached

    handle = module.get_submodule(layer.place).register_forward_hook(watch)
    try:
        with torch.no_grad():
            for batch in batches:
                _run_until_reached(module, batch)
    finally:
        handle.remove()
    count, total, squares = torch.stack(sums).sum(0)
    mean = total / count
    return mean, (squares / count - mean.square()).clamp(min=0).sqrt()


def fold(module: nn.Module, layer: AffineLayer, present: Moments, wanted: Moments) -> None:
    """Fold an affine map into a layer's weight and bias so that its outputs have the wanted moments.

    Constant channels are only shifted.
    """
    (mean, deviation), (mean_wanted, deviation_wanted) = present, wanted
    scale = torch.where(deviation > STILL, deviation_wanted / deviation.clamp(min=STILL), 1.0)
    weight, bias = (module.get_parameter(f"{layer.place}.{name}".lstrip(".")) for name in ("weight", "bias"))
    with torch.no_grad():
        weight.copy_(weight.double() * scale.view(-1, *(1,) * (weight.dim() - 1 - layer.filter_axis)))
        bias.copy_(bias.double() * scale + mean_wanted - mean * scale)


class _Reached(Exception):
    """A forward pass has reached the observed layer."""


def _run_until_reached(module: nn.Module, batch: Batch) -> None:
    device = next(module.parameters()).device
    try:
        batch.to(device).run(module)
    except _Reached:
        return


def _mixed(ends: Sequence[Mapping[str, Moments]], alpha: float) -> dict[str, Moments]:
    first, second = ends
    return {
        name: (torch.lerp(first[name][0], second[name][0], alpha), torch.lerp(first[name][1], second[name][1], alpha))
        for name in first
    }


def _require_foldable(module: nn.Module, layer: AffineLayer) -> None:
    """Raise ParameterError unless a layer is a module with a weight and a bias that nothing else uses."""
    part = module.get_submodule(layer.place)
    if type(part) not in _FOLDABLE or layer.weight is None:
        found = f"'{layer.place}', a {type(part).__name__}, computes a weight or calls torch's function itself"
        raise ParameterError(f"rescale: layers must be modules of torch; {found}")
    if layer.filter_axis == 1 and part.groups != 1:
        raise ParameterError(
            f"rescale: transposed convolutions must have one group ('{layer.place}' has {part.groups})"
        )
    if part._forward_hooks or part._forward_pre_hooks:
        raise ParameterError(f"rescale: layers must have no hooks ('{layer.place}' has some); remove them first")
    if layer.calls > 1:
        raise ParameterError(f"rescale: each layer must be used once in a forward pass ('{layer.place}' is not)")
    if layer.bias is None:
        raise ParameterError(
            f"rescale: each layer needs a bias, or batch normalisation after it ('{layer.place}' has neither)"
        )
