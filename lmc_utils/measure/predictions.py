"""Logits, labels and last hidden layers of several classifiers on the same samples, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lmc_utils.measure.module_outputs import difference, tolerance


class Predictions(NamedTuple):
    """The outputs of several classifiers for one batch.

    Attributes:
        logits: shape (networks, samples, classes).
        labels: integers, shape (samples,).
        features: the activations of the last hidden layer, shape (networks, samples, features); None if unknown.
        unknown: the reason why they are unknown; empty otherwise.
    """

    logits: Tensor
    labels: Tensor
    features: Tensor | None
    unknown: str = ""


def joined(each: Sequence[Predictions]) -> Predictions:
    """Join the predictions of single networks, which lack the first axis, for one batch; features if all have them."""
    features = [network.features for network in each if network.features is not None]
    return Predictions(
        torch.stack([network.logits for network in each]),
        each[0].labels,
        torch.stack(features) if len(features) == len(each) else None,
        next((network.unknown for network in each if network.unknown), ""),
    )


@contextmanager
def last_linear_call(network: nn.Module, kind: type[nn.Module]) -> Iterator[list[Tensor]]:
    """Record copies of the input and the output of the linear layer that the network called last.

    Args:
        network: its linear layers have forward hooks within the block.
        kind: the class of linear layers.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
    >>> with last_linear_call(network, nn.Linear) as call:
    ...     logits = network(torch.zeros(5, 2))
    >>> [tuple(each.shape) for each in call]
    [(5, 3), (5, 4)]
    """
    call = list[Tensor]()

    def note(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        both = (*inputs, *named.values(), output)
        call[:] = [each.detach().clone() for each in both if isinstance(each, Tensor)]

    hooks = [part.register_forward_hook(note, with_kwargs=True) for part in network.modules() if isinstance(part, kind)]
    try:
        yield call
    finally:
        for hook in hooks:
            hook.remove()


def last_hidden_layer(call: Sequence[Tensor], logits: Tensor) -> tuple[Tensor | None, str]:
    """The input of the last linear layer, if its outputs are the logits; otherwise None and the reason.

    Outputs may also differ from the logits by one number for each sample, as the logarithms of probabilities do. This
    check excludes networks whose last linear layer is not the output layer, but a gate or an auxiliary output.

    Args:
        call: from `last_linear_call`.
        logits: shape (..., samples, classes).
    """
    if not call:
        return None, "the networks call no linear layer"
    features, output = call[0], call[-1]
    if len(call) == 2 and output.shape == logits.shape and features.shape[:-1] == logits.shape[:-1]:
        away, _ = difference(output.float().log_softmax(-1), logits.float().log_softmax(-1))
        if away <= tolerance(output.dtype):
            return features, ""
    return None, "the outputs of the networks are not those of the linear layer that they call last"
