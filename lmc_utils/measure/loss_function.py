"""The mean loss of one network as a function of its parameters, batch by batch.

It is what an evaluator provides for products with second derivatives (`measure.hessian`). The loss of a batch comes in
two steps, from the parameters to the outputs of the network and from these to the loss, as the Gauss-Newton matrix is
that of the first step linearised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor


class BatchLoss(NamedTuple):
    """The loss of one network on one batch. Each function may be called once, as a network may work in place.

    Attributes:
        outputs: from a parameter vector, shape (parameters,), to the outputs of the network: the logits if the loss is
            cross-entropy, otherwise whatever the network returns.
        loss: from these outputs to the loss summed over the samples, shape ().
    """

    outputs: Callable[[Tensor], Any]
    loss: Callable[[Any], Tensor]


@dataclass(frozen=True)
class LossFunction:
    """The mean loss of one network on fixed samples.

    Normalisations are in evaluation mode; their running statistics are constants, not functions of the parameters.

    Attributes:
        vector: the parameters of the network, in its precision and on its device, shape (parameters,), in the order of
            `Evaluator.vectors`.
        batches: starts reading the batches, the same each time.
        count: the number of batches.
        samples: the number of samples of all batches.
    """

    vector: Tensor
    batches: Callable[[], Iterator[BatchLoss]]
    count: int
    samples: int
