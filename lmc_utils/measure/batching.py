"""How many samples and networks go at once, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lmc_utils.networks import stack
from lmc_utils.networks.lifted import leaves

_SAMPLES_AT_ONCE = 500


def check_samples(inputs: Tensor, labels: Tensor) -> None:
    """Raise ValueError unless there are samples, and as many labels."""
    if len(inputs) == 0 or len(labels) != len(inputs):
        raise ValueError(f"labels: expected one for each of at least one sample, got {len(labels)} for {len(inputs)}")


def blocks(length: int, size: int) -> Iterator[slice]:
    """Slices of this size that cover a range; the last may be shorter.

    >>> list(blocks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def batches(bytes_each: int, samples: int, memory: float) -> tuple[int, int]:
    """How many samples and how many networks go at once.

    Args:
        bytes_each: what one network takes for one sample.
        samples: how many there are.
        memory: MiB.

    >>> batches(bytes_each=2**10, samples=4000, memory=4.0)
    (500, 8)
    """
    fit = max(1, int(memory * 2**20 / bytes_each))
    at_once = min(samples, fit, _SAMPLES_AT_ONCE)
    return at_once, max(1, fit // at_once)


def activations(network: nn.Module, inputs: Tensor) -> list[int]:
    """How many numbers one network makes of one sample: the input first, then the output of every module."""
    sizes = [inputs[0].numel()]

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
