"""Loss and error of many networks on many samples, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lmc_utils.measure.batching import activations, batches, blocks, check_samples
from lmc_utils.networks import stack
from lmc_utils.networks.lifted import as_stack
from lmc_utils.networks.state import refuse_state

WORKING_MEMORY = 4.0  # MiB of activations, so that they stay in the cache: less and more are slower


def evaluate(
    network: nn.Module, thetas: Tensor, inputs: Tensor, labels: Tensor, memory: float = WORKING_MEMORY
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and error of many networks on the same samples.

    Args:
        network: any stack of the architecture, or any module that `networks.lifted.Lifted` takes (slower).
        thetas: parameter vectors, shape (networks, parameters).
        inputs: shape (samples, space..., channels).
        labels: shape (samples,).
        memory: MiB of activations to keep at a time; fewer samples and networks at once make do with less.

    Returns:
        Loss in nats and error in percent, each of shape (networks,), float64, averaged over the samples.

    Raises:
        ParameterError: the network has state besides its parameters, as `networks.state.refuse_state` says.
        ValueError: there are no samples, not as many labels as samples, or vectors of another length.
    """
    return Evaluator.of(network, inputs, labels, memory)(thetas)


@dataclass(frozen=True)
class Evaluator:
    """`evaluate` for one network and its samples, checked once, for as many parameter vectors as come.

    Attributes:
        network: a stack in evaluation mode.
        inputs: shape (samples, space..., channels).
        labels: shape (samples,).
        numbers_each: activations of one network for one sample that are kept at a time.
        memory: MiB.
    """

    network: nn.Module
    inputs: Tensor
    labels: Tensor
    numbers_each: int
    memory: float

    @classmethod
    def of(cls, network: nn.Module, inputs: Tensor, labels: Tensor, memory: float = WORKING_MEMORY) -> Evaluator:
        """Check network and samples; raises what `evaluate` does."""
        check_samples(inputs, labels)
        network = as_stack(network)
        refuse_state(network, inputs)
        numbers_each = 2 * max(activations(network, inputs))  # a layer's inputs and its outputs
        return cls(network, inputs, labels, numbers_each, memory)

    def __call__(self, thetas: Tensor) -> tuple[Tensor, Tensor]:
        """Loss in nats and error in percent of parameter vectors (networks, parameters); each (networks,), float64.

        Equal vectors that follow one another, as on a line at the fork itself, are evaluated once.
        """
        thetas, places = thetas.unique_consecutive(dim=0, return_inverse=True)
        losses = torch.zeros(len(thetas), dtype=torch.float64)
        errors = torch.zeros(len(thetas), dtype=torch.float64)
        bytes_each = self.numbers_each * thetas.element_size()
        samples_at_once, networks_at_once = batches(bytes_each, len(self.inputs), self.memory)
        with torch.no_grad():
            for rows in blocks(len(thetas), networks_at_once):
                values = stack.unflatten(thetas[rows].to(self.inputs.device), self.network)
                for samples in blocks(len(self.inputs), samples_at_once):
                    count = len(values[next(iter(values))])
                    shared = self.inputs[samples].expand(count, *self.inputs[samples].shape)
                    logits = torch.func.functional_call(self.network, values, (shared,))
                    loss, wrong = _mistakes(logits, self.labels[samples])
                    losses[rows] += loss.sum(1, dtype=torch.float64).cpu()
                    errors[rows] += wrong.sum(1).cpu()
        places = places.cpu()
        return losses[places] / len(self.labels), 100 * errors[places] / len(self.labels)


def _mistakes(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every sample, and whether another class than its own comes first, both (networks, samples).

    With the classes on the first axis all samples are worked on side by side. `functional.cross_entropy` goes along the
    classes of one sample after the other, which takes several times as long where they are few.
    """
    scores = logits.permute(2, 0, 1).contiguous()
    highest, first = scores.max(0)
    own = scores.gather(0, labels.expand(1, *first.shape))[0]
    return (scores - highest).exp_().sum(0).log_() + highest - own, first != labels
