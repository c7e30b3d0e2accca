"""Attributes changed by a forward pass do not affect the next measurement."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lmc_utils.measure.module_state import Attributes


class Remembers(nn.Module):
    """Keeps a list, a tensor that is in no state, and a dict shared by two submodules."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.seen, self.largest = nn.Linear(2, 2), list[int](), torch.zeros(())
        self.shared = self.layer.shared = {"calls": 0}  # type: ignore[assignment]

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(len(inputs))
        torch.maximum(self.largest, inputs.max(), out=self.largest)
        self.shared["calls"] += 1
        self.unit = inputs.std()
        return self.layer(inputs)


def test_attributes_are_given_back_also_those_that_changed_in_place() -> None:
    network = Remembers()
    weight, attributes = network.layer.weight, Attributes(network)
    for _ in range(2):
        network(torch.ones(3, 2))
        attributes.restore()
        assert network.seen == []
        assert float(network.largest) == 0
        assert not hasattr(network, "unit")
        assert network.shared == {"calls": 0}
        assert network.shared is network.layer.shared
        assert network.layer.weight is weight


def test_what_cannot_be_copied_stays() -> None:
    network = nn.Linear(2, 2)
    network.rows = (row for row in range(3))  # type: ignore[assignment]
    rows = network.rows
    Attributes(network).restore()
    assert network.rows is rows
