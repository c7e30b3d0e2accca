"""Loss, error and batch-norm statistics of many stacked networks on many samples, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lmc_utils.measure.batchnorm import reestimate
from lmc_utils.measure.predictions import Predictions, last_hidden_layer, last_linear_call
from lmc_utils.networks import stack
from lmc_utils.networks.activation_sizes import activations
from lmc_utils.networks.layers import Linear
from lmc_utils.networks.normalisation import BatchNorm
from lmc_utils.networks.state_check import evaluating

WORKING_MEMORY = 5.5  # MiB of activations, so that they stay in the cache: with 4 and with 8 some networks are slower
ESTIMATION_MEMORY = 32.0  # MiB, where statistics are re-estimated
_SAMPLES_AT_ONCE = 500


def norms(network: nn.Module) -> list[BatchNorm]:
    """The batch normalisations of a stack."""
    return [layer for layer in network.modules() if isinstance(layer, BatchNorm)]


def reestimated(network: nn.Module, thetas: Tensor, inputs: Tensor, *, memory: float = ESTIMATION_MEMORY) -> Tensor:
    """Re-estimate the statistics of many networks on the same samples in one pass, see `batchnorm.reestimate`.

    Equal vectors that follow one another are evaluated once.

    Args:
        network: a stack.
        thetas: parameter vectors, shape (networks, parameters).
        inputs: shape (samples, space..., channels).
        memory: MiB of activations at a time; fewer networks run at once if it is small.

    Returns:
        Buffers, laid out as in `stack.fresh_buffers`: (networks, numbers).
    """
    thetas, places = thetas.unique_consecutive(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
    result = stack.fresh_buffers(network, len(thetas)).to(thetas)
    numbers_each = 2 * max(activations(network, inputs)) * len(inputs)
    _, at_once = batches(numbers_each * thetas.element_size(), 1, memory=memory, most=1)
    for rows in blocks(len(thetas), at_once):
        estimating = stack.bound(network, thetas[rows].to(inputs.device), result[rows]).eval()
        shared = inputs.expand(len(thetas[rows]), *inputs.shape)
        reestimate(norms(estimating), [shared], estimating, size=lambda _: len(inputs))
    return result[places]


def evaluate(
    network: nn.Module,
    thetas: Tensor,
    inputs: Tensor,
    labels: Tensor,
    *,
    memory: float = WORKING_MEMORY,
    buffers: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and error of many networks on the same samples.

    Args:
        network: any stack of the architecture.
        thetas: parameter vectors, shape (networks, parameters).
        inputs: shape (samples, space..., channels).
        labels: shape (samples,).
        memory: MiB of activations at a time; fewer samples and networks run at once if it is small.
        buffers: running statistics, shape (networks, numbers), laid out as in `stack.fresh_buffers`; required if the
            network has any.

    Returns:
        Loss in nats and error in percent, each of shape (networks,), float64, averaged over the samples.

    Raises:
        ParameterError: the network is not built of stacked layers.
        ValueError: there are no samples, not as many labels as samples, or vectors of another length.
    """
    return StackedScores(evaluating(network), inputs, labels, memory)(thetas, buffers)


class StackedScores:
    """Mean cross-entropy and error of any parameter vectors of one network, on fixed samples.

    Equal vectors that follow one another, as on a line at the fork itself, are evaluated once.
    """

    def __init__(self, network: nn.Module, inputs: Tensor, labels: Tensor, memory: float = WORKING_MEMORY) -> None:
        if len(inputs) == 0 or len(labels) != len(inputs):
            raise ValueError(
                f"labels: expected one for each of at least one sample, got {len(labels)} for {len(inputs)}"
            )
        self._network, self._inputs, self._labels, self._memory = network, inputs, labels, memory
        self._numbers_each = 2 * max(activations(network, inputs))  # a layer's inputs and its outputs

    def __call__(self, thetas: Tensor, buffers: Tensor | None = None) -> tuple[Tensor, Tensor]:
        inputs, labels = self._inputs, self._labels
        kept = self._require_buffers(thetas, buffers)
        whole = torch.cat([thetas, kept], 1) if kept.shape[1] else thetas
        whole, places = whole.unique_consecutive(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
        thetas, kept = whole.split([thetas.shape[1], kept.shape[1]], 1)
        sums = torch.zeros(2, len(thetas), dtype=torch.float64)
        bytes_each = self._numbers_each * thetas.element_size()
        samples_at_once, at_once = batches(bytes_each, len(inputs), memory=self._memory, most=_SAMPLES_AT_ONCE)
        with torch.no_grad():
            for rows in blocks(len(thetas), at_once):
                values = stack.unflatten(thetas[rows].to(inputs.device), self._network, kept[rows].to(inputs.device))
                for samples in blocks(len(inputs), samples_at_once):
                    shared = inputs[samples].expand(rows.stop - rows.start, *inputs[samples].shape)
                    logits = torch.func.functional_call(self._network, values, (shared,))
                    for total, part in zip(sums, _mistakes(logits, labels[samples]), strict=True):
                        total[rows] += part.sum(1, dtype=torch.float64).cpu()
        loss, wrong = sums[:, places.cpu()]
        return loss / len(labels), 100 * wrong / len(labels)

    def predictions(self, thetas: Tensor, buffers: Tensor | None = None) -> Iterator[Predictions]:
        """Yield the outputs of all networks together, for as many samples at a time as fit into the memory."""
        inputs, count = self._inputs, len(thetas)
        kept = self._require_buffers(thetas, buffers)
        values = stack.unflatten(thetas.to(inputs.device), self._network, kept.to(inputs.device))
        bytes_each = count * self._numbers_each * thetas.element_size()
        at_once, _ = batches(bytes_each, len(inputs), memory=self._memory, most=_SAMPLES_AT_ONCE)
        for samples in blocks(len(inputs), at_once):
            shared = inputs[samples].expand(count, *inputs[samples].shape)
            with torch.no_grad(), last_linear_call(self._network, Linear) as call:
                logits = torch.func.functional_call(self._network, values, (shared,))
            yield Predictions(logits, self._labels[samples], *last_hidden_layer(call, logits))

    def _require_buffers(self, thetas: Tensor, buffers: Tensor | None) -> Tensor:
        kept = thetas.new_zeros(len(thetas), 0) if buffers is None else buffers
        if kept.shape[1] != stack.fresh_buffers(self._network, 1).shape[1]:
            raise ValueError(f"buffers: expected those of a network with running statistics, got {tuple(kept.shape)}")
        return kept


def blocks(length: int, size: int) -> Iterator[slice]:
    """Slices of this size that cover a range; the last may be shorter.

    >>> list(blocks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def batches(bytes_each: int, samples: int, *, memory: float, most: int) -> tuple[int, int]:
    """The numbers of samples and of networks to run at once.

    Args:
        bytes_each: memory that one network needs for one sample.
        samples: the number of samples.
        memory: MiB.
        most: upper limit of samples at once.

    >>> batches(bytes_each=2**10, samples=4000, memory=4.0, most=500)
    (500, 8)
    """
    fit = max(1, int(memory * 2**20 / bytes_each))
    at_once = min(samples, fit, most)
    return at_once, max(1, fit // at_once)


def _mistakes(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every sample, and whether it is misclassified, both (networks, samples).

    With classes on the first axis, operations are vectorised over samples. `functional.cross_entropy` reduces over the
    classes of one sample after the other, which takes several times as long for few classes.
    """
    scores = logits.permute(2, 0, 1).contiguous()
    highest, first = scores.max(0)
    own = scores.gather(0, labels.expand(1, *first.shape))[0]
    return (scores - highest).exp_().sum(0).log_() + highest - own, first != labels
