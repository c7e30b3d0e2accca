"""The mean cross-entropy of one network of a stack as a function of its parameters, in batches of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils.measure.loss_function import BatchLoss, LossFunction
from lmc_utils.measure.stacked_derivatives import COPIES, WORKING_MEMORY
from lmc_utils.measure.stacked_scores import batches, blocks
from lmc_utils.networks import stack
from lmc_utils.networks.activation_sizes import activations
from lmc_utils.networks.state_check import evaluating


def loss_function(
    network: nn.Module,
    theta: Tensor,
    inputs: Tensor,
    labels: Tensor,
    *,
    buffers: Tensor | None = None,
    memory: float = WORKING_MEMORY,
) -> LossFunction:
    """The mean cross-entropy of one network, in nats, as a function of its parameters.

    Args:
        network: any stack of the architecture.
        theta: the parameters, shape (parameters,).
        inputs: shape (samples, space..., channels).
        labels: shape (samples,).
        buffers: running statistics, shape (1, numbers), laid out as in `stack.fresh_buffers`; constants.
        memory: MiB of activations and intermediate results of two derivatives; fewer samples run at once if it is
            small.

    >>> from lmc_utils.networks.layers import Linear
    >>> loss = loss_function(Linear(1, 2, 3), torch.zeros(9), torch.ones(5, 2), torch.zeros(5, dtype=torch.int64))
    >>> [float(batch.loss(batch.outputs(loss.vector)).exp()) for batch in loss.batches()]  # 3^5
    [243.0...]
    """
    network = evaluating(network)
    bytes_each = COPIES * sum(activations(network, inputs)) * theta.element_size()
    at_once, _ = batches(bytes_each, len(inputs), memory=memory, most=len(inputs))
    parts = list(blocks(len(inputs), at_once))

    def batch_loss(samples: slice) -> BatchLoss:
        def outputs(vector: Tensor) -> Tensor:
            values = stack.unflatten(vector[None], network, buffers)
            logits: Tensor = torch.func.functional_call(network, values, (inputs[samples].unsqueeze(0),))
            return logits[0]

        return BatchLoss(outputs, lambda logits: functional.cross_entropy(logits, labels[samples], reduction="sum"))

    def read() -> Iterator[BatchLoss]:
        return map(batch_loss, parts)

    return LossFunction(theta.to(inputs.device), read, len(parts), len(inputs))
