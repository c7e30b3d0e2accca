"""Types are converted as by torch, and tensors that cannot be interpolated are rejected with advice."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lmc_utils.connect.checkpoints.state_dicts import state_of
from lmc_utils.settings import ParameterError

NETWORK = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


class Ranks(torch.Tensor):
    """A tensor subclass with its own dispatch."""

    @classmethod
    def __torch_dispatch__(cls, function, kinds, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        raise NotImplementedError


@pytest.mark.parametrize("given", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("wanted", [torch.float32, torch.float16])
def test_types_are_converted_as_load_state_dict_does(given: torch.dtype, wanted: torch.dtype) -> None:
    network, module = copy.deepcopy(NETWORK).to(given), copy.deepcopy(NETWORK).to(wanted)
    state, notes = state_of(network.state_dict(), module, "first")
    expected = copy.deepcopy(module)
    expected.load_state_dict(network.state_dict())
    for name, value in expected.state_dict().items():
        assert state[name].dtype == value.dtype
        assert torch.equal(state[name], value)
    names = [str(each).removeprefix("torch.") for each in (given, wanted)]
    said = f"first: 6 of 7 tensors were converted from {names[0]} to {names[1]}, the type in the network"
    assert notes == ([said] if given != wanted else [])


def test_half_precision_is_kept() -> None:
    network = copy.deepcopy(NETWORK).half()
    state, notes = state_of(network.state_dict(), network, "first")
    assert state["0.weight"].dtype == torch.float16
    assert not notes


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda w: w.to(torch.float8_e4m3fn), r"0.weight is of type float8_e4m3fn, not a plain tensor; give"),
        (
            lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8),
            r"0.weight is quantised, not a plain tensor; give",
        ),
        (lambda w: w.to_sparse(), r"0.weight is of layout sparse_coo, not a plain tensor; give"),
        (lambda w: w.to_sparse_csr(), r"0.weight is of layout sparse_csr, not a plain tensor; give"),
        (
            lambda w: torch.nested.nested_tensor([w[0], w[1, :1]]),
            r"0.weight is a nested tensor, not a plain tensor; give a tensor",
        ),
        (lambda w: w.to("meta"), r"0.weight is without values, on the meta device, not a plain"),
        (lambda w: w.as_subclass(Ranks), r"0.weight is of the class Ranks, not a plain tensor; give tensors"),
        (lambda w: w.to(torch.int8), "0.weight is int8 for float32$"),
        (lambda w: w.to(torch.complex64), "0.weight is complex64 for float32$"),
        (lambda w: w.double() * 1e300, "some weights are NaN or infinite: 0.weight$"),
        (lambda w: w.T, r"0.weight is \(2, 3\) for \(3, 2\)$"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_cannot_be_mixed_are_a_one_line_error(change: Callable[[Tensor], Tensor], line: str) -> None:
    with pytest.raises(ParameterError, match=f"^first: .*{line}"):
        state_of({**NETWORK.state_dict(), "0.weight": change(NETWORK[0].weight.detach())}, NETWORK, "first")


def test_counts_of_another_width_are_converted_where_they_fit() -> None:
    state = {**NETWORK.state_dict(), "1.num_batches_tracked": torch.tensor(7, dtype=torch.int32)}
    assert state_of(state, NETWORK, "first")[0]["1.num_batches_tracked"] == 7
