"""Batches of common forms: the measured line equals that of a plain loop, or they are rejected."""

from __future__ import annotations

import copy
import warnings
from collections import UserDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from lmc_utils import connect
from lmc_utils.connect.samples.batch_reading import BatchReader
from lmc_utils.measure.planes import PlaneGrid
from lmc_utils.settings import ParameterError

SAMPLES, WIDTH, CLASSES = 9, 6, 3
DRAWS = torch.Generator().manual_seed(0)
INPUTS, MASK = torch.randn(SAMPLES, WIDTH, generator=DRAWS), torch.rand(SAMPLES, WIDTH, generator=DRAWS).round()
LABELS = torch.arange(SAMPLES) % CLASSES
EDGES = (torch.rand(SAMPLES, SAMPLES, generator=DRAWS) > 0.6).float()
Named = namedtuple("Named", ["x", "y"])


class Masked(nn.Module):
    """Accepts two inputs in any form."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.layer(x * mask)


class MaskedOrNot(Masked):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.layer(x if mask is None else x * mask)


class Graph(Masked):
    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        return self.layer(adjacency @ x)


class Edges(Masked):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.layer(torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]]))


class OnePacked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.layer = nn.GRU(2, 4), nn.Linear(4, CLASSES)

    def forward(self, packed: PackedSequence) -> Tensor:
        return self.layer(self.cell(packed)[1][0])


class OneGraph(Edges):
    """Takes an object that holds its tensors."""

    def forward(self, graph: Any) -> Tensor:
        return super().forward(graph.x, graph.edge_index)


class Pair(Masked):
    """Takes two tensors as one argument."""

    def forward(self, both: tuple[Tensor, Tensor]) -> Tensor:
        return self.layer(both[0] * both[1])


class OneInput(Masked):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


@dataclass
class Record:
    x: Tensor
    labels: Tensor


class Triples(Dataset[Any]):
    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, row: int) -> Any:
        return INPUTS[row], MASK[row], int(LABELS[row])


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(zip(INPUTS, LABELS.tolist(), strict=True))


def losses(make: Callable[[], nn.Module], data: Any, calls: list[Any], **options: Any) -> Any:
    """A report of two networks; its losses are compared with those of plain calls, (arguments, named, labels)."""
    torch.manual_seed(1)
    first, second = make(), make()
    found = connect.pair(first, second, data, alphas=[0.0, 0.25, 0.5, 1.0], **options)
    mixed, expected = copy.deepcopy(first).eval(), []
    for alpha in found.alpha.values:
        mixed.load_state_dict({
            name: torch.lerp(value.double(), second.state_dict()[name].double(), float(alpha)).to(value)
            for name, value in first.state_dict().items()
        })  # fmt: skip
        with torch.no_grad():
            each = [functional.cross_entropy(mixed(*args), labels, reduction="none") for args, labels in calls]
        expected.append(float(torch.cat(each).double().mean()))
    np.testing.assert_allclose(found.loss, expected, rtol=2e-6)
    return found


WHOLE = [((INPUTS,), LABELS)]
WITH_MASK = [((INPUTS, MASK), LABELS)]
PARTS = [((INPUTS[:4], MASK[:4]), LABELS[:4]), ((INPUTS[4:], MASK[4:]), LABELS[4:])]
TWO = "inputs: the first 2 parts, target: the last"
PACKED = pack_sequence([torch.randn(3, 2, generator=DRAWS), torch.randn(2, 2, generator=DRAWS)])
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CSR = EDGES.to_sparse_csr()
INDEX = EDGES.nonzero().T


@pytest.mark.parametrize(
    ("make", "data", "calls", "said"),
    [
        pytest.param(Masked, [(x, m, y) for (x, m), y in PARTS], WITH_MASK, TWO, id="triples"),
        pytest.param(Masked, [[x, m, y] for (x, m), y in PARTS], WITH_MASK, TWO, id="lists"),
        pytest.param(MaskedOrNot, [(x, m, y) for (x, m), y in PARTS], WITH_MASK, TWO, id="optional"),
        pytest.param(Masked, (INPUTS, MASK, LABELS), WITH_MASK, "9 samples in 1 batch; " + TWO, id="one triple"),
        pytest.param(Masked, TensorDataset(INPUTS, MASK, LABELS), WITH_MASK, TWO, id="dataset"),
        pytest.param(Masked, DataLoader(Triples(), 4), WITH_MASK, "9 samples in 3 batches; " + TWO, id="loader"),
        pytest.param(Masked, Triples(), WITH_MASK, TWO, id="dataset of ints"),
        pytest.param(Masked, DataLoader(Triples(), batch_size=None), WITH_MASK, "single samples", id="unbatched"),
        pytest.param(Masked, [((x, m), y) for (x, m), y in PARTS], WITH_MASK, "inputs: 2 in a tuple", id="nested"),
        pytest.param(Pair, [((INPUTS, MASK), LABELS)], [(((INPUTS, MASK),), LABELS)], "9 samples", id="one argument"),
        pytest.param(Graph, (INPUTS, EDGES, LABELS), [((INPUTS, EDGES), LABELS)], TWO, id="adjacency"),
        pytest.param(Graph, [(INPUTS, EDGES.to_sparse(), LABELS)], [((INPUTS, EDGES), LABELS)], TWO, id="sparse"),
        pytest.param(Graph, [(INPUTS, CSR, LABELS)], [((INPUTS, EDGES), LABELS)], TWO, id="csr"),
        pytest.param(Edges, [(INPUTS, INDEX, LABELS)], [((INPUTS, INDEX), LABELS)], TWO, id="edges"),
        pytest.param(OnePacked, [(PACKED, LABELS[:2])], [((PACKED,), LABELS[:2])], "2 samples", id="packed list"),
        pytest.param(OnePacked, (PACKED, LABELS[:2]), [((PACKED,), LABELS[:2])], "2 samples", id="packed"),
        pytest.param(OneInput, Record(INPUTS, LABELS), WHOLE, "inputs: x; target: labels", id="dataclass"),
        pytest.param(OneInput, [Named(INPUTS, LABELS)], WHOLE, "inputs: x; target: y", id="named tuple"),
        pytest.param(OneInput, [UserDict(x=INPUTS, label=LABELS)], WHOLE, "target: label", id="mapping"),
        pytest.param(OneInput, [{"image": INPUTS, "label": LABELS}], WHOLE, "inputs: image", id="image"),
        pytest.param(OneInput, (INPUTS.numpy(), LABELS.numpy()), WHOLE, "9 samples in 1 batch", id="arrays"),
        pytest.param(
            OneInput, (INPUTS.double().numpy(), LABELS.tolist()), WHOLE, "float64 arrays read as float32", id="float64"
        ),
        pytest.param(OneInput, (INPUTS, LABELS.tolist()), WHOLE, "9 samples", id="list of labels"),
        pytest.param(OneInput, [(INPUTS, LABELS.tolist())], WHOLE, "9 samples", id="batch with a list of labels"),
        pytest.param(OneInput, list(zip(INPUTS, LABELS, strict=True)), WHOLE, "single samples, joined", id="samples"),
        pytest.param(
            OneInput, list(zip(INPUTS.tolist(), LABELS.tolist(), strict=True)), WHOLE, "single samples", id="numbers"
        ),
        pytest.param(OneInput, [(INPUTS[:5], LABELS[:5]), (INPUTS[5:], LABELS[5:])], WHOLE, "2 batches", id="pairs"),
        pytest.param(OneInput, Stream(), WHOLE, "9 samples in 1 batch", id="stream"),
        pytest.param(OneInput, DataLoader(Stream(), batch_size=None), WHOLE, "single samples", id="unbatched stream"),
    ],
)  # fmt: skip
def test_batches_in_many_forms_are_measured_as_a_plain_loop_measures_them(
    make: Callable[[], nn.Module], data: Any, calls: list[Any], said: str
) -> None:
    assert said in losses(make, data, calls).attrs["data"]


def test_a_function_reads_what_data_yield_of_any_form() -> None:
    def nodes(graph: Any) -> Any:
        return (graph.x, graph.edge_index), graph.y

    graph = SimpleNamespace(x=INPUTS, edge_index=INDEX, y=LABELS)
    calls = [((INPUTS, INDEX), LABELS)]
    for data in (graph, [graph]):
        assert "read by nodes" in losses(Edges, data, calls, batch=nodes).attrs["data"]
        losses(OneGraph, data, [((graph,), LABELS)], batch=lambda each: (each, each.y))
    weighted = TensorDataset(INPUTS, LABELS, torch.rand(SAMPLES))
    losses(MaskedOrNot, weighted, WHOLE, batch=lambda each: (each[0], each[1]))
    torch.manual_seed(0)
    networks = {name: OneInput() for name in "abc"}
    options: dict[str, Any] = {"batch": lambda each: (each[0] + 1, each[1])}
    expected = connect.pairwise(networks, (INPUTS + 1, LABELS), alphas=3)
    found = connect.pairwise(networks, (INPUTS, LABELS), alphas=3, **options)
    np.testing.assert_array_equal(found.loss_barrier, expected.loss_barrier)
    one, other = (
        connect.plane(*networks.values(), data, grid=PlaneGrid(grid=3), **more)
        for data, more in [((INPUTS + 1, LABELS), {}), ((INPUTS, LABELS), options)]
    )
    np.testing.assert_array_equal(one.loss, other.loss)


class Unclear(NamedTuple):
    labels: Tensor
    target: Tensor


WEIGHTS = torch.rand(SAMPLES)
WAY_OUT = "; pass batch, a function from what the data yield to .inputs, target."


@pytest.mark.parametrize(
    ("make", "data", "line"),
    [
        (MaskedOrNot, [(INPUTS, LABELS, WEIGHTS)], "data: .*3 parts, and forward.* may also take fewer"),
        (MaskedOrNot, [(INPUTS, LABELS, torch.arange(SAMPLES))], "data: .* may also take fewer inputs than 2, so that"),
        (OneInput, [(INPUTS, MASK, LABELS)], r"data: .*3 parts, but forward.x. does not take 2 inputs" + WAY_OUT),
        (OneInput, [{"x": INPUTS, "row": LABELS, "labels": LABELS}], r"data: forward\(x\) does not take .* x, row;"),
        (OneInput, [Unclear(LABELS, LABELS)], "data: batch 0 has several targets: labels and target" + WAY_OUT),
        (OneInput, [SimpleNamespace(x=INPUTS)], r"data: batches must be pairs of inputs and target \(batch 0 is a"),
        (OneInput, [(SimpleNamespace(x="a"), LABELS)], r"data: inputs must hold tensors \(batch 0"),
        (OneInput, (INPUTS, np.array(["a"] * SAMPLES)), r"data: arrays must hold numbers \(got one of <U1\)"),
        (OneInput, [(INPUTS[0], 1), (INPUTS, LABELS)], "data: samples and batches are mixed: 1 is a"),
        (OneInput, [(INPUTS[0], 1), (INPUTS[0, :2], 1)], r"data: joining samples to a batch \(those up to 1\) raised"),
    ],
)  # fmt: skip
def test_what_may_be_read_in_two_ways_or_in_none_is_a_one_line_error(
    make: Callable[[], nn.Module], data: Any, line: str
) -> None:
    with pytest.raises(ParameterError, match=f"^{line}") as refused:
        connect.pair(make(), make(), data)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("batch", "line"),
    [
        (lambda each: each[0], r"batch: the function must return \(inputs, target\) \(it returned a"),
        (
            lambda each: (each[0], each[1], 3),
            r"batch: the function must return \(inputs, target\) \(it returned a",
        ),
        (lambda each: each.x, "batch: the function raised, for batch 0, AttributeError: 'tuple'"),
        (lambda each: (each[0], each[1].sum()), r"batch: the target must have the shape \(samples, ...\) \(got one"),
    ],
)
def test_a_function_that_does_not_read_batches_is_a_one_line_error(batch: Any, line: str) -> None:
    with pytest.raises(ParameterError, match=f"^{line}"):
        connect.pair(OneInput(), OneInput(), [(INPUTS, LABELS)], batch=batch)


@pytest.mark.parametrize(("inputs", "target"), [((64,), (32,)), ((1, 8, 8), (8, 8)), ((7, 5, 6), (4,))])
def test_single_samples_with_targets_of_several_numbers_are_not_taken_for_batches(
    inputs: tuple[int, ...], target: tuple[int, ...]
) -> None:
    items = [(torch.zeros(inputs), torch.zeros(target, dtype=torch.int64)) for _ in range(3)]
    with pytest.raises(ParameterError, match=r"inputs and targets differ in number: batch 0 has the shapes \("):
        list(BatchReader().batches(items))


def test_sequences_may_have_their_samples_on_the_second_axis() -> None:
    (batch,) = BatchReader().batches([(torch.zeros(7, 5, 6), torch.zeros(5, dtype=torch.int64))])
    assert batch.size == 5
