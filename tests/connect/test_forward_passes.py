"""Samples pass through a network once for each point, and at most twice more for all checks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lmc_utils import connect

POINTS, BATCHES = 5, 4


class Counter:
    """Counts the samples that pass through all copies of a network, which share this object."""

    samples = 0

    def __deepcopy__(self, _: Any) -> Counter:
        return self


class Counting(nn.Module):
    """Layers, and a counter of the samples that go through them."""

    def __init__(self, counter: Counter, *layers: nn.Module) -> None:
        super().__init__()
        self.layers, self.counter = nn.Sequential(*layers), counter

    def forward(self, inputs: Tensor) -> Tensor:
        self.counter.samples += len(inputs)
        return self.layers(inputs)


def perceptron(counter: Counter) -> Counting:
    return Counting(counter, nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))


def convolution(counter: Counter) -> Counting:
    return Counting(counter, nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


@pytest.mark.parametrize("network", [perceptron, convolution])
def test_checks_cost_at_most_two_passes_beyond_the_points(network: Any) -> None:
    torch.manual_seed(0)
    counter = Counter()
    first, second = network(counter), network(counter)
    inputs, labels = torch.randn(64, 1, 4, 4), torch.arange(64) % 3
    batches = list(zip(inputs.chunk(BATCHES), labels.chunk(BATCHES), strict=True))
    connect.pair(first, second, batches, alphas=POINTS, batchnorm="interpolate")
    probed = int(network is perceptron)  # a sample, traced to see whether samples can act on each other
    assert POINTS * 64 < counter.samples <= (POINTS + 2) * 64 + probed
