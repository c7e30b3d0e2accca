"""Loss and error of many networks on many samples, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from lmc_utils.networks import stack
from lmc_utils.networks.activation_sizes import activations
from lmc_utils.networks.lifted import as_stack
from lmc_utils.networks.state_check import refuse_state

WORKING_MEMORY = 4.0  # MiB of activations, so that they stay in the cache: less and more are slower
_SAMPLES_AT_ONCE = 500


def evaluate(
    network: nn.Module,
    thetas: Tensor,
    inputs: Tensor,
    labels: Tensor,
    memory: float = WORKING_MEMORY,
    buffers: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and error of many networks on the same samples.

    Args:
        network: any stack of the architecture, or any module that `networks.lifted.Lifted` takes (slower).
        thetas: parameter vectors, shape (networks, parameters).
        inputs: shape (samples, space..., channels).
        labels: shape (samples,).
        memory: MiB of activations to keep at a time; fewer samples and networks at once make do with less.
        buffers: what the networks keep besides, such as running statistics: shape (networks, numbers), laid out as
            `stack.fresh_buffers` has them. Where a network keeps something, it is needed.

    Returns:
        Loss in nats and error in percent, each of shape (networks,), float64, averaged over the samples.

    Raises:
        ParameterError: the network has state besides its parameters, as `networks.state_check.refuse_state` says.
        ValueError: there are no samples, not as many labels as samples, or vectors of another length.
    """
    return evaluator(network, inputs, labels, memory)(thetas, buffers)


Evaluator = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]


def evaluator(network: nn.Module, inputs: Tensor, labels: Tensor, memory: float = WORKING_MEMORY) -> Evaluator:
    """`evaluate` for one network and its samples, checked once, for as many parameter vectors as come.

    Equal vectors that follow one another, as on a line at the fork itself, are evaluated once.
    """
    network = checked(network, inputs, labels)
    numbers_each = 2 * max(activations(network, inputs))  # a layer's inputs and its outputs

    def means(thetas: Tensor, buffers: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept = thetas.new_zeros(len(thetas), 0) if buffers is None else buffers
        if kept.shape[1] != stack.fresh_buffers(network, 1).shape[1]:
            raise ValueError(f"buffers: expected those of a network with running statistics, got {tuple(kept.shape)}")
        whole = torch.cat([thetas, kept], 1) if kept.shape[1] else thetas
        whole, places = whole.unique_consecutive(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
        thetas, kept = whole.split([thetas.shape[1], kept.shape[1]], 1)
        sums = torch.zeros(2, len(thetas), dtype=torch.float64)
        samples_at_once, at_once = batches(numbers_each * thetas.element_size(), len(inputs), memory, _SAMPLES_AT_ONCE)
        with torch.no_grad():
            for rows in blocks(len(thetas), at_once):
                values = stack.unflatten(thetas[rows].to(inputs.device), network, kept[rows].to(inputs.device))
                for samples in blocks(len(inputs), samples_at_once):
                    shared = inputs[samples].expand(rows.stop - rows.start, *inputs[samples].shape)
                    logits = torch.func.functional_call(network, values, (shared,))
                    for total, part in zip(sums, _mistakes(logits, labels[samples]), strict=True):
                        total[rows] += part.sum(1, dtype=torch.float64).cpu()
        loss, wrong = sums[:, places.cpu()]
        return loss / len(labels), 100 * wrong / len(labels)

    return means


def checked(network: nn.Module, inputs: Tensor, labels: Tensor) -> nn.Module:
    """The network as a stack in evaluation mode; raises what `evaluate` does of it and of the samples."""
    if len(inputs) == 0 or len(labels) != len(inputs):
        raise ValueError(f"labels: expected one for each of at least one sample, got {len(labels)} for {len(inputs)}")
    network = as_stack(network)
    refuse_state(network, inputs)
    return network


def blocks(length: int, size: int) -> Iterator[slice]:
    """Slices of this size that cover a range; the last may be shorter.

    >>> list(blocks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def batches(bytes_each: int, samples: int, memory: float, most: int) -> tuple[int, int]:
    """How many samples, at most so many, and how many networks go at once.

    Args:
        bytes_each: what one network takes for one sample.
        samples: how many there are.
        memory: MiB.
        most: samples at once.

    >>> batches(bytes_each=2**10, samples=4000, memory=4.0, most=500)
    (500, 8)
    """
    fit = max(1, int(memory * 2**20 / bytes_each))
    at_once = min(samples, fit, most)
    return at_once, max(1, fit // at_once)


def _mistakes(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every sample, and whether another class than its own comes first, both (networks, samples).

    With the classes on the first axis all samples are worked on side by side. `functional.cross_entropy` goes along the
    classes of one sample after the other, which takes several times as long where they are few.
    """
    scores = logits.permute(2, 0, 1).contiguous()
    highest, first = scores.max(0)
    own = scores.gather(0, labels.expand(1, *first.shape))[0]
    return (scores - highest).exp_().sum(0).log_() + highest - own, first != labels
