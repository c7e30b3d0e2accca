"""Reference for `connect.pair`: a plain loop along the line between two networks, without the package.

For each point, the mixture of two states is loaded into a new network.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from random_samples import Batches, Loss, cross_entropy, misclassified
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.instancenorm import _InstanceNorm

NDArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Line:
    """A line measured by plain loops.

    Attributes:
        build: returns a new network, equal to the given one at an end.
        batches: samples to measure on.
        estimation: samples for re-estimating statistics.
        loss, error: return one value for each sample of a batch; None for cross-entropy and misclassification.
        convention: the source of running statistics.
        shaken: relative size of random perturbations of all parameters, to estimate the effect of rounding.
    """

    build: Callable[[int], nn.Module]
    batches: Batches
    estimation: Batches
    loss: Loss | None
    error: Loss | None
    convention: str
    shaken: float = 0.0

    @property
    def scores(self) -> list[Loss]:
        error = misclassified if self.loss is None and self.error is None else self.error
        return [self.loss or cross_entropy] + ([] if error is None else [error])

    def curves(self, alphas: Sequence[float], template: int = 0) -> NDArray:
        """Mean scores, (curves, alphas, scores): two curves if statistics are kept, else one.

        Args:
            alphas: positions on the line.
            template: the end whose copies the states are loaded into.
        """
        keeps = self.convention == "keep" and bool(norms(self.build(0)))
        return np.array([[self.point(alpha, kept, template) for alpha in alphas] for kept in range(1 + keeps)])

    def point(self, alpha: float, kept: int, template: int) -> list[float]:
        """Mean scores at a point."""
        if alpha in (0, 1):
            network = self.build(int(alpha))
        else:
            network = self.build(template)
            network.load_state_dict(self._mixed(alpha, kept, statistics(network)))
        if self.shaken:
            with torch.no_grad():
                for value in network.parameters():
                    value.mul_(1 + self.shaken * torch.randn_like(value))
        network.eval()
        if self.convention == "reestimate":
            reestimate(network, self.estimation)
        return self.mean(network)

    def own(self) -> list[list[float]]:
        """Mean scores of both given networks, [score][end]."""
        return np.transpose([self.mean(self.build(end).eval()) for end in (0, 1)]).tolist()

    def mean(self, network: nn.Module) -> list[float]:
        """Mean scores of a network."""
        totals, count = [0.0] * len(self.scores), 0
        with torch.no_grad():
            for inputs, target in copy.deepcopy(self.batches):
                output = network(*inputs)
                # an error first, as a loss may work in place
                for row in reversed(range(len(self.scores))):
                    totals[row] += self.scores[row](output, target).double().sum().item()
                count += len(target)
        return [total / count * (100 if row else 1) for row, total in enumerate(totals)]

    @cached_property
    def _states(self) -> list[dict[str, Tensor]]:
        return [self.build(end).state_dict() for end in (0, 1)]

    def _mixed(self, alpha: float, kept: int, running: set[str]) -> dict[str, Tensor]:
        result = {}
        for name, one in self._states[0].items():
            other, weight = self._states[1][name], alpha
            if name in running:
                weight = {"interpolate": min(max(alpha, 0.0), 1.0), "keep": float(kept)}.get(self.convention, 0.0)
            if one.is_floating_point() and not torch.equal(one, other):
                result[name] = ((1 - weight) * one.double() + weight * other.double()).to(one.dtype)
            else:
                result[name] = one
        return result


def norms(network: nn.Module) -> list[_NormBase]:
    """The normalisations with running statistics."""
    parts = (part for part in network.modules() if isinstance(part, _NormBase))
    return [part for part in parts if part.running_mean is not None]


def statistics(network: nn.Module) -> set[str]:
    """The names of running statistics, including all names of shared modules."""
    owners = [name for name, part in network.named_modules(remove_duplicate=False) if part in norms(network)]
    return {f"{owner}.{name}".lstrip(".") for owner in owners for name in ("running_mean", "running_var")}


def reestimate(network: nn.Module, batches: Batches) -> int:
    """`torch.optim.swa_utils.update_bn` with dropout off, on the batches that torch accepts in training mode.

    Instance normalisation, which `update_bn` does not support, is treated in the same way.

    Returns:
        The number of samples used.
    """
    counted = norms(network)
    if not counted:
        return 0
    calls = _Calls(network, counted)
    usable = [batch for batch in batches if _is_usable(network, batch)]
    hooks = [_count_calls(norm) for norm in counted if isinstance(norm, _InstanceNorm)]
    if any(isinstance(norm, _BatchNorm) for norm in counted):
        torch.optim.swa_utils.update_bn([(copy.deepcopy(inputs),) for inputs, _ in usable], calls)
    else:  # then it does nothing
        calls.train()
        with torch.no_grad():
            for inputs, _ in copy.deepcopy(usable):
                calls(inputs)
    for hook in hooks:
        hook.remove()
    calls.eval()
    return sum(len(target) for _, target in usable)


class _Calls(nn.Module):
    """A network that is called with a tuple; only normalisations are switched to training mode."""

    def __init__(self, network: nn.Module, counted: Sequence[_NormBase]) -> None:
        super().__init__()
        self.network, self.counted = network, list(counted)

    def forward(self, inputs: tuple[Tensor, ...]) -> Any:
        return self.network(*inputs)

    def train(self, mode: bool = True) -> _Calls:
        for norm in self.counted:
            norm.train(mode)
        return self


def _is_usable(network: nn.Module, batch: tuple[tuple[Tensor, ...], Tensor]) -> bool:
    for norm in norms(network):
        norm.train()
    try:
        with torch.no_grad():
            network(*copy.deepcopy(batch[0]))
    except ValueError as error:  # of one row
        if "more than 1" not in str(error):
            raise
        return False
    finally:
        for norm in norms(network):
            norm.eval()
    return True


def _count_calls(norm: _InstanceNorm) -> Any:
    norm.reset_running_stats()
    calls = [0]

    def count(*_: Any) -> None:
        calls[0] += 1
        norm.momentum = 1 / calls[0]

    return norm.register_forward_pre_hook(count)
