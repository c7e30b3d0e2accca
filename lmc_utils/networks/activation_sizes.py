"""How large networks are in memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.networks import stack
from lmc_utils.networks.lifted import as_stack, leaves


def activations(network: nn.Module, inputs: Tensor) -> list[int]:
    """How many numbers one network makes of one sample: the input first, then the output of every module."""
    network, sizes = as_stack(network), [inputs[0].numel()]  # a copy: what a pass in training mode notes stays there

    def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        sizes.append(output.numel())

    hooks = [module.register_forward_hook(note) for module in leaves(network)]
    try:
        like = inputs if inputs.is_floating_point() else inputs.device
        values = {name: value[:1].to(like) for name, value in stack.parameters(network).items()}
        with torch.no_grad():
            torch.func.functional_call(network, values, (inputs[:1].unsqueeze(0),))
    finally:
        for hook in hooks:
            hook.remove()
    return sizes
