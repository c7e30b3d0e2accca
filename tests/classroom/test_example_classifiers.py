"""The three classifiers of the exercises: their common origin, and training without side effects."""

from __future__ import annotations

import torch

from lmc_utils.classroom import example_classifiers


def test_classifiers_are_trained_and_leave_the_random_generator_alone() -> None:
    example_classifiers.classifiers.cache_clear()
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    networks = example_classifiers.classifiers()
    assert torch.rand(1) == expected
    inputs, labels = networks.test
    for network in (networks.first, networks.second, networks.other):
        assert not network.training
        assert (network(inputs).argmax(1) != labels).float().mean() < 0.1
    weights = [network[0].weight for network in networks[:3]]
    assert torch.dist(weights[0], weights[1]) < torch.dist(weights[0], weights[2])
