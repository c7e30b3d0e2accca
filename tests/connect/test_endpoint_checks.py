"""What is not understood of a network shows, in one line, before anything is measured."""

from __future__ import annotations

from collections.abc import Callable

import example_modules
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils import connect
from lmc_utils.connect.endpoint_checks import compare
from lmc_utils.connect.endpoints import endpoints
from lmc_utils.connect.repeatable_data import repeatable
from lmc_utils.measure.module_scores import Scores
from lmc_utils.settings import ParameterError

SAMPLES = torch.ones(6, 3), torch.zeros(6, dtype=torch.int64)


class Odd(nn.Module):
    """A linear layer, and something else in its forward pass."""

    def __init__(self, then: Callable[[Odd, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.then, self.scale = nn.Linear(3, 2), then, 1.0
        self.register_buffer("table", torch.ones(2))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.then(self, self.layer(inputs))


def counted(network: Odd, outputs: Tensor) -> Tensor:
    network.table += 1
    return outputs


def turned(network: Odd, outputs: Tensor) -> Tensor:
    network.scale = -network.scale
    return outputs * network.scale


@pytest.mark.parametrize(
    ("then", "line"),
    [
        (counted, "first: expected a network that a forward pass leaves as it is, it changes table"),
        (turned, "first: expected a network that answers alike when it is asked again"),
        (lambda _, outputs: functional.dropout(outputs), "first: expected a deterministic network in evaluation mode"),
        (lambda _, outputs: outputs.argmax(1), "first: expected a network that puts out real tensors, got none"),
    ],
)
def test_a_forward_pass_that_is_not_a_deterministic_function_is_rejected(
    then: Callable[[Odd, Tensor], Tensor], line: str
) -> None:
    first, second = Odd(then), Odd(then)
    table = first.table.clone()
    with pytest.raises(ParameterError, match=f"^{line}"):
        connect.pair(first, second, SAMPLES)
    assert torch.equal(first.table, table), "only the copy was run"


def test_a_differing_attribute_is_detected_and_located() -> None:
    first, second = (Odd(lambda network, outputs: outputs * network.scale) for _ in range(2))
    second.scale = 2.0
    with pytest.raises(ParameterError, match=r"^second: .* differs in batch 0, place \(\d, \d\) by 0.5 of the largest"):
        connect.pair(first, second, SAMPLES)


def test_other_buffers_must_be_equal_in_both_networks() -> None:
    first, second = (Odd(lambda network, outputs: outputs * network.table) for _ in range(2))
    first.table.fill_(3.0)
    second.table.fill_(3.0)
    found = connect.pair(first, second, SAMPLES, alphas=3)
    assert float(found.loss[0]) == pytest.approx(functional.cross_entropy(first(*SAMPLES[:1]), SAMPLES[1]).item())
    second.table.fill_(2.0)
    with pytest.raises(ParameterError, match=r"^network: expected buffers that are equal .*; these differ: table$"):
        connect.pair(first, second, SAMPLES)


@pytest.mark.parametrize("kind", example_modules.KINDS)
def test_endpoints_reproduce_the_networks_up_to_rounding(kind: str) -> None:
    first, second, samples = example_modules.two(kind)
    found = compare(endpoints([first, second]), repeatable(samples), Scores())
    assert found.difference < 1e-6
    for network, scores in zip((first, second), found.scores, strict=True):
        assert float(scores[0]) == pytest.approx(
            functional.cross_entropy(network.eval()(samples[0]), samples[1]).item()
        )
    states = endpoints([first.state_dict(), second.state_dict()], model=first)
    assert compare(states, repeatable(samples), Scores()).difference < 1e-6
