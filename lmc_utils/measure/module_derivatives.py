"""Derivatives of any PyTorch module: slopes and curvatures along a line, and the gradient of a training step."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.batchnorm import without_variance
from lmc_utils.measure.derivatives import Derivatives, differentiate, twice_differentiable
from lmc_utils.measure.mixed_module import Corners, MixedModule
from lmc_utils.measure.mixtures import EITHER, on_line
from lmc_utils.measure.module_scores import Score
from lmc_utils.measure.module_state import State, norms, run_with, statistics, tensors
from lmc_utils.measure.user_code_errors import reported


def along_line(
    point: MixedModule,
    ends: Corners,
    alphas: Sequence[float],
    *,
    by_layer: bool,
    batches: Batches,
    loss: Score,
    convention: str,
) -> Derivatives:
    """Loss, slopes and curvatures at points of the line through two networks, in the direction from one to the other.

    Args:
        point: the module that the points are written into, with tensors in float32 or float64.
        ends: two states.
        alphas: positions on the line.
        by_layer: whether the direction is split by layers.
        batches: samples.
        loss: per-sample loss.
        convention: the source of running statistics, one of `batchnorm.CONVENTIONS`; `interpolate` if there are none.

    Returns:
        n is the number of alphas, k that of layers, or 1. With `keep`, means over the statistics of both ends, except
        that an end itself has its own.

    Raises:
        ParameterError: torch cannot differentiate the module twice.
    """
    line = on_line(torch.tensor(alphas, dtype=torch.float64))
    own = tensors(point.module)
    names = point.parameters + (point.statistics if convention == "interpolate" else [])
    deltas = {name: ends[1][name].to(own[name]) - ends[0][name].to(own[name]) for name in names}
    parts = {name: point.owners.get(name, []) if by_layer else [0] for name in names}
    count, batchwise = len(point.groups) if by_layer else 1, convention == "reestimate"
    by_point = []
    for row, home in enumerate(line.own_homes().tolist()):
        point.mix(ends, line, row, [*point.parameters, *point.statistics])
        by_home = []
        for statistics_of in (0, 1) if convention == "keep" and home == EITHER else (home,):
            if convention == "keep":
                point.hold(ends[statistics_of], point.statistics)
            by_home.append(
                directional_derivatives(
                    point.module, deltas, parts, count=count, batches=batches, loss=loss, batchwise=batchwise
                )
            )
        by_point.append(Derivatives(*(torch.stack(each).mean(0) for each in zip(*by_home, strict=True))))
    return Derivatives(*map(torch.stack, zip(*by_point, strict=True)))


def directional_derivatives(
    module: nn.Module,
    deltas: State,
    parts: Mapping[str, Sequence[int]],
    *,
    count: int,
    batches: Batches,
    loss: Score,
    batchwise: bool,
) -> Derivatives:
    """Loss, slopes and curvatures of a module at its current parameters, along a direction that is split into parts.

    Args:
        module: in evaluation mode; its modes and buffers are restored afterwards.
        deltas: the direction: tensors by name, of parameters and, if these move too, of running statistics.
        parts: for each of these names, the parts of the direction that the tensor belongs to.
        count: the number of parts.
        batches: samples.
        loss: per-sample loss.
        batchwise: whether normalisations use each batch's own statistics instead of their running ones; batches without
            a variance, which torch rejects, are then skipped.

    Returns:
        The mean over all samples, float64; k is the number of parts.

    Raises:
        ParameterError: torch cannot differentiate the module twice.
    """
    values = {name: value.clone() for name, value in tensors(module).items() if name in deltas}
    precision = max((value.dtype for value in values.values()), key=lambda dtype: dtype.itemsize)
    device = next(module.parameters()).device
    sums = [torch.zeros((count,) * rank, dtype=torch.float64) for rank in range(3)]
    samples = 0
    by_formula = not deltas.keys().isdisjoint(statistics(module))
    with _batch_statistics(module, batchwise), _differentiable_twice(module, by_formula):
        for batch in batches:
            on_device = batch.to(device)

            def total_loss(steps: tuple[Tensor, ...], on_device: Batch = on_device) -> Tensor:
                shifted = dict(values)
                for name, numbers in parts.items():
                    if numbers:
                        step = torch.stack([steps[number] for number in numbers]).sum()
                        shifted[name] = values[name] + step.to(values[name]) * deltas[name]
                return loss(run_with(module, shifted, on_device), on_device.target).sum()

            with reported("curvature: torch cannot differentiate the loss twice:"):
                try:
                    found = differentiate(total_loss, torch.zeros(count, device=device, dtype=precision))
                except ValueError as error:
                    if batchwise and without_variance(error):
                        continue
                    raise
            for total, part in zip(sums, found, strict=True):
                total += part.double().cpu()
            samples += batch.size
    return Derivatives(*(total / max(1, samples) for total in sums))


def gradient(module: nn.Module, parameters: State, batch: Batch, loss: Score) -> dict[str, Tensor]:
    """The gradient of a batch's mean loss; batch normalisation uses the statistics of the batch.

    Args:
        module: its modes and buffers are restored afterwards.
        parameters: the point, by name; the module's own are not used.
        batch: on the device of the module.
        loss: per-sample loss.
    """
    moving = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    with _batch_statistics(module, True):
        mean = loss(run_with(module, moving, batch), batch.target).mean()
        slopes = torch.autograd.grad(mean, list(moving.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(moving, slopes, strict=True))


@contextmanager
def _batch_statistics(module: nn.Module, batchwise: bool) -> Iterator[None]:
    """Make normalisations use each batch's own statistics, or their running ones; restore them at the end."""
    before = {norm: norm.training for norm in norms(module).values()}
    buffers = {name: value.clone() for name, value in module.named_buffers()}
    try:
        for norm in before:
            norm.training = batchwise
        yield
    finally:
        for norm, training in before.items():
            norm.training = training
        for name, value in module.named_buffers():
            value.copy_(buffers[name])


@contextmanager
def _differentiable_twice(module: nn.Module, by_formula: bool) -> Iterator[None]:
    """Make attention, recurrent layers and, if `by_formula`, normalisations differentiable twice in torch."""
    replaced = list(norms(module).values()) if by_formula else []
    try:
        for norm in replaced:
            norm.forward = types.MethodType(_normalised, norm)
        with twice_differentiable():
            yield
    finally:
        for norm in replaced:
            vars(norm).pop("forward", None)


def _normalised(norm: nn.BatchNorm1d, inputs: Tensor) -> Tensor:
    """The output of a normalisation, differentiable also in its statistics, unlike torch's own kernel."""
    assert norm.running_mean is not None, "it is one that keeps statistics"
    assert norm.running_var is not None, "it is one that keeps statistics"
    shape = (1, -1, *(1,) * (inputs.dim() - 2))
    normal = (inputs - norm.running_mean.view(shape)) * (norm.running_var + norm.eps).rsqrt().view(shape)
    return torch.addcmul(norm.bias.view(shape), normal, norm.weight.view(shape)) if norm.affine else normal
