"""Sizes of activations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.networks import stack
from lmc_utils.networks.state_check import evaluating


def activations(network: nn.Module, inputs: Tensor) -> list[int]:
    """The number of activations for one sample: the input's size first, then the output's of every module.

    Args:
        network: a stack.
        inputs: shape (samples, space..., channels); only the first sample is used.
    """
    network, sizes = evaluating(network), [inputs[0].numel()]

    def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        sizes.append(output.numel())

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(note)
    values = {name: value[:1].to(inputs) for name, value in stack.parameters(network).items()}
    with torch.no_grad():
        torch.func.functional_call(network, values, (inputs[:1].unsqueeze(0),))
    return sizes
