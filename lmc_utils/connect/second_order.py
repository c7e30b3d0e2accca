"""First and second derivative of the loss along the line, at both ends, for any network that torch differentiates."""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from lmc_utils.connect.batches import Batch
from lmc_utils.connect.endpoints import Ends
from lmc_utils.connect.point_scores import Walker
from lmc_utils.connect.state_dicts import require_single
from lmc_utils.connect.user_errors import expected
from lmc_utils.measure.derivatives import differentiate

DIFFERENTIATED = {
    "reestimate": "each batch's own statistics, as functions of the parameters",
    "interpolate": "statistics that are mixed along the line",
    "keep": "each network's own statistics, as constants",
}


def derivatives(walker: Walker, end: int) -> tuple[float, float]:
    """The slope and the curvature of the loss along the line, phi'(a) and phi''(a) at a = 0 or a = 1.

    phi(a) is the mean loss at (1 - a) * theta_1 + a * theta_2, so they are g^T delta and delta^T H delta. Each batch is
    differentiated twice in a (Pearlmutter 1994), so memory is that of one batch.

    Args:
        walker: what the loss is measured with; `DIFFERENTIATED` says what becomes of statistics.
        end: 0 or 1.

    Raises:
        ParameterError: parameters of half precision, a loss without gradient, or a network that torch does not
            differentiate twice.
    """
    ends = walker.ends
    require_single(ends.module, "curvature")
    names = list(ends.parameters)
    batchwise = walker.batchnorm == "reestimate" and bool(ends.norms)
    if walker.batchnorm == "interpolate":
        names += ends.statistics
    ends.lay_end(end, [*ends.parameters, *ends.statistics])
    total, samples = torch.zeros(2, dtype=torch.float64), 0
    with _twice(ends, batchwise, by_formula=walker.batchnorm == "interpolate"):
        for batch in walker.feed:
            if batchwise and batch.size < 2:
                continue
            there = batch.to(ends.device)

            def loss(steps: tuple[Tensor, ...], there: Batch = there) -> Tensor:
                values = {name: _between(ends, name, steps[0]) for name in names}
                output = there.run(lambda *args, **named: torch.func.functional_call(ends.module, values, args, named))
                return walker.scores.loss(output, there.target).sum()

            with expected("curvature: expected what torch differentiates twice, here it says"):
                found = differentiate(loss, torch.tensor([float(end)], device=ends.device))
            total += torch.stack([found.slope[0], found.curvature[0, 0]]).double().cpu()
            samples += batch.size
    slope, curvature = (total / max(1, samples)).tolist()
    return slope, curvature


def _between(ends: Ends, name: str, alpha: Tensor) -> Tensor:
    first, second = (state[name].to(ends.device) for state in ends.states)
    return torch.lerp(first, second, alpha.to(first))


def _normalised(norm: nn.BatchNorm1d, inputs: Tensor) -> Tensor:
    """What a normalisation computes from its statistics, which torch's own kernel does not differentiate."""
    assert norm.running_mean is not None, "it is one that keeps statistics"
    assert norm.running_var is not None, "it is one that keeps statistics"
    shape = (1, -1, *(1,) * (inputs.dim() - 2))
    normal = (inputs - norm.running_mean.view(shape)) * (norm.running_var + norm.eps).rsqrt().view(shape)
    return torch.addcmul(norm.bias.view(shape), normal, norm.weight.view(shape)) if norm.affine else normal


@contextmanager
def _twice(ends: Ends, batchwise: bool, by_formula: bool) -> Iterator[None]:
    """Attention and recurrent layers that can be differentiated twice; normalisations by each batch where asked for."""
    before = {norm: norm.training for norm in ends.norms}
    kept = {name: value.clone() for name, value in ends.module.named_buffers()}
    try:
        for norm in ends.norms:
            norm.training = batchwise
            if by_formula:
                norm.forward = types.MethodType(_normalised, norm)
        with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        for norm, training in before.items():
            norm.training = training
            vars(norm).pop("forward", None)
        for name, value in ends.module.named_buffers():
            value.copy_(kept[name])
