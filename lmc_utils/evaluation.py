"""Loss and error of many networks on many samples, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lmc_utils import stack

WORKING_MEMORY = 8.0  # MiB of activations: less is slower, more is no faster

_SAMPLES_AT_ONCE = 1000


def evaluate(
    network: nn.Module, thetas: Tensor, inputs: Tensor, labels: Tensor, memory: float = WORKING_MEMORY
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and error of many networks on the same samples.

    Args:
        network: any stack of the architecture, or any module that `stack.Lifted` takes (slower).
        thetas: parameter vectors, shape (networks, parameters).
        inputs: shape (samples, space..., channels).
        labels: shape (samples,).
        memory: MiB of activations to keep at a time; fewer samples and networks at once make do with less.

    Returns:
        Loss in nats and error in percent, each of shape (networks,), float64, averaged over the samples.

    Raises:
        ValueError: there are no samples, not as many labels as samples, or vectors of another length.
    """
    check_samples(inputs, labels)
    network = stack.as_stack(network)
    losses = torch.zeros(len(thetas), dtype=torch.float64)
    errors = torch.zeros(len(thetas), dtype=torch.float64)
    each = 2 * max(activations(network, inputs)) * thetas.element_size()  # a layer's inputs and its outputs
    samples_at_once, networks_at_once = batches(each, len(inputs), memory)
    with torch.no_grad():
        for rows in blocks(len(thetas), networks_at_once):
            values = stack.unflatten(thetas[rows].to(inputs.device), network)
            for samples in blocks(len(inputs), samples_at_once):
                count = len(values[next(iter(values))])
                shared = inputs[samples].expand(count, *inputs[samples].shape)
                logits = torch.func.functional_call(network, values, (shared,))
                loss, wrong = _mistakes(logits, labels[samples])
                losses[rows] += loss.sum(1, dtype=torch.float64).cpu()
                errors[rows] += wrong.sum(1).cpu()
    return losses / len(labels), 100 * errors / len(labels)


def _mistakes(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every sample, and whether another class than its own comes first, both (networks, samples).

    With the classes on the first axis all samples are worked on side by side. `functional.cross_entropy` goes along the
    classes of one sample after the other, which takes several times as long where they are few.
    """
    scores = logits.permute(2, 0, 1).contiguous()
    highest, first = scores.max(0)
    own = scores.gather(0, labels.expand(1, *first.shape))[0]
    return (scores - highest).exp_().sum(0).log_() + highest - own, first != labels


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


def batches(each: int, samples: int, memory: float) -> tuple[int, int]:
    """How many samples and how many networks go at once where each takes so many bytes and memory so many MiB.

    >>> batches(each=2**10, samples=4000, memory=4.0)
    (1000, 4)
    """
    fit = max(1, int(memory * 2**20 / each))
    at_once = min(samples, fit, _SAMPLES_AT_ONCE)
    return at_once, max(1, fit // at_once)


def activations(network: nn.Module, inputs: Tensor) -> list[int]:
    """How many numbers one network makes of one sample: the input first, then the output of every module."""
    sizes = [inputs[0].numel()]

    def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        sizes.append(output.numel())

    hooks = [module.register_forward_hook(note) for module in stack.leaves(network)]
    try:
        like = inputs if inputs.is_floating_point() else inputs.device
        values = {name: value[:1].to(like) for name, value in stack.parameters(network).items()}
        torch.func.functional_call(network, values, (inputs[:1].unsqueeze(0),))
    finally:
        for hook in hooks:
            hook.remove()
    return sizes


def require_finite(values: np.ndarray[Any, Any], coords: Mapping[str, Sequence[Any]], at: tuple[int, ...]) -> None:
    """Raise ValueError where a loss is not finite, naming its place.

    Args:
        values: losses at one place of an array, with the dimensions that are left.
        coords: those of the whole array, in order.
        at: the place, positions in the first of them.
    """
    broken = np.argwhere(~np.isfinite(values))
    if len(broken):
        place = zip(coords.items(), (*at, *broken[0]), strict=True)
        where = ", ".join(f"{name} {labels[index]}" for (name, labels), index in place)
        raise ValueError(f"loss: expected finite numbers, got {values[tuple(broken[0])]:g} at {where}")
