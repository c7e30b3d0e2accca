"""Unsupported behaviour of networks gives a one-line error before anything is measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import example_modules
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils import connect
from lmc_utils.connect.endpoint_checks import compare
from lmc_utils.connect.endpoints import endpoints
from lmc_utils.connect.samples.repeatable_data import repeatable
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


def adding(network: Odd) -> None:
    network.table.data += 1


def turned(network: Odd, outputs: Tensor) -> Tensor:
    network.scale = -network.scale
    return outputs * network.scale


@pytest.mark.parametrize(
    ("then", "line"),
    [
        (counted, "first: a forward pass in evaluation mode changes table; change"),
        (turned, "first: the network's outputs change when the same batch is"),
        (lambda _, outputs: functional.dropout(outputs), "first: the network is stochastic in evaluation mode"),
        (lambda _, outputs: outputs.argmax(1), "first: the network must output real tensors"),
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
    with pytest.raises(ParameterError, match=r"^second: the outputs of the copy that is measured differ from the"):
        connect.pair(first, second, SAMPLES)


class Scaled(nn.Module):
    def __init__(self, scale: float, offset: float = 0.0) -> None:
        super().__init__()
        self.layer, self.scale, self.offset = nn.Linear(3, 2), scale, offset

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.layer(inputs) * self.scale + self.offset
        return logits


def test_differing_attributes_are_named() -> None:
    nested = [nn.Sequential(Scaled(scale), nn.Identity()) for scale in (2.0, 3.0)]
    both = {"scale": [Scaled(2.0), Scaled(3.0)], "0.scale": nested, "offset, scale": [Scaled(2.0), Scaled(3.0, 1.0)]}
    for names, networks in both.items():
        with pytest.raises(ParameterError, match=rf"; attributes that differ, and may be it: {names}$"):
            connect.pair(*networks, SAMPLES)


def test_other_buffers_must_be_equal_in_both_networks() -> None:
    first, second = (Odd(lambda network, outputs: outputs * network.table) for _ in range(2))
    first.table.fill_(3.0)
    second.table.fill_(3.0)
    found = connect.pair(first, second, SAMPLES, alphas=3)
    assert float(found.loss[0]) == pytest.approx(functional.cross_entropy(first(*SAMPLES[:1]), SAMPLES[1]).item())
    second.table.fill_(2.0)
    with pytest.raises(
        ParameterError,
        match=r"^network: buffers must be equal in both, or be running statistics",
    ):
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_loss_that_draws_random_numbers_is_rejected_in_any_precision(dtype: torch.dtype) -> None:
    def noisy(output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(output.float(), target, reduction="none") + 1e-3 * torch.rand(len(output))

    networks = [nn.Linear(3, 2).to(dtype) for _ in range(2)]
    with pytest.raises(ParameterError, match=r"^loss: the function is stochastic \(it draws random numbers\); it"):
        connect.pair(*networks, (SAMPLES[0].to(dtype), SAMPLES[1]), loss=noisy)


def fifth_pass_is_another(network: Odd, outputs: Tensor) -> Tensor:
    network.scale += 1
    return outputs * (9 if network.scale == 6 else 1)


def test_the_ends_of_a_network_that_counts_its_passes_are_measured_like_points_beside_them() -> None:
    first, second = Odd(fifth_pass_is_another), Odd(fifth_pass_is_another)
    batches = [(torch.randn(7, 3), torch.randint(2, (7,))) for _ in range(8)]
    losses = connect.pair(first, second, batches, alphas=[1e-6, 1 - 1e-6]).loss.values
    assert losses[[0, -1]] == pytest.approx(losses[[1, -2]], rel=1e-3)


def capped(cap: float) -> Odd:
    network = Odd(lambda network, outputs: outputs)
    network.register_forward_pre_hook(lambda network, inputs: inputs[0].clamp(max=network.cap))
    network.cap = cap
    return network


@pytest.mark.parametrize("batch_size", [60, 7])
def test_an_attribute_that_acts_on_one_sample_is_detected_in_its_batch(batch_size: int) -> None:
    inputs = torch.rand(60, 3)
    inputs[52, 1] = 5.0
    batches = list(zip(inputs.split(batch_size), torch.zeros(60, dtype=torch.int64).split(batch_size), strict=True))
    batch, place = divmod(52, batch_size)
    with pytest.raises(ParameterError, match=rf"^second: .* differ .* in batch {batch}, place \({place}, \d\)"):
        connect.pair(capped(4.0), capped(3.0), batches)
    assert connect.pair(capped(4.0), capped(4.0), batches, alphas=3).attrs["endpoint_difference"] == 0.0


def test_scores_are_compared_where_outputs_do_not_show_the_difference() -> None:
    """The loss uses integer outputs, which are not compared."""

    def loss(output: tuple[Tensor, Tensor], _: Tensor) -> Tensor:
        return output[0].square().sum(1) * output[1]

    first, second = (Odd(lambda network, outputs: (outputs, torch.tensor(network.count))) for _ in range(2))
    first.count, second.count = 2, 3
    with pytest.raises(ParameterError, match=r"^second: the loss of the network itself is .* in batch 0,"):
        connect.pair(first, second, SAMPLES, loss=loss)
    second.count = 2
    assert connect.pair(first, second, SAMPLES, loss=loss, alphas=3).loss.notnull().all()


def test_a_loss_that_answers_otherwise_each_time_is_rejected() -> None:
    numbers = itertools.count(1)
    with pytest.raises(ParameterError, match=r"^second: the loss of the network itself is 3 in batch 0, that of"):
        connect.pair(nn.Linear(3, 2), nn.Linear(3, 2), SAMPLES, loss=lambda *_: torch.full((6,), 1.0 * next(numbers)))


def test_random_numbers_and_changes_in_later_batches_are_detected() -> None:
    def rarely(change: Callable[[Odd], None]) -> Callable[[Odd, Tensor], Tensor]:
        def then(network: Odd, outputs: Tensor) -> Tensor:
            if len(outputs) == 2:
                change(network)
            return functional.dropout(outputs) if len(outputs) == 3 else outputs

        return then

    batches = [(torch.ones(size, 3), torch.zeros(size, dtype=torch.int64)) for size in (4, 3)]
    with pytest.raises(ParameterError, match=r"^first: the network is stochastic in evaluation mode \(it draws"):
        connect.pair(Odd(rarely(counted)), Odd(rarely(counted)), batches)
    with pytest.raises(ParameterError, match=r"^first: a forward pass in evaluation mode changes table; change"):
        connect.pair(Odd(rarely(adding)), Odd(rarely(adding)), [batches[0], (torch.ones(2, 3), batches[0][1][:2])])


def test_a_dense_adjacency_matrix_is_not_cut() -> None:
    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
            return adjacency @ self.layer(nodes)

    first, second = Graph(), Graph()
    nodes, adjacency = torch.randn(9, 3), torch.rand(9, 9)
    batch = (nodes, adjacency), torch.arange(9) % 2
    found = connect.pair(first, second, [batch], alphas=3)
    expected = functional.cross_entropy(first(nodes, adjacency), batch[1])
    assert float(found.loss[0]) == pytest.approx(expected.item(), rel=1e-5)
