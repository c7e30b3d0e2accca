"""Reject networks with unsupported state: a stack may have parameters and running statistics, and nothing else.

Measurements run many networks through one module, in batches of any size. If a module had other buffers, drew random
numbers, or mixed samples of a batch, results would depend on the order of evaluation.
"""

from __future__ import annotations

import copy

from torch import nn

from lmc_utils.networks import layers
from lmc_utils.networks.layers import Layer
from lmc_utils.networks.normalisation import BatchNorm
from lmc_utils.settings import ParameterError

STATELESS = (*layers.STATELESS, nn.ReLU, nn.GELU, nn.Tanh)
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, layers.Residual)


def require_understood(network: nn.Module) -> None:
    """Raise ParameterError unless all submodules of a stack are layers of this package, which are known to be safe.

    >>> require_understood(nn.Sequential(layers.Linear(1, 2, 3), nn.Dropout()))
    Traceback (most recent call last):
    lmc_utils.settings.ParameterError: network must be built of `networks.layers` (got Dropout at '1'); ...
    """
    if not any(True for _ in network.parameters()):
        raise ParameterError("the network has no parameters")
    for name, part in network.named_modules():
        if not (isinstance(part, Layer) or type(part) in (*STATELESS, *_CONTAINERS)):
            raise ParameterError(
                f"network must be built of `networks.layers` (got {type(part).__name__} at '{name}'); "
                "`connect.pair` and `connect.pairs` measure any module"
            )
        extra = [] if type(part) is BatchNorm else [f"{name}.{each}".lstrip(".") for each, _ in _buffers(part)]
        if extra:
            raise ParameterError(f"network must have no state besides parameters (got the buffers {', '.join(extra)})")


def evaluating(network: nn.Module) -> nn.Module:
    """A copy of a stack in evaluation mode, checked by `require_understood`."""
    require_understood(network)
    return copy.deepcopy(network).eval()


def _buffers(part: nn.Module) -> list[tuple[str, object]]:
    return list(part.named_buffers(recurse=False))
