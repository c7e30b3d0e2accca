"""Reference implementation of loss and error."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.networks import stack


def brute_force(network: nn.Module, theta: Tensor, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Loss and error of one network, one sample at a time, in float64."""
    one = stack.load(network, stack.unflatten(theta[None].double(), network))
    logits = torch.stack([one(sample[None, None].double())[0, 0] for sample in inputs])
    loss = functional.cross_entropy(logits, labels).item()
    return loss, 100 * (logits.argmax(1) != labels).double().mean().item()
