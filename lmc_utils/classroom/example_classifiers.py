"""Three small classifiers for the exercises on merging, in plain PyTorch, trained in a few seconds."""

from __future__ import annotations

import copy
from functools import cache
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lmc_utils.connect.samples.random_generators import unchanged_random

Samples = tuple[Tensor, Tensor]


class Classifiers(NamedTuple):
    """Digit classifiers with batch normalisation, and samples for them.

    Attributes:
        first, second: fine-tuned from the same network.
        other: trained for as long, from another initialisation.
        train, test: inputs and labels.
    """

    first: nn.Sequential
    second: nn.Sequential
    other: nn.Sequential
    train: Samples
    test: Samples


@cache
def classifiers() -> Classifiers:
    """Train the classifiers, deterministically.

    >>> networks = classifiers()
    >>> networks.first(networks.test[0]).shape
    torch.Size([597, 10])
    """
    images, labels = map(torch.as_tensor, load_digits(return_X_y=True))
    images = images.float() / 16
    with unchanged_random():
        torch.manual_seed(0)
        order = torch.randperm(len(labels))
        train, test = ((images[part], labels[part]) for part in (order[:1200], order[1200:]))
        starts = [_trained(_network(), train, 4) for _ in range(2)]
        first, second, other = (_trained(copy.deepcopy(start), train, 6) for start in (starts[0], *starts))
    return Classifiers(first, second, other, train, test)


def _network() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(),
        nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(),
        nn.Linear(32, 10),
    )  # fmt: skip


def _trained(network: nn.Sequential, samples: Samples, epochs: int) -> nn.Sequential:
    inputs, labels = samples
    optimiser = torch.optim.SGD(network.parameters(), 0.3, 0.9)
    steps = len(labels) // 80
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * steps)
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(labels))[: 80 * steps].view(steps, 80):
            optimiser.zero_grad()
            cross_entropy(network(inputs[batch]), labels[batch]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network.eval()
